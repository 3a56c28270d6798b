"""How many pixels of a batch have a label: what the losses are divided by and balanced with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pamm.ops.processes import count_processes, sum_over_processes
from pamm.tasks import Task


@dataclass(frozen=True)
class Counts:
    """Pixels of one task's labels in the whole batch, which may be spread over several processes."""

    valid: Tensor
    """Scalar int64, pixels whose label counts."""
    positive: Tensor
    """Scalar int64, those of them whose label is above 0.5 in any channel."""
    processes: int = 1
    """Number of processes that hold a share of the batch each."""

    @property
    def present(self) -> Tensor:
        """Scalar bool, whether the batch has any label of the task."""
        return self.valid > 0

    def mean(self, values: Tensor, valid: Tensor) -> Tensor:
        """This process's part of the mean over the valid pixels of the whole batch.

        Args:
            values: (b, 1, H, W), of this process.
            valid: (b, 1, H, W) bool, the pixels of this process whose label counts.

        Returns:
            Scalar; the mean of the processes' scalars is the mean over the batch. 0 with a graph where the batch has
            no label, or this process has none.
        """
        share = torch.where(valid, values, 0).sum() / self.valid.clamp(min=1)
        return share if self.processes == 1 else share * self.processes


def count_labels(
    labels: Mapping[str, Tensor], tasks: Iterable[Task], *, over_processes: bool = False
) -> dict[str, Counts]:
    """Count the labelled pixels of a batch.

    Args:
        labels: by task name, (b, label_channels, H, W); other entries are left alone.
        tasks: the tasks to count for.
        over_processes: whether the batch is that of all processes together, which then must all call this.

    Returns:
        By task name. One exchange serves all tasks.

    Raises:
        ValueError: if a label is missing.
    """
    names, counted = [], []
    for task in tasks:
        if task.name not in labels:
            raise ValueError(f"task {task.name}: no label among {', '.join(labels) or 'none'}; give one per task")
        label = labels[task.name]
        valid = task.valid(label)
        positive = valid & (label > 0.5).any(dim=-3, keepdim=True)
        names.append(task.name)
        counted.append(torch.stack((valid.sum(), positive.sum())))
    if not names:
        return {}
    both = torch.stack(counted)  # (T, 2)
    processes = 1
    if over_processes:
        both, processes = sum_over_processes(both), count_processes()
    return {name: Counts(pair[0], pair[1], processes) for name, pair in zip(names, both, strict=True)}
