"""What thinning and matching of boundaries read: predicted pixels by the level they enter at, and true ones."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
"""The eight neighbours of a pixel as (rows down, columns right), from the east against the clock."""


@dataclass(frozen=True, kw_only=True)
class LevelMap:
    """Pixels as numbers of a grid with so wide a margin that no neighbour and no reach leaves it."""

    pixels: NDArray[np.int64]
    """(n,) predicted pixels that pass at least one threshold, the strongest first."""
    levels: NDArray[np.int64]
    """(n,) how many thresholds each passes."""
    truth: NDArray[np.int64]
    """(g,) true pixels, annotator after annotator."""
    truth_starts: NDArray[np.int64]
    """(A + 1,) where each annotator's begin, and their end."""
    reach: NDArray[np.int64]
    """Steps to the pixels within the tolerance, the nearest first."""
    stride: int
    """Step to the row below."""
    size: int
    """Number of pixels of the grid."""


def level_map(levels: NDArray[np.integer], truths: NDArray[np.bool_], tolerance: float) -> LevelMap:
    """Sort the pixels.

    Args:
        levels: (H, W), how many thresholds each pixel passes.
        truths: (A, H, W) true boundaries of each annotator.
        tolerance: largest distance of a match in pixels.
    """
    margin = math.floor(tolerance) + 1
    height, width = levels.shape
    stride = width + 2 * margin
    flat = np.flatnonzero(levels)
    entered = levels.ravel()[flat].astype(np.int64)
    order = np.argsort(-entered, kind="stable")
    annotator, row, column = np.nonzero(truths)
    return LevelMap(
        pixels=_numbered(*np.divmod(flat[order], width), margin, stride),
        levels=entered[order],
        truth=_numbered(row, column, margin, stride),
        truth_starts=np.searchsorted(annotator, np.arange(len(truths) + 1)).astype(np.int64),
        reach=np.array([down * stride + right for down, right in offsets_within(tolerance)], dtype=np.int64),
        stride=stride,
        size=(height + 2 * margin) * stride,
    )


def _numbered(row: NDArray[np.integer], column: NDArray[np.integer], margin: int, stride: int) -> NDArray[np.int64]:
    return ((row + margin) * stride + column + margin).astype(np.int64)


def offsets_within(tolerance: float) -> list[tuple[int, int]]:
    """The steps (rows, columns) of at most a length in pixels, the shortest first."""
    side = range(-math.floor(tolerance), math.floor(tolerance) + 1)
    inside = [step for step in product(side, side) if math.hypot(*step) <= tolerance]
    return sorted(inside, key=lambda step: math.hypot(*step))


def thinning_table() -> NDArray[np.uint8]:
    """Which neighbourhoods let a pixel go in thinning, in the first pass (1), the second (2), or both (3).

    The conditions of Guo and Hall's algorithm A1 in the form of Lam, Lee and Suen
    (https://doi.org/10.1109/34.161346), as MATLAB and scikit-image have them too.

    Returns:
        (256,), by a number whose bit ``i`` says that neighbour ``i`` of :data:`NEIGHBOURS` is set.
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1  # (256, 8)
    x = {number + 1: bits[:, number] for number in range(8)} | {9: bits[:, 0]}
    crossings = sum((~x[2 * i - 1] & (x[2 * i] | x[2 * i + 1])).astype(int) for i in range(1, 5))
    pairs = np.minimum(
        sum((x[2 * i - 1] | x[2 * i]).astype(int) for i in range(1, 5)),
        sum((x[2 * i] | x[2 * i + 1]).astype(int) for i in range(1, 5)),
    )
    removable = (crossings == 1) & (pairs >= 2) & (pairs <= 3)
    first = removable & ~((x[2] | x[3] | ~x[8]) & x[1])
    second = removable & ~((x[6] | x[7] | ~x[4]) & x[5])
    return np.asarray(first + 2 * second, dtype=np.uint8)
