"""Clouds, dice and cells: what surface patterns are made of."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

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
    out: Floats = np.ascontiguousarray(total / (2 * total.std()))
    return out


@lru_cache(maxsize=1)
def _dice() -> Floats:
    return np.random.default_rng(2).random(4096, dtype=np.float32)


def noise(x: Floats, y: Floats) -> Floats:
    """Smooth noise at (x, y), its features about 10 units wide; mean 0, most of it in [-1, 1]."""
    row, column = y.astype(np.int32), x.astype(np.int32)
    row &= _SIDE - 1
    column &= _SIDE - 1
    row *= _SIDE
    row += column
    out: Floats = _clouds().ravel().take(row)
    return out


def chance(*keys: Floats | int) -> Floats:
    """A fixed random number in [0, 1) for each tuple of whole numbers (n,)."""
    code: Any = 0
    for key in keys:
        code = (code * 1103 + (key if isinstance(key, int) else key.astype(np.int64))) % 1000003
    out: Floats = _dice()[code & 4095]
    return out


def mix(first: Floats, second: Floats, share: Floats) -> Floats:
    """Colours (3, n) between two, by share (n,) of the second."""
    return first + (second - first) * share


def cells(values: Floats, width: Floats | float) -> tuple[Floats, Floats]:
    """Number of the cell of each value and its place in it, 0 to 1."""
    place = values / width
    cell = np.floor(place)
    return cell, place - cell


def seam(place: Floats, width: Floats | float, pixel: Floats) -> Floats:
    """How much of a pixel is the seam between cells, 0 to 1.

    Args:
        place: (n,) in the cell, 0 to 1.
        width: of the seam on each side, as a share of the cell.
        pixel: (n,) width of a pixel, as a share of the cell.
    """
    away = np.minimum(place, 1 - place)
    return cover(width - away, pixel) * np.minimum(1, 2 * width / pixel)


def cover(inside: Floats, pixel: Floats) -> Floats:
    """How much of a pixel, 0 to 1, lies in a region whose border is ``inside`` (n,) away, negative outside."""
    return np.clip(inside / pixel + 0.5, 0, 1)
