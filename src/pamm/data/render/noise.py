"""Clouds, dice and cells: what surface patterns are made of."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.data.render.camera import Floats

_SIDE = 512


@lru_cache(maxsize=1)
def _clouds() -> Floats:
    """Smooth noise (512, 512) that repeats, mean 0, most of it in [-1, 1]."""
    white = np.random.default_rng(1).standard_normal((_SIDE, _SIDE)).astype(np.float32)
    total = np.zeros_like(white)
    for sigma in (2.0, 5.0, 14.0):
        margin = int(4 * sigma)
        wide = cv2.copyMakeBorder(white, margin, margin, margin, margin, cv2.BORDER_WRAP)
        smooth = cv2.GaussianBlur(wide, (0, 0), sigma)[margin:-margin, margin:-margin]
        total += smooth / smooth.std()
    out: Floats = total / (2 * total.std())
    return out


@lru_cache(maxsize=1)
def _dice() -> Floats:
    return np.random.default_rng(2).random(4096, dtype=np.float32)


def noise(x: Floats, y: Floats) -> Floats:
    """Smooth noise at (x, y), its features about 10 units wide; mean 0, most of it in [-1, 1]."""
    out: Floats = _clouds()[y.astype(np.int32) & (_SIDE - 1), x.astype(np.int32) & (_SIDE - 1)]
    return out


def chance(*keys: NDArray[np.integer] | int) -> Floats:
    """A fixed random number in [0, 1) for each tuple of whole numbers (n,)."""
    code: Any = 0
    for key in keys:
        code = (code * 1103 + key) % 1000003
    out: Floats = _dice()[code & 4095]
    return out


def mix(first: Floats, second: Floats, share: Floats) -> Floats:
    """Colours (n, 3) between two, by share (n,) of the second."""
    return first + (second - first) * share[:, None]


def cells(values: Floats, width: Floats | float) -> tuple[NDArray[np.int64], Floats]:
    """Number of the cell of each value and its place in it, 0 to 1."""
    place = values / width
    cell = np.floor(place)
    return cell.astype(np.int64), place - cell


def line(place: Floats, share: Floats | float) -> NDArray[np.bool_]:
    """Whether a place in a cell lies on the seam between cells."""
    return (place < share) | (place > 1 - share)
