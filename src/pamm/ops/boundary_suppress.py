"""From a map of probabilities to lines: smoothing, orientation and non-maximum suppression of boundaries."""

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RADIUS = 4
"""Radius in pixels of the triangle filter before the orientation is taken."""
MARGIN = 5
"""Width in pixels of the image's border over which boundaries fade out."""
SLACK = 1.01
"""Factor by which a pixel may fall short of its neighbours and still stay."""


def suppress(strength: Floats) -> Floats:
    """Keep the ridges of a map of boundaries.

    A pixel stays if it is no weaker than the map one pixel away on both sides of the boundary, whose direction
    follows from the second derivatives of the smoothed map (Dollár and Zitnick, https://arxiv.org/abs/1406.5549,
    section 2.3; as run by the published boundary scores).

    Args:
        strength: (H, W) float32.

    Returns:
        (H, W) float32: the strength where it stays, fading out towards the image's border, else 0.
    """
    angle = orientation(strength)
    lines = np.zeros_like(strength)
    place = np.nonzero(strength)
    for side in (1, -1):
        row = place[0] + side * np.sin(angle[place])
        column = place[1] + side * np.cos(angle[place])
        stays = strength[place] * np.float32(SLACK) >= _bilinear(strength, row, column)
        place = (place[0][stays], place[1][stays])
    lines[place] = strength[place]
    fade_rows, fade_columns = map(_fade, strength.shape)
    return np.asarray(lines * fade_rows[:, None] * fade_columns, dtype=np.float32)


def orientation(strength: Floats) -> NDArray[np.float64]:
    """Direction across the boundary at each pixel, (H, W) radians in [0, π), 0 along x, turning towards rows below.

    In float64: where the map is flat, a sign hangs on the rounding.
    """
    rise = np.arange(1.0, RADIUS + 2)
    kernel = np.concatenate((rise, rise[-2::-1])) / (RADIUS + 1) ** 2
    smooth = cv2.sepFilter2D(strength, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    along_y, along_x = _gradient(np.asarray(smooth, dtype=np.float64))
    xx = _gradient(along_x)[1]
    yy, xy = _gradient(along_y)
    return np.asarray(np.mod(np.arctan(yy * np.sign(-xy) / (xx + 1e-5)), np.pi), dtype=np.float64)


def _gradient(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Central differences along rows and columns, one-sided at the ends; 0 along a side of one pixel."""
    down, right = (
        np.gradient(values, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values) for axis in (0, 1)
    )
    return down, right


def _bilinear(values: Floats, row: NDArray[np.float64], column: NDArray[np.float64]) -> Floats:
    """Values between pixels; beyond the image, those of its border."""
    height, width = values.shape
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    top, left = (
        np.minimum(row.astype(np.intp), max(height - 2, 0)),
        np.minimum(column.astype(np.intp), max(width - 2, 0)),
    )
    down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
    below, beside = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    upper = values[top, left] * (1 - right) + values[top, beside] * right
    lower = values[below, left] * (1 - right) + values[below, beside] * right
    return np.asarray(upper * (1 - down) + lower * down, dtype=np.float32)


def _fade(side: int) -> Floats:
    """Factors along a side of the image: from 0 at its ends to 1."""
    margin = min(MARGIN, side // 2)
    distance = np.minimum(np.arange(side), np.arange(side)[::-1])
    return np.minimum(distance / max(margin, 1), 1).astype(np.float32)
