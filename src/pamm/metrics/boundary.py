"""Boundary scores: F-measures of lines that are matched one to one within a tolerance.

The chain of the published scores, without MATLAB: a map of probabilities is thinned out to its ridges, cut at many
thresholds, and the pixels of each cut are matched with true ones. Counts are summed over images; the largest F-measure
over thresholds is odsF, one threshold for the whole set.

:func:`image_counts` counts one image, :func:`boundary_scores` turns sums of counts into numbers, and
:class:`BoundaryF` is both with state, for networks.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pamm.metrics.score import Score
from pamm.ops.boundaries.counts import boundary_counts
from pamm.ops.boundaries.suppress import suppress
from pamm.tasks import Task

Counts = NDArray[np.int64]
"""(thresholds, 4): true pixels matched, true pixels, predicted pixels matched, predicted pixels."""


@dataclass(frozen=True, kw_only=True)
class BoundaryProtocol:
    """How boundaries are cut and matched."""

    name: str
    """Name by which it is asked for."""
    thresholds: tuple[float, ...]
    """Ascending cuts of the probability."""
    strict: bool
    """Whether a pixel must be above the threshold, or may be equal to it."""
    tolerance: float
    """Largest distance of a match, as a share of the image's diagonal."""
    suppress: bool
    """Whether the map is reduced to its ridges first (:func:`pamm.ops.boundaries.suppress.suppress`)."""
    truth: str
    """What the stored truth is: ``labels``, a map whose changes are boundaries; ``parts``, the same, with parts of one
    label that do not touch told apart; or ``lines``, the boundaries themselves, of one or more annotators."""

    def __post_init__(self) -> None:
        """Check the tolerance."""
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance is {self.tolerance:g}: give a share of the diagonal, from 0 to below 1")


_SEISM = (0.001, *(step / 100 for step in range(1, 100)), 0.999)
PROTOCOLS: Mapping[str, BoundaryProtocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            # SEISM's "fb" mode (https://doi.org/10.1109/TPAMI.2015.2481406), with the tolerances of multi-task papers
            BoundaryProtocol(
                name="nyud", thresholds=_SEISM, strict=True, tolerance=0.011, suppress=True, truth="labels"
            ),
            BoundaryProtocol(
                name="pascal_context", thresholds=_SEISM, strict=True, tolerance=0.0075, suppress=True, truth="parts"
            ),
            # the Berkeley benchmark (https://doi.org/10.1109/TPAMI.2010.161), which takes maps that are lines already
            BoundaryProtocol(
                name="bsds", thresholds=_SEISM[1:-1], strict=False, tolerance=0.0075, suppress=False, truth="lines"
            ),
        )
    }
)
"""The protocols by name: the published ones of NYUD-v2 and PASCAL-Context, and that of BSDS."""


@dataclass(frozen=True, kw_only=True)
class BoundaryScores:
    """The scores over a set of images, as fractions of 1."""

    odsF: float
    """Largest F-measure over thresholds, of counts summed over images."""
    threshold: float
    """The threshold of odsF."""
    oisF: float
    """F-measure of the counts at each image's own best threshold."""
    AP: float
    """Area under precision over recall: the sum over the 101 points of a grid of recall, over 100, so up to 1.01; 0
    beyond what was reached, and of a curve of one point, as a map of yes and no has."""
    precision: tuple[float, ...]
    """Precision at each threshold."""
    recall: tuple[float, ...]
    """Recall at each threshold."""
    f_measure: tuple[float, ...]
    """F-measure at each threshold."""


