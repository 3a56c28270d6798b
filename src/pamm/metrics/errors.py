"""Errors of values and of directions as pure functions, in the manner of :mod:`pamm.metrics.functional`."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.metrics.functional import binned
from pamm.tasks import Task

ANGLE_BINS = 3600
"""Bins of the angle, 0.05 degrees each, in which direction pixels are counted."""
SMALLEST = 1e-3
"""Smallest prediction whose logarithm counts as it is, in the unit of the task."""


class Regression(NamedTuple):
    """Sums over the values of valid pixels; the last three only for tasks whose values are positive."""

    sums: Tensor
    """(4,) float: of the squared error, of the squared error of the logarithm, and of the absolute and the squared
    error each divided by the label."""
    number: Tensor
    """() int64, number of valid pixels, times the channels."""


class Angles(NamedTuple):
    """Sums over valid pixels."""

    total: Tensor
    """() float, degrees."""
    histogram: Tensor
    """(ANGLE_BINS,) int64, number of pixels by angle."""


def regression_update(output: Tensor, label: Tensor, task: Task) -> Regression:
    """Sum the errors of values.

    Args:
        output: (b, channels, H, W), in the label's unit. It is raised to the low end of the task's ``valid_range``
            (depth: 0), as in the published protocol; the high end does not limit it.
        label: (b, channels, H, W).
        task: the task, of kind "regression".

    Returns:
        Sums and their count.
    """
    valid = task.valid(label).expand_as(label)
    truth = label[valid].float()
    guess = output[valid].float()
    relative = torch.zeros(3, device=guess.device)
    if task.valid_range is not None:
        guess = guess.clamp(min=task.valid_range[0])
    error = guess - truth
    if _positive(task):
        log_error = guess.clamp(min=SMALLEST).log() - truth.log()
        relative = torch.stack((log_error.square().sum(), (error.abs() / truth).sum(), (error.square() / truth).sum()))
    return Regression(torch.cat((error.square().sum().view(1), relative)), valid.sum())


def regression_compute(state: Regression, task: Task) -> dict[str, Tensor]:
    """Root mean squared error.

    Args:
        state: sums over the set.
        task: the task; for one whose values are all positive the errors relative to them are added.

    Returns:
        ``RMSE`` in the task's unit; with positive values also ``log_RMSE`` (natural logarithm), ``abs_rel`` and
        ``sq_rel`` (in the unit).

    Example:
        >>> import torch
        >>> from pamm.tasks import TASKS
        >>> state = Regression(torch.tensor([8.0, 0.5, 1.0, 4.0]), torch.tensor(2))
        >>> regression_compute(state, TASKS["depth"])
        {'RMSE': tensor(2.), 'log_RMSE': tensor(0.5000), 'abs_rel': tensor(0.5000), 'sq_rel': tensor(2.)}
    """
    square, log_square, absolute, relative = (state.sums / state.number.clamp(min=1)).unbind()
    scores = {"RMSE": square.sqrt()}
    if _positive(task):
        scores |= {"log_RMSE": log_square.sqrt(), "abs_rel": absolute, "sq_rel": relative}
    return scores


def angle(first: Tensor, second: Tensor) -> Tensor:
    """Angle between vectors, accurate for small and for large angles alike.

    Args:
        first: (n, channels), of any length but 0.
        second: (..., n, channels) likewise.

    Returns:
        (..., n) degrees in [0, 180].

    Example:
        >>> import torch
        >>> angle(torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([[0.0, 1.0, 1.0]]))
        tensor([45.])
    """
    first, second = F.normalize(first, dim=-1), F.normalize(second, dim=-1)
    return torch.rad2deg(2 * torch.atan2((first - second).norm(dim=-1), (first + second).norm(dim=-1)))


def angle_update(output: Tensor, label: Tensor, task: Task) -> Angles:
    """Sum and count the angles between output and label.

    Args:
        output: (b, channels, H, W), of any length.
        label: (b, channels, H, W) unit vectors.
        task: the task, of kind "direction".

    Returns:
        Sum and counts.
    """
    valid = task.valid(label).squeeze(1)
    degrees = angle(output.float().movedim(1, -1)[valid], label.float().movedim(1, -1)[valid])
    # what is not a number counts as opposite, not as right
    counts = torch.bincount(binned(degrees.nan_to_num(nan=180.0), ANGLE_BINS, 180.0), minlength=ANGLE_BINS)
    return Angles(degrees.sum(), counts)


def angle_compute(state: Angles) -> dict[str, Tensor]:
    """Mean angle, median, and how many pixels are below the usual limits.

    Args:
        state: sums over the set.

    Returns:
        ``mErr`` and ``median`` in degrees (the median to a bin's width of 0.05), ``within_11.25``, ``within_22.5`` and
        ``within_30`` in percent.
    """
    pixels = state.histogram.sum()
    width = 180 / ANGLE_BINS
    below = state.histogram.cumsum(0)
    middle = torch.searchsorted(below, (pixels + 1) // 2)
    return {
        "mErr": state.total / pixels.clamp(min=1),
        "median": torch.where(pixels > 0, (middle + 0.5) * width, 0.0),
        **{
            f"within_{limit:g}": 100 * below[math.ceil(limit / width) - 1] / pixels.clamp(min=1)
            for limit in (11.25, 22.5, 30.0)
        },
    }


def _positive(task: Task) -> bool:
    return task.valid_range is not None and task.valid_range[0] >= 0
