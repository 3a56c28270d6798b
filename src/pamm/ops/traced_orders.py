"""Orders of reading made inside a graph, for grids whose sides are known only when it runs.

The numbers are those of :mod:`pamm.ops.scan_order`, from whole-number arithmetic on the cells' coordinates; a sort
makes orders of them. Letters: ``K`` directions, ``q`` a quarter turn, ``L`` positions of an ``h × w`` grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from pamm.ops.scan_order import ScanKind

BITS = 12
"""Binary digits of a coordinate."""
MOST_CELLS = 1 << BITS
"""Most rows or columns of a grid."""


def traced_orders(kind: ScanKind, height: int, width: int, directions: int, device: torch.device) -> Tensor:
    """What :func:`pamm.ops.scan_orders` gives, (K, L) int64, by operations that a graph can hold.

    Args:
        kind: a key of ``TRACED``.
        height: rows of the grid, 1 to ``MOST_CELLS``, a symbol or a number.
        width: columns of the grid, likewise.
        directions: how many orders, 1, 2, 4 or 8.
        device: where to make them.

    Raises:
        ValueError: if the curve is drawn cell after cell, which takes a size that is known.
    """
    if kind not in TRACED:
        raise ValueError(
            f"the scan {kind!r} is drawn cell after cell, which takes a size that is known: "
            f"choose one of {', '.join(TRACED)}, or fix the size"
        )
    rows = torch.arange(height, device=device)[:, None].expand(-1, width).reshape(-1)
    columns = torch.arange(width, device=device).expand(height, -1).reshape(-1)
    last = torch.maximum(rows[-1:], columns[-1:])  # of the enclosing square
    if kind == "hilbert":
        last = torch.stack([(last >= 1 << bit) * (1 << bit) for bit in range(BITS)]).sum(0)
    turned = [(rows, columns)]
    for _ in range(min(directions, 4) - 1):
        turned.append((turned[-1][1], last - turned[-1][0]))
    all_rows, all_columns = (torch.stack(coordinates) for coordinates in zip(*turned, strict=True))
    numbers = TRACED[kind](all_rows, all_columns, last)
    orders = numbers.argsort(dim=-1)
    return torch.cat((orders, orders.flip(-1))) if directions == 8 else orders


def _hilbert(rows: Tensor, columns: Tensor, last: Tensor) -> Tensor:
    numbers = torch.zeros_like(rows)
    for bit in reversed(range(BITS)):
        half = 1 << bit
        lower, right = rows // half, columns // half
        numbers = 4 * numbers + 2 * right + (lower + right) % 2
        rows, columns = rows % half, columns % half
        # the upper quarters hold the curve mirrored; above the square's highest digit there are no quarters
        mirrored = (lower == 0) & (last >= half)
        across = torch.where(right == 1, half - 1 - columns, columns)
        down = torch.where(right == 1, half - 1 - rows, rows)
        rows, columns = torch.where(mirrored, across, rows), torch.where(mirrored, down, columns)
    return numbers


def _morton(rows: Tensor, columns: Tensor, _: Tensor) -> Tensor:
    digits = [(rows // (1 << bit) % 2 * 2 + columns // (1 << bit) % 2) * (1 << 2 * bit) for bit in range(BITS)]
    return torch.stack(digits).sum(0)


def _serpentine(rows: Tensor, columns: Tensor, last: Tensor) -> Tensor:
    return rows * (last + 1) + torch.where(rows % 2 == 0, columns, last - columns)


def _raster(rows: Tensor, columns: Tensor, last: Tensor) -> Tensor:
    return rows * (last + 1) + columns


TRACED: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "hilbert": _hilbert,
    "z": _morton,
    "serpentine": _serpentine,
    "raster": _raster,
}
"""Number of a cell of a square, given rows, columns and the square's last row."""
