"""The losses of several tasks together."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from pamm.losses.counts import Counts, count_labels
from pamm.losses.pixels import LOSSES
from pamm.tasks import Task


def multi_task_loss(
    outputs: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    tasks: Iterable[Task],
    counts: Mapping[str, Counts] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the losses of several tasks.

    Args:
        outputs: by task name, (b, channels, H, W) raw output of the network.
        labels: by task name, (b, label_channels, H, W).
        tasks: the tasks to sum over, each with its ``loss`` and ``loss_weight``.
        counts: by task name, as :func:`pamm.losses.count_labels` gives them, if the labels are one process's share of
            the batch.

    Returns:
        The sum with weights, and each task's loss without; of several processes, the mean of theirs is the batch's.

    Raises:
        ValueError: if there is no task, a task names an unknown loss, an output or a label is missing, or shapes
            do not fit.
    """
    losses: dict[str, Tensor] = {}
    weighted: list[Tensor] = []
    for task in tasks:
        if task.loss not in LOSSES:
            raise ValueError(
                f"task {task.name}: no loss named {task.loss!r}; known: {', '.join(LOSSES)}; others: pamm.losses.LOSSES"
            )
        for what, tensors in (("output", outputs), ("label", labels)):
            if task.name not in tensors:
                raise ValueError(f"task {task.name}: no {what} among {', '.join(tensors) or 'none'}; give one per task")
        output, label = outputs[task.name], labels[task.name]
        batch, _, *size = output.shape
        wanted = (batch, task.label_channels, *size)
        if label.shape != wanted or output.shape[1] != task.channels:
            raise ValueError(
                f"task {task.name}: got output {tuple(output.shape)} and label {tuple(label.shape)}; "
                f"wanted {task.channels} output channels and a label of shape {wanted}"
            )
        count = count_labels(labels, [task])[task.name] if counts is None else counts[task.name]
        losses[task.name] = LOSSES[task.loss](output, label, task, count)
        weighted.append(task.loss_weight * losses[task.name])
    if not weighted:
        raise ValueError("no task was given: a loss needs one or more")
    return torch.stack(weighted).sum(), losses
