"""What the best constant prediction scores: the bar that a network must pass to have learnt anything.

The prediction is the same for every pixel of every image and is chosen with the labels of the whole set in hand.
Each class takes in labels in one pass and computes a scalar that is comparable with the headline of the score it is
filed under in :data:`CONSTANTS`. Sums are kept in float64, as a spread is a difference of large numbers, so these
stay on a device that has it.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.metrics.base import TaskMetric
from pamm.metrics.boundary import BoundaryF, NYUDBoundaryF, PASCALContextBoundaryF
from pamm.metrics.functional import BETA_SQUARED
from pamm.tasks import Task


class Constant(TaskMetric):
    """Score of the best constant prediction of one task."""

    @abstractmethod
    def update(self, label: Tensor) -> None:
        """Take in the labels (b, label_channels, H, W) of a batch."""

    @abstractmethod
    def compute(self) -> Tensor:
        """The score, a scalar; 0 if no pixel was valid."""


class _OfValues(Constant):
    """A score that follows from the values of the valid pixels, wherever they are."""

    def update(self, label: Tensor) -> None:
        """Take in the labels (b, label_channels, H, W) of a batch."""
        valid = self.task.valid(label).squeeze(1)
        self._update(label.movedim(1, -1)[valid])

    @abstractmethod
    def _update(self, values: Tensor) -> None:
        """Take in (n, label_channels) values of valid pixels."""


class _Frequency(_OfValues):
    """Counts the pixels of each class."""

    counts: Tensor
    """(classes,)."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._add("counts", task.classes)

    def _update(self, values: Tensor) -> None:
        self.counts += torch.bincount(values[:, 0].round().long(), minlength=self.task.classes)

    @property
    def _fractions(self) -> Tensor:
        fractions: Tensor = self.counts / self.counts.sum().clamp(min=1)
        return fractions


class OneClass(_Frequency):
    """mIoU in percent of the class with the most pixels, everywhere."""

    def compute(self) -> Tensor:
        """The score: the class has its fraction of the pixels as IoU, the others have 0."""
        return 100 * self._fractions.max() / self.task.classes


class AlwaysYes(_Frequency):
    """F-measure in percent of "yes" everywhere ("no" everywhere has 0)."""

    def compute(self) -> Tensor:
        """The score: the precision is the fraction of positives, the recall 1."""
        precision = self._fractions[1]
        return 100 * (1 + BETA_SQUARED) * precision / (BETA_SQUARED * precision + 1)


class BaseRate(_Frequency):
    """Average precision in percent of any constant: the fraction of positives."""

    def compute(self) -> Tensor:
        """The score."""
        return 100 * self._fractions[1]


class MeanValue(_OfValues):
    """RMSE of the mean of the labels (per channel), in their unit."""

    sums: Tensor
    """(2, channels): of the values and of their squares."""
    count: Tensor
    """(), number of pixels."""

    def __init__(self, task: Task) -> None:
        """Take labels of one task."""
        super().__init__(task)
        self._add("sums", 2, task.channels, dtype=torch.float64)
        self._add("count")

    def _update(self, values: Tensor) -> None:
        values = values.double()
        self.sums += torch.stack((values.sum(dim=0), values.square().sum(dim=0)))
        self.count += len(values)

    def compute(self) -> Tensor:
        """The score: the spread of the labels."""
        mean, square = (self.sums / self.count.clamp(min=1)).unbind()
        return (square - mean.square()).mean().clamp(min=0).sqrt()


class OneDirection(_OfValues):
    """Mean angle in degrees to the best single direction.

    Directions are gathered in cells of a grid over their components (33 levels each for three components, so at most
    4 degrees wide) and each cell is then taken as its mean direction. Candidates are these directions of the fullest
    cells and the mean of all. For labels spread within cells the score is exact to a fraction of the cell's width.
    """

    candidates = 1024
    sums: Tensor
    """(cells, channels): sum of the unit vectors in each cell."""
    counts: Tensor
    """(cells,)."""

    def __init__(self, task: Task) -> None:
        """Take labels of one task."""
        super().__init__(task)
        self.levels = max(2, int(36_000 ** (1 / task.channels)))
        cells = self.levels**task.channels
        self._add("sums", cells, task.channels, dtype=torch.float64)
        self._add("counts", cells)

    def _update(self, values: Tensor) -> None:
        vectors = F.normalize(values.double(), dim=-1)
        levels = ((vectors + 1) / 2 * (self.levels - 1)).round().long()
        places = torch.tensor([self.levels**place for place in range(self.task.channels)], device=values.device)
        cells = (levels * places).sum(dim=-1)
        self.sums.index_add_(0, cells, vectors)
        self.counts += torch.bincount(cells, minlength=len(self.counts))

    def compute(self) -> Tensor:
        """The score."""
        order = self.counts.argsort(descending=True)
        order = order[self.counts[order] > 0]
        if len(order) == 0:
            return self.sums.new_tensor(0.0)
        means = F.normalize(self.sums[order], dim=-1)
        candidates = torch.cat((F.normalize(self.sums.sum(dim=0, keepdim=True), dim=-1), means[: self.candidates]))
        degrees = torch.rad2deg((means @ candidates.T).clamp(-1, 1).acos())  # (cells, candidates)
        weights = self.counts[order].double()
        best: Tensor = (weights @ degrees).min() / weights.sum()
        return best


class _BoundaryEverywhere(Constant):
    """odsF in percent of a boundary at every pixel, of which suppression and thinning leave a skeleton."""

    score: ClassVar[type[BoundaryF]]
    """The score by whose protocol it is judged."""

    def __init__(self, task: Task) -> None:
        """Take labels of one task."""
        super().__init__(task)
        self.inner = self.score(task)

    def update(self, label: Tensor) -> None:
        """Take in the labels (b, 1, H, W) of a batch."""
        output = torch.zeros(len(label), self.task.channels, *label.shape[2:], device=label.device)
        output[:, -1] = 60
        self.inner.update(output, label)

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.inner.reset()

    def compute(self) -> Tensor:
        """The score."""
        return self.inner.compute()[self.inner.headline]


class NYUDBoundaryEverywhere(_BoundaryEverywhere):
    """By the protocol of NYUD-v2."""

    score = NYUDBoundaryF


class PASCALContextBoundaryEverywhere(_BoundaryEverywhere):
    """By the protocol of PASCAL-Context."""

    score = PASCALContextBoundaryF


class Unknown(Constant):
    """Not a number, for a score whose best constant is not known."""

    def update(self, label: Tensor) -> None:
        """Take in the labels of a batch."""

    def compute(self) -> Tensor:
        """Not a number."""
        return torch.tensor(torch.nan)


CONSTANTS: dict[str, type[Constant]] = {
    "miou": OneClass,
    "max_f": AlwaysYes,
    "boundary": BaseRate,
    "odsf_nyud": NYUDBoundaryEverywhere,
    "odsf_pascal_context": PASCALContextBoundaryEverywhere,
    "rmse": MeanValue,
    "angle": OneDirection,
}
"""By the name of the score, as in :data:`pamm.metrics.SCORES`."""


def best_constants(tasks: Iterable[Task]) -> dict[str, Constant]:
    """The best constant of each task, by task name; for a score not in :data:`CONSTANTS` it computes to NaN."""
    return {task.name: CONSTANTS.get(task.score, Unknown)(task) for task in tasks}
