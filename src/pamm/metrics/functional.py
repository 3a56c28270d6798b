"""Scores of yes/no questions and of classes as pure functions.

An update turns one batch into counts or sums, a compute turns these into numbers. What the updates of several batches,
or of several processes, return may be added in any order. All are over the valid pixels of the whole set (not means of
images), which is the protocol of the multi-task papers. Computes return named scalars; with nothing valid these are 0.
Percentages are 0 to 100.
"""

from typing import Literal

import torch
from torch import Tensor

from pamm.tasks import Task

Protocol = Literal["published", "plain"]

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""Cuts of the probability at which the F-measure is taken: 0.05 to 0.95."""
BETA_SQUARED = 0.3
"""Weight of recall against precision in the F-measure."""
PROBABILITY_BINS = 1024
"""Bins of the probability, equally wide, in which boundary pixels are counted."""


def class_update(output: Tensor, label: Tensor, task: Task) -> Tensor:
    """Count the pixels of each class.

    Args:
        output: (b, channels, H, W) logits.
        label: (b, 1, H, W) class numbers.
        task: the task, of kind "classes" or "binary".

    Returns:
        (3, classes) int64: true positives, false positives and false negatives of each class.

    Raises:
        ValueError: if a label is no class of the task.
    """
    valid = task.valid(label).squeeze(1)
    truth = label.squeeze(1)[valid].long()
    guess = task.decode(output)
    guess = guess[valid] if task.kind == "classes" else guess[valid] >= 0.5
    guess = guess.long()
    hit = _count(truth[guess == truth], task)
    return torch.stack((hit, _count(guess, task) - hit, _count(truth, task) - hit))


def class_compute(counts: Tensor) -> dict[str, Tensor]:
    """Mean intersection over union, over **all** classes: one that never occurs counts 0.

    Args:
        counts: (3, classes), see :func:`class_update`.

    Returns:
        ``mIoU`` and ``pixel_accuracy``, both in percent.

    Example:
        >>> import torch
        >>> class_compute(torch.tensor([[2, 1, 0], [1, 0, 0], [0, 1, 0]]))
        {'mIoU': tensor(38.8889), 'pixel_accuracy': tensor(75.)}
    """
    hit, _, missed = counts.unbind()
    return {
        "mIoU": 100 * class_iou(counts).mean(),
        "pixel_accuracy": 100 * hit.sum() / (hit + missed).sum().clamp(min=1),
    }


def class_iou(counts: Tensor) -> Tensor:
    """Intersection over union of each class, (classes,) in [0, 1], from the counts of :func:`class_update`."""
    iou: Tensor = counts[0] / counts.sum(dim=0).clamp(min=1)
    return iou


def f_update(output: Tensor, label: Tensor, task: Task, protocol: Protocol) -> Tensor:
    """Count the pixels by how many thresholds their probability reaches.

    Args:
        output: (b, channels, H, W) logits.
        label: (b, 1, H, W), 0 or 1.
        task: the task, of kind "binary".
        protocol: "plain" cuts the probability; "published" passes it through a sigmoid once more, as the released
            code does, so that only the cuts p ≥ 0, 0.2007, 0.4055, 0.6190 and 0.8473 act.

    Returns:
        (2, thresholds + 1) int64: negative and positive pixels that reach exactly 0, 1, ... thresholds.
    """
    probability, positive = _yes_no(output, label, task)
    if protocol == "published":
        probability = probability.sigmoid()
    thresholds = probability.new_tensor(THRESHOLDS)
    return _count_by(torch.bucketize(probability, thresholds, right=True), positive, len(THRESHOLDS) + 1)


def f_compute(counts: Tensor) -> Tensor:
    """Largest F-measure over the thresholds, with beta² = 0.3.

    Args:
        counts: (2, thresholds + 1), see :func:`f_update`.

    Returns:
        Scalar in percent.

    Example:
        >>> import torch
        >>> f_compute(torch.tensor([[8, 0, 1], [0, 0, 1]]))
        tensor(56.5217)
    """
    negative, positive = _from_top(counts)[:, 1:].unbind()
    found = positive / counts[1].sum().clamp(min=1)
    precision = positive / (positive + negative).clamp(min=1)
    low = (BETA_SQUARED * precision + found).clamp(min=torch.finfo(found.dtype).tiny)
    return 100 * ((1 + BETA_SQUARED) * precision * found / low).max()


def precision_update(output: Tensor, label: Tensor, task: Task) -> Tensor:
    """Count the pixels by probability.

    Args:
        output: (b, channels, H, W) logits.
        label: (b, 1, H, W), 0 or 1.
        task: the task, of kind "binary".

    Returns:
        (2, PROBABILITY_BINS) int64: negative and positive pixels in each bin.
    """
    probability, positive = _yes_no(output, label, task)
    return _count_by(binned(probability, PROBABILITY_BINS, 1.0), positive, PROBABILITY_BINS)


def precision_compute(counts: Tensor) -> dict[str, Tensor]:
    """Average precision of single pixels: the precision at each cut, weighted by the recall gained there.

    Args:
        counts: (2, bins), see :func:`precision_update`. Pixels of one bin are taken together.

    Returns:
        ``AP`` and ``base_rate``, the fraction of positive pixels, which a prediction without information reaches;
        both in percent.

    Example:
        >>> import torch
        >>> precision_compute(torch.tensor([[5, 1, 0], [1, 0, 1]]))
        {'AP': tensor(62.5000), 'base_rate': tensor(25.)}
    """
    negative, positive = _from_top(counts).unbind()
    truth = counts[1].sum()
    precision = positive / (negative + positive).clamp(min=1)
    return {
        "AP": 100 * (counts[1] * precision).sum() / truth.clamp(min=1),
        "base_rate": 100 * truth / counts.sum().clamp(min=1),
    }


def binned(values: Tensor, bins: int, top: float) -> Tensor:
    """Number of the bin, of equal ones from 0 to ``top``, that each value is in; beyond them, the nearest."""
    return (values * (bins / top)).long().clamp(0, bins - 1)


def _yes_no(output: Tensor, label: Tensor, task: Task) -> tuple[Tensor, Tensor]:
    """Probability and truth of the valid pixels, each (n,)."""
    valid = task.valid(label).squeeze(1)
    return task.decode(output.float())[valid], label.squeeze(1)[valid] > 0.5


def _count(classes: Tensor, task: Task) -> Tensor:
    counts = torch.bincount(classes, minlength=task.classes)
    if len(counts) > task.classes:
        raise ValueError(
            f"task {task.name}: got label {len(counts) - 1}, but the classes are 0 to {task.classes - 1} "
            f"and {task.ignore:g} for none: correct the label maps or the task's channels"
        )
    return counts


def _count_by(bins: Tensor, positive: Tensor, length: int) -> Tensor:
    return torch.bincount(bins + length * positive, minlength=2 * length).view(2, length)


def _from_top(counts: Tensor) -> Tensor:
    """Number of pixels in each bin and those above."""
    return counts.flip(-1).cumsum(-1).flip(-1)
