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
_SHIFTED = {-1: slice(None, -2), 0: slice(1, -1), 1: slice(2, None)}
"""Rows or columns of a map with a margin of one, for the pixels one before, at, and one after."""


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
    across, down = _direction(strength)
    right, below = np.abs(across), np.abs(down)
    falling = across * down >= 0
    around = np.pad(strength, 1, mode="edge")

    def beside(side: int) -> Floats:
        """The map one pixel away, to the right (1) or to the left (-1), between four pixels bilinearly."""
        near = strength + (around[_SHIFTED[0], _SHIFTED[side]] - strength) * right
        far = np.where(falling, around[_SHIFTED[side], 1:-1], around[_SHIFTED[-side], 1:-1])
        corner = np.where(falling, around[_SHIFTED[side], _SHIFTED[side]], around[_SHIFTED[-side], _SHIFTED[side]])
        return np.asarray(near + (far + (corner - far) * right - near) * below, dtype=np.float32)

    own = strength * np.float32(SLACK)
    lines = np.where((own >= beside(1)) & (own >= beside(-1)), strength, 0)
    fade_rows, fade_columns = map(_fade, strength.shape)
    return np.asarray(lines * fade_rows[:, None] * fade_columns, dtype=np.float32)


def _direction(strength: Floats) -> tuple[Floats, Floats]:
    """Unit vectors across the boundary at each pixel: columns to the right, rows down; either sense.

    Derivatives are in float64: where the map is flat, a sign hangs on the rounding. Where the mixed derivative is
    exactly 0, as along a drawn level line, the sign and with it the way down is 0: as in the original.
    """
    rise = np.arange(1.0, RADIUS + 2)
    kernel = np.concatenate((rise, rise[-2::-1])) / (RADIUS + 1) ** 2
    smooth = cv2.sepFilter2D(strength, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    along_y, along_x = _gradient(np.asarray(smooth, dtype=np.float64))
    across = _gradient(along_x)[1] + 1e-5
    yy, xy = _gradient(along_y)
    down = yy * np.sign(-xy)
    length = np.hypot(across, down)
    length[length == 0] = 1
    return (across / length).astype(np.float32), (down / length).astype(np.float32)


def _gradient(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Central differences along rows and columns, one-sided at the ends; 0 along a side of one pixel."""
    down, right = (
        np.gradient(values, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values) for axis in (0, 1)
    )
    return down, right


def _fade(side: int) -> Floats:
    """Factors along a side of the image: from 0 at its ends to 1."""
    margin = min(MARGIN, side // 2)
    distance = np.minimum(np.arange(side), np.arange(side)[::-1])
    return np.minimum(distance / max(margin, 1), 1).astype(np.float32)
