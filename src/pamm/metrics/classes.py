"""Scores with state, summed over batches and over processes.

They hold what :mod:`pamm.metrics.functional` and :mod:`pamm.metrics.errors` count: ``Score(task)``, then
``update(output, label)`` with the network's raw output (b, channels, H, W) and the label (b, label_channels, H, W),
then ``compute()``, which returns named scalars, the headline first. Sums are kept in float32, so that a score follows
a model to any device.
"""

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

from pamm.metrics import errors, functional
from pamm.metrics.boundary import NYUDBoundaryF, PASCALContextBoundaryF
from pamm.metrics.errors import ANGLE_BINS, Angles, Regression
from pamm.metrics.functional import PROBABILITY_BINS, THRESHOLDS, Protocol
from pamm.metrics.score import Score
from pamm.tasks import Task


class MeanIoU(Score):
    """Mean intersection over union over all classes, see :func:`~pamm.metrics.functional.class_compute`."""

    higher_is_better = True
    headline = "mIoU"
    counts: Tensor
    """(3, classes), see :func:`~pamm.metrics.functional.class_update`."""

    def __init__(self, task: Task) -> None:
        """Score a task of kind "classes" (or "binary", as two classes)."""
        super().__init__(task)
        self._add("counts", 3, task.classes)

    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch."""
        self.counts += functional.class_update(output, label, self.task)

    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
        return functional.class_compute(self.counts)


class MaxF(Score):
    """Largest F-measure over thresholds, by the published protocol and plainly.

    ``maxF`` follows the published protocol, in which the probability passes a sigmoid twice, so that it can be set
    beside the papers' numbers; ``maxF_plain`` cuts the probability itself.
    """

    higher_is_better = True
    names: ClassVar[dict[Protocol, str]] = {"published": "maxF", "plain": "maxF_plain"}

    def __init__(self, task: Task, *, protocol: Protocol = "published") -> None:
        """Score a task of kind "binary".

        Args:
            task: the task.
            protocol: which of the two is the headline.
        """
        super().__init__(task)
        self.headline = self.names[protocol]
        for name in self.names.values():
            self._add(name, 2, len(THRESHOLDS) + 1)

    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch."""
        for protocol, name in self.names.items():
            getattr(self, name).add_(functional.f_update(output, label, self.task, protocol))

    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
        names = sorted(self.names.values(), key=lambda name: name != self.headline)
        return {name: functional.f_compute(getattr(self, name)) for name in names}


class BoundaryPrecision(Score):
    """Average precision of boundary pixels, each judged where it is, without tolerance."""

    higher_is_better = True
    headline = "AP"
    counts: Tensor
    """(2, bins), see :func:`~pamm.metrics.functional.precision_update`."""

    def __init__(self, task: Task) -> None:
        """Score a task of kind "binary"."""
        super().__init__(task)
        self._add("counts", 2, PROBABILITY_BINS)

    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch."""
        self.counts += functional.precision_update(output, label, self.task)

    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
        return functional.precision_compute(self.counts)


class RootMeanSquare(Score):
    """Root mean squared error over all valid values, see :func:`~pamm.metrics.errors.regression_update`."""

    higher_is_better = False
    headline = "RMSE"
    sums: Tensor
    """(4,), see :class:`~pamm.metrics.errors.Regression`."""
    number: Tensor
    """(), number of values."""

    def __init__(self, task: Task) -> None:
        """Score a task of kind "regression", with any number of channels."""
        super().__init__(task)
        self._add("sums", 4, dtype=torch.float32)
        self._add("number")

    @property
    def unit(self) -> str:
        """Unit of the headline."""
        return self.task.unit

    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch."""
        batch = errors.regression_update(output, label, self.task)
        self.sums += batch.sums
        self.number += batch.number

    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
        return errors.regression_compute(Regression(self.sums, self.number), self.task)


class MeanAngle(Score):
    """Mean angle between directions over all valid pixels, see :func:`~pamm.metrics.errors.angle_compute`."""

    higher_is_better = False
    headline = "mErr"
    total: Tensor
    """(), degrees."""
    histogram: Tensor
    """(bins,), see :class:`~pamm.metrics.errors.Angles`."""

    def __init__(self, task: Task) -> None:
        """Score a task of kind "direction"."""
        super().__init__(task)
        self._add("total", dtype=torch.float32)
        self._add("histogram", ANGLE_BINS)

    @property
    def unit(self) -> str:
        """Unit of the headline."""
        return "°"

    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch."""
        batch = errors.angle_update(output, label, self.task)
        self.total += batch.total
        self.histogram += batch.histogram

    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
        return errors.angle_compute(Angles(self.total, self.histogram))


SCORES: dict[str, type[Score]] = {
    "miou": MeanIoU,
    "max_f": MaxF,
    "boundary": BoundaryPrecision,
    "odsf_nyud": NYUDBoundaryF,
    "odsf_pascal_context": PASCALContextBoundaryF,
    "rmse": RootMeanSquare,
    "angle": MeanAngle,
}
"""The scores a task may name; add to it for a task of one's own."""


def task_scores(tasks: Iterable[Task]) -> dict[str, Score]:
    """A fresh score for each task, by task name.

    Raises:
        ValueError: if a task names an unknown score.
    """
    scores = {}
    for task in tasks:
        if task.score not in SCORES:
            raise ValueError(
                f"task {task.name}: no score named {task.score!r}; known: {', '.join(SCORES)}; "
                "others: pamm.metrics.SCORES"
            )
        scores[task.name] = SCORES[task.score](task)
    return scores
