"""Orders in which a scan visits the cells of a grid: Hilbert, generalised Hilbert, Z, serpentine and raster.

Cells are numbered row by row, ``row * width + column``. Direction q of a kind is its direction 0 with the grid
turned by q · 90° counter-clockwise; directions 4 to 7 are directions 0 to 3 walked backwards.

The kinds ``hilbert``, ``z`` and ``serpentine`` follow the released code of PAMM: number a whole square, turn it, cut
out the top-left H×W cells and sort them by number. The square's side is max(H, W), rounded up to a power of two for
``hilbert`` only. Where the grid is not that square, the cut makes the curve jump.
``gilbert`` has no such jumps: it is drawn for the rectangle itself.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ScanKind = Literal["hilbert", "gilbert", "z", "serpentine", "raster"]
DIRECTIONS = (1, 2, 4, 8)
"""Numbers of directions a scan may have."""

Ints = NDArray[np.int64]


def scan_orders(kind: ScanKind, height: int, width: int, directions: int = 4) -> Tensor:
    """Orders in which a scan visits a grid.

    Args:
        kind: ``hilbert``, ``z`` (Morton) and ``serpentine`` (rows alternate) on the enclosing square, ``gilbert``
            (generalised Hilbert curve: neighbours in the order are always neighbours on the grid) and ``raster``
            (row by row) on the rectangle itself.
        height: rows of the grid, 1 or more.
        width: columns of the grid, 1 or more.
        directions: how many orders, 1, 2, 4 or 8. The first four are turned by 0°, 90°, 180° and 270°
            counter-clockwise, the other four are their reversals.

    Returns:
        (directions, height * width) int64 on the CPU: row k holds the row-major positions in the order of visit. The
        tensor belongs to the caller.

    Raises:
        ValueError: if the kind or the number of directions is unknown, or the grid is empty.

    Source:
        PAMM (arXiv 2511.14503), multi-directional Hilbert scanning. The kinds ``gilbert`` and ``raster`` and the
        8 directions are ours.

    Example:
        >>> scan_orders("hilbert", 2, 2, directions=2).tolist()
        [[0, 2, 3, 1], [2, 3, 1, 0]]
    """
    if kind not in get_args(ScanKind):
        raise ValueError(f"unknown scan kind {kind!r}; choose one of {', '.join(get_args(ScanKind))}")
    check_grid(height, width, directions)
    return torch.from_numpy(_orders(kind, height, width, directions).copy())


def check_grid(height: int, width: int, directions: int) -> None:
    """See that there is something to visit, in a known number of directions; see :func:`scan_orders`.

    Raises:
        ValueError: if the number of directions is unknown, or the grid is empty.
    """
    if directions not in DIRECTIONS:
        raise ValueError(f"a scan has 1, 2, 4 or 8 directions, got {directions!r}")
    if height < 1 or width < 1:
        raise ValueError(f"the grid needs at least one row and one column, got {height} × {width}")


@lru_cache(maxsize=256)
def _orders(kind: ScanKind, height: int, width: int, directions: int) -> Ints:
    number = _gilbert_numbers if kind == "gilbert" else _square_numbers
    turns = [np.argsort(number(kind, height, width, q), kind="stable") for q in range(min(directions, 4))]
    if directions == 8:
        turns += [turn[::-1] for turn in turns]
    return np.stack(turns)


def _square_numbers(kind: ScanKind, height: int, width: int, quarter: int) -> Ints:
    """Numbers of the cells, (height * width,), cut out of the numbering of a square turned by quarter · 90°."""
    side = max(height, width)
    if kind == "hilbert":
        side = 1 << (side - 1).bit_length()
    rows, columns = np.divmod(np.arange(height * width, dtype=np.int64), width)
    for _ in range(quarter):
        rows, columns = columns, side - 1 - rows
    return _NUMBERINGS[kind](rows, columns, side)


def _hilbert(rows: Ints, columns: Ints, side: int) -> Ints:
    """Number on the Hilbert curve that starts by going down, and ends in the top right corner."""
    bits = side.bit_length() - 1
    numbers = np.zeros_like(rows)
    rows, columns = rows.copy(), columns.copy()
    for bit in reversed(range(bits)):
        lower, right = (rows >> bit) & 1, (columns >> bit) & 1
        numbers = 4 * numbers + 2 * right + (lower ^ right)
        rows, columns = rows & ((1 << bit) - 1), columns & ((1 << bit) - 1)
        # the two upper quarters hold the curve mirrored: at the main diagonal (left) or the other one (right)
        flip = (1 - lower) * right * ((1 << bit) - 1)
        upper = lower == 0
        rows, columns = np.where(upper, columns ^ flip, rows), np.where(upper, rows ^ flip, columns)
    return numbers


def _morton(rows: Ints, columns: Ints, side: int) -> Ints:
    """Bits of row and column interleaved, that of the column lowest."""
    numbers = np.zeros_like(rows)
    for bit in range((side - 1).bit_length()):
        numbers |= ((columns >> bit) & 1) << (2 * bit) | ((rows >> bit) & 1) << (2 * bit + 1)
    return numbers


def _serpentine(rows: Ints, columns: Ints, side: int) -> Ints:
    return rows * side + np.where(rows % 2 == 0, columns, side - 1 - columns)


def _raster(rows: Ints, columns: Ints, side: int) -> Ints:
    return rows * side + columns


_NUMBERINGS: dict[str, Callable[[Ints, Ints, int], Ints]] = {
    "hilbert": _hilbert,
    "z": _morton,
    "serpentine": _serpentine,
    "raster": _raster,
}
"""Number of a cell of a square, given rows, columns and the square's side."""


def _gilbert_numbers(_: ScanKind, height: int, width: int, quarter: int) -> Ints:
    """Numbers of the cells, (height * width,), on the curve drawn for the turned rectangle and turned back."""
    rows, columns = (width, height) if quarter % 2 else (height, width)
    # ends along the rows where parity lets it, else along the columns (see _curve)
    if rows == 1 or (columns > 1 and (columns % 2 == 0 or rows % 2 == 1)):
        path = _curve(columns, rows)[:, ::-1]
    else:
        path = _curve(rows, columns)
    numbers = np.empty((rows, columns), dtype=np.int64)
    numbers[path[:, 0], path[:, 1]] = np.arange(rows * columns)
    return np.rot90(numbers, quarter).reshape(-1)


@lru_cache(maxsize=1024)
def _curve(along: int, across: int) -> Ints:
    """Cells (position along, position across) of a Hilbert-like curve, (along * across, 2).

    It goes from (0, 0) to (along - 1, 0) by steps to neighbours. On a chessboard those corners have the colours of
    the first and last of ``along * across`` steps only if ``along`` is even or ``across`` is odd; every part that
    the curve is cut into keeps that property, so no diagonal step is ever needed. The idea of cutting rectangles
    this way is J. Červený's ("gilbert"), who starts along the longer side and so needs a diagonal at some sizes.
    """
    if across == 1:
        return np.stack([np.arange(along), np.zeros(along, dtype=np.int64)], axis=1)
    half = along // 2
    if 2 * along > 3 * across:
        half += half % 2 if along > 2 else 0
        return np.concatenate([_curve(half, across), np.add(_curve(along - half, across), (half, 0))])
    rise = across // 2
    rise += rise % 2 if across > 2 else 0
    there = _curve(rise, half)[:, ::-1]
    middle = np.add(_curve(along, across - rise), (0, rise))
    back = np.subtract((along - 1, rise - 1), _curve(rise, along - half)[:, ::-1])
    return np.concatenate([there, middle, back])
