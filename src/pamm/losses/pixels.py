"""Training losses of one task, by name.

Every loss takes the network's raw output and the label of one task and returns a scalar: a mean over the pixels of
the batch whose label counts (:meth:`pamm.tasks.Task.valid`), in float32. With no such pixel it is 0 and still has
gradients (all zero), so that a batch without labels of a task trains the others. The formulas and what they are
divided by are those of the released code; values and gradients agree with it.

The batch may be spread over several processes, some of them without labels of the task. Its counts, over all of them,
come as the last argument, and the mean of the processes' scalars, which is what their gradients are averaged to, is
the loss of the whole batch. Without counts, the labels given are all there are.

A loss of one's own is a function with the same arguments, put into :data:`LOSSES`; ``counts.mean(values, valid)`` is
the mean that fits.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.losses.counts import Counts, count_labels
from pamm.tasks import Task

LossFn = Callable[[Tensor, Tensor, Task, Counts], Tensor]
"""(output (b, channels, H, W), label (b, label_channels, H, W), task, counts of the whole batch) to a scalar."""


def cross_entropy(output: Tensor, label: Tensor, task: Task, counts: Counts | None = None) -> Tensor:
    """Cross-entropy of classes, mean over valid pixels.

    Args:
        output: (b, channels, H, W) logits.
        label: (b, 1, H, W) class numbers.
        task: says which labels to ignore.
        counts: counts of the whole batch, if the labels are not all of it.

    Returns:
        Scalar in nats.

    Example:
        >>> import torch
        >>> from pamm.tasks import Task
        >>> task = Task(name="two", channels=2, kind="classes", loss="cross_entropy", score="miou")
        >>> label = torch.tensor([[[[1, 255]]]])
        >>> cross_entropy(torch.zeros(1, 2, 1, 2), label, task)
        tensor(0.6931)
    """
    valid, counts = task.valid(label), counts or _own(label, task)
    return counts.mean(_class_error(output, label, valid), valid)


def balanced_cross_entropy(output: Tensor, label: Tensor, task: Task, counts: Counts | None = None) -> Tensor:
    """Two-class cross-entropy in which both classes weigh the same, sum over valid pixels divided by their number.

    Positive pixels weigh w, negative ones 1 - w, where w is the task's ``positive_weight`` or, without one, the
    fraction of negatives among the batch's valid pixels. A batch of one class only therefore has loss 0, as in the
    released code.

    Args:
        output: (b, 2, H, W) logits of "no" and "yes".
        label: (b, 1, H, W), 0 or 1.
        task: says which labels to ignore and may fix the weight.
        counts: counts of the whole batch, if the labels are not all of it.

    Returns:
        Scalar in nats.
    """
    valid, counts = task.valid(label), counts or _own(label, task)
    return counts.mean(_class_error(output, label, valid) * _balance(label, valid, counts, task.positive_weight), valid)


def balanced_bce(output: Tensor, label: Tensor, task: Task, counts: Counts | None = None) -> Tensor:
    """Binary cross-entropy with weighted positives, sum over valid pixels divided by their number.

    The weights are those of :func:`balanced_cross_entropy`. The released configs fix w: 0.88 on NYUD-v2 and 0.95 on
    PASCAL-Context.

    Args:
        output: (b, 1, H, W) logits.
        label: (b, 1, H, W) in [0, 1].
        task: says which labels to ignore and may fix the weight.
        counts: counts of the whole batch, if the labels are not all of it.

    Returns:
        Scalar in nats.
    """
    valid, counts = task.valid(label), counts or _own(label, task)
    target = torch.where(valid, label, 0).float()
    error = F.binary_cross_entropy_with_logits(output.float(), target, reduction="none")
    return counts.mean(error * _balance(label, valid, counts, task.positive_weight), valid)


def l1(output: Tensor, label: Tensor, task: Task, counts: Counts | None = None) -> Tensor:
    """Absolute error, mean over the valid pixels and over the channels.

    Args:
        output: (b, channels, H, W), in the label's unit.
        label: (b, channels, H, W).
        task: says which labels to ignore.
        counts: counts of the whole batch, if the labels are not all of it.

    Returns:
        Scalar in the label's unit.
    """
    valid, counts = task.valid(label), counts or _own(label, task)
    return counts.mean(_difference(output.float(), label, valid).mean(dim=1, keepdim=True), valid)


def l2(output: Tensor, label: Tensor, task: Task, counts: Counts | None = None) -> Tensor:
    """Squared error, mean over the valid pixels and over the channels.

    Where two surfaces are equally likely, as at an outline, the mean of both has the smallest squared error and either
    of the two the smallest absolute one: for a score that is a root mean square error this loss fits, though the
    paper's is :func:`l1`.

    Args:
        output: (b, channels, H, W), in the label's unit.
        label: (b, channels, H, W).
        task: says which labels to ignore.
        counts: counts of the whole batch, if the labels are not all of it.

    Returns:
        Scalar in the square of the label's unit.
    """
    valid, counts = task.valid(label), counts or _own(label, task)
    return counts.mean(_difference(output.float(), label, valid).square().mean(dim=1, keepdim=True), valid)


def unit_l1(output: Tensor, label: Tensor, task: Task, counts: Counts | None = None) -> Tensor:
    """Absolute error of the output scaled to unit length: summed over the channels, mean over the valid pixels.

    Args:
        output: (b, channels, H, W), of any length.
        label: (b, channels, H, W) unit vectors.
        task: says which labels to ignore.
        counts: counts of the whole batch, if the labels are not all of it.

    Returns:
        Scalar in [0, 2·sqrt(channels)].
    """
    valid, counts = task.valid(label), counts or _own(label, task)
    direction = F.normalize(output.float(), dim=1, eps=1e-6)
    return counts.mean(_difference(direction, label, valid).sum(dim=1, keepdim=True), valid)


LOSSES: dict[str, LossFn] = {
    "cross_entropy": cross_entropy,
    "balanced_cross_entropy": balanced_cross_entropy,
    "balanced_bce": balanced_bce,
    "l1": l1,
    "l2": l2,
    "unit_l1": unit_l1,
}
"""The losses a task may name; add to it for a task of one's own."""


def _class_error(output: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy per pixel, (b, 1, H, W); what it is at invalid pixels has no meaning."""
    target = torch.where(valid, label, 0).squeeze(1).long()
    return F.cross_entropy(output.float(), target, reduction="none").unsqueeze(1)


def _difference(output: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Absolute error per value; labels that are not numbers, at invalid pixels, do not reach the gradient."""
    return (output - torch.where(valid, label, 0)).abs()


def _balance(label: Tensor, valid: Tensor, counts: Counts, positive_weight: float | None) -> Tensor:
    """Weight of each pixel, of the label's shape: w where it is positive, 1 - w elsewhere."""
    positive = valid & (label > 0.5)
    if positive_weight is not None:
        return torch.where(positive, positive_weight, 1 - positive_weight)
    weight = 1 - counts.positive / counts.valid.clamp(min=1)
    return torch.where(positive, weight, 1 - weight)


def _own(label: Tensor, task: Task) -> Counts:
    """Counts of a label that is all there is."""
    return count_labels({task.name: label}, [task])[task.name]