def image_counts(
    probability: NDArray[np.floating],
    truths: NDArray[np.generic],
    protocol: BoundaryProtocol,
    *,
    backend: str | None = None,
) -> Counts:
    """Count the boundary pixels of one image at each threshold.

    Args:
        probability: (H, W), of boundaries, 0 to 1.
        truths: (H, W) or (annotators, H, W), not 0 on lines of one pixel.
        protocol: how to cut and match.
        backend: see :func:`pamm.ops.boundaries.counts.boundary_counts`.

    Returns:
        (thresholds, 4): true pixels matched, true pixels, predicted pixels matched, predicted pixels.

    Raises:
        ValueError: if the sizes differ, or a probability is not finite or outside of 0 to 1.
    """
    strength = np.ascontiguousarray(probability, dtype=np.float32)
    if strength.ndim != 2 or not strength.size:
        raise ValueError(f"the probability has shape {strength.shape}: give one map, (H, W)")
    low, high = float(strength.min()), float(strength.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(f"the probability goes from {low:g} to {high:g}: bring it into 0 to 1")
    lines = truths.reshape(-1, *truths.shape[-2:]) != 0
    return boundary_counts(
        suppress(strength) if protocol.suppress else strength,
        lines,
        thresholds=protocol.thresholds,
        tolerance=protocol.tolerance * float(np.hypot(*strength.shape)),
        strict=protocol.strict,
        backend=backend,
    )


def f_measures(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Precision, recall and F-measure of counts.

    Where there is no truth at all, the recall is 1 and the precision 0; where there is truth but no prediction, the
    precision is 1 and the recall 0.

    Args:
        counts: (..., 4), see :func:`image_counts`.

    Returns:
        (3, ...) fractions.

    Example:
        >>> f_measures(np.array([[3, 4, 3, 6], [0, 4, 0, 0], [0, 0, 0, 5]])).round(2)
        array([[0.5 , 1.  , 0.  ],
               [0.75, 0.  , 1.  ],
               [0.6 , 0.  , 0.  ]])
    """
    found, truth, right, predicted = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    recall = np.where(truth > 0, found / np.maximum(truth, 1), 1.0)
    precision = np.where(truth > 0, np.where(predicted > 0, right / np.maximum(predicted, 1), 1.0), 0.0)
    total = precision + recall
    return np.stack((precision, recall, 2 * precision * recall / np.where(total > 0, total, 1)))


def best_counts(counts: NDArray[np.integer]) -> Counts:
    """The counts (4,) of one image (thresholds, 4) at its own best threshold, the lowest of equals."""
    return np.asarray(counts[f_measures(counts)[2].argmax()], dtype=np.int64)


def boundary_scores(
    counts: NDArray[np.integer], best: NDArray[np.integer], protocol: BoundaryProtocol
) -> BoundaryScores:
    """Turn counts into scores.

    Args:
        counts: (thresholds, 4), those of :func:`image_counts` summed over images.
        best: (4,), those of :func:`best_counts` summed over images.
        protocol: the protocol they were counted by.
    """
    precision, recall, f_measure = f_measures(counts)
    top = int(f_measure.argmax())
    return BoundaryScores(
        odsF=float(f_measure[top]),
        threshold=protocol.thresholds[top],
        oisF=float(f_measures(best)[2]),
        AP=_area(precision, recall),
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        f_measure=tuple(f_measure.tolist()),
    )


def _area(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """Area under the curve; of equal recalls the one with the best precision counts."""
    reached, place = np.unique(recall, return_inverse=True)
    if len(reached) < 2:
        return 0.0
    highest = np.zeros(len(reached))
    np.maximum.at(highest, place, precision)
    grid = np.arange(101) / 100
    return float(np.interp(grid, reached, highest, left=0, right=0).sum() / 100)


class BoundaryF(Score):
    """odsF, oisF and AP of one protocol, in percent, of a network's raw outputs.

    Predictions are rounded to 256 levels, as published ones were stored as pictures. Padding, which is what lies
    outside of the smallest rectangle with all labelled pixels, is cut off; images without any label do not count.
    Inside of it, an unlabelled pixel is no boundary: the protocols ignore nothing.
    """

    higher_is_better = True
    headline = "odsF"
    protocol: ClassVar[BoundaryProtocol]
    """How to cut and match."""
    counts: Tensor
    """(thresholds, 4), summed over images."""
    best: Tensor
    """(4,), at each image's best threshold, summed over images."""

    def __init__(self, task: Task) -> None:
        """Score a task of kind "binary" whose labels are lines of one pixel."""
        super().__init__(task)
        self._add("counts", len(self.protocol.thresholds), 4)
        self._add("best", 4)

    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch, its images side by side on torch's number of threads."""
        probability = self.task.decode(output.float()).cpu().numpy()
        labels = label[:, 0].cpu().numpy()
        valid = self.task.valid(label)[:, 0].cpu().numpy()
        boxes = [_box(mask) for mask in valid]
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            images = list(
                pool.map(
                    lambda index: self._image(probability[index, *boxes[index]], labels[index, *boxes[index]]),
                    [index for index, mask in enumerate(valid) if mask.any()],
                )
            )
        for counts in images:
            self.counts += torch.from_numpy(counts).to(self.counts)
            self.best += torch.from_numpy(best_counts(counts)).to(self.best)

    def _image(self, probability: NDArray[np.float32], label: NDArray[Any]) -> Counts:
        return image_counts(np.rint(probability * 255) / np.float32(255), label == 1, self.protocol)

    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
        scores = boundary_scores(self.counts.cpu().numpy(), self.best.cpu().numpy(), self.protocol)
        return {name: torch.tensor(100 * getattr(scores, name)) for name in ("odsF", "oisF", "AP")}


class NYUDBoundaryF(BoundaryF):
    """The published boundary score of NYUD-v2."""

    protocol = PROTOCOLS["nyud"]


class PASCALContextBoundaryF(BoundaryF):
    """The published boundary score of PASCAL-Context."""

    protocol = PROTOCOLS["pascal_context"]


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The smallest rectangle with all marked pixels; the whole map if none is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(None), slice(None)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
