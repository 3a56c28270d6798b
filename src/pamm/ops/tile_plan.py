"""Sizes of the tiles of :mod:`pamm.ops.tile_conv`, when they pay, and the matrices of their transforms.

Letters as there.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor


def tiles_pay(n: int, grid: tuple[int, int], *, inputs: int, outputs: int, kernel: int, speed: float = 1.0) -> bool:
    """Whether ``tile_conv`` is clearly faster than ``F.conv2d`` for n maps, by an estimate for float32.

    Where ``F.conv2d`` takes other numbers, ``speed`` says how many times as fast it is then.
    """
    direct = 3 * n * math.prod(grid) * inputs * outputs * kernel**2 / (50 * speed)
    return 1.2 * min(_costs(n, grid, inputs, outputs, kernel))[0] < direct


def _costs(
    n: int, grid: tuple[int, int], inputs: int, outputs: int, kernel: int
) -> Iterator[tuple[float, tuple[int, int]]]:
    """Estimated nanoseconds and size of a tile, for all sizes worth a thought; the width is even.

    The divisors are operations in a nanosecond, and like the 50 above they are for both passes on one core of a Zen 4,
    fitted to 546 calls of many shapes. Threads divide all by the same.
    """
    height, width = grid
    for down, across in product(range(1, min(height, 16) + 1), range(1, min(width, 16) + 1)):
        tile = -(-height // down), -(-width // across // 2) * 2
        ty, tx = -(-height // tile[0]), -(-width // tile[1])
        rows, columns = tile[0] + kernel - 1, tile[1] + kernel - 1
        weights = columns * kernel**2 / 1.7 + rows * columns * (1 / 0.7 + 2 * kernel / 42)
        products = rows * columns * 2 * n * ty * tx / 11
        sides = n * tx * height * columns * (1 / 0.1 + 2 * rows * ty / 234)
        yield 1.2e6 + inputs * outputs * (weights + products) + (inputs + outputs) * sides, tile


@dataclass(frozen=True)
class Side:
    """Transforms of the tiles of the input or, transposed, to those of the output."""

    columns: tuple[tuple[slice, Tensor], ...]
    """By tile along the width: its columns and their transform, (N2, columns)."""
    rows: Tensor
    """Transform of whole columns to the rows of all tiles along the height, (N1 · 2 · ty, 2 · H)."""

    def spread(self, tokens: Tensor, waves: Tensor) -> None:
        """Transform the tokens of a map, (H, W, e), along the columns to ``waves``, (N2, H, tx, e)."""
        for i, (columns, matrix) in enumerate(self.columns):
            torch.bmm(matrix.expand(len(tokens), -1, -1), tokens[:, columns], out=waves[:, :, i].transpose(0, 1))

    def gather(self, waves: Tensor, tokens: Tensor) -> None:
        """The same transposed, from ``waves``, (N2, H, tx, e); adds to the tokens of a map, (H, W, e)."""
        for i, (columns, matrix) in enumerate(self.columns):
            tokens[:, columns].baddbmm_(matrix.T.expand(len(tokens), -1, -1), waves[:, :, i].transpose(0, 1))


@dataclass(frozen=True)
class Plan:
    """All matrices for a grid, a size of tiles and a kernel."""

    size: tuple[int, int]
    """N1 and N2."""
    tiles: tuple[int, int]
    """The numbers ty and tx."""
    inputs: Side
    outputs: Side
    kernel_columns: Tensor
    """(N2, k)."""
    kernel_rows: Tensor
    """(N1 · 2, 2 · k)."""


@lru_cache(maxsize=64)
def plan_tiles(n: int, grid: tuple[int, int], inputs: int, outputs: int, kernel: int, dtype: torch.dtype) -> Plan:
    """The plan for n maps with the tiles that are estimated to be the fastest."""
    _, tile = min(_costs(n, grid, inputs, outputs, kernel))
    return make_plan(grid, tile, kernel, dtype)


def make_plan(grid: tuple[int, int], tile: tuple[int, int], kernel: int, dtype: torch.dtype) -> Plan:
    """The plan with given tiles, of an even width."""
    (height, width), halo = grid, kernel // 2
    rows, columns = tile[0] + 2 * halo, tile[1] + 2 * halo
    tops, lefts = range(0, height, tile[0]), range(0, width, tile[1])

    def side(halo: int, row_scale: float, column_scale: float) -> Side:
        by_column = []
        for left in lefts:
            reach = range(max(0, left - halo), min(width, left + tile[1] + halo))
            matrix = _to_half(range(reach.start - left, reach.stop - left), columns) * column_scale
            by_column.append((slice(reach.start, reach.stop), matrix.to(dtype)))
        by_row = torch.zeros(rows, 2, len(tops), 2, height, dtype=torch.float64, device="cpu")
        for i, top in enumerate(tops):
            reach = range(max(0, top - halo), min(height, top + tile[0] + halo))
            matrix = _to_full(range(reach.start - top, reach.stop - top), rows) * row_scale
            by_row[:, :, i, :, reach.start : reach.stop] = matrix
        return Side(columns=tuple(by_column), rows=by_row.flatten(0, 2).flatten(1).to(dtype))

    # a kernel is not flipped: its transform has the other sign, as if its places were negative
    places = range(halo, -halo - 1, -1)
    return Plan(
        size=(rows, columns),
        tiles=(len(tops), len(lefts)),
        inputs=side(halo, 1, 1),
        outputs=side(0, 1 / rows, 2 / columns),
        kernel_columns=_to_half(places, columns).to(dtype),
        kernel_rows=_to_full(places, rows).flatten(0, 1).flatten(1).to(dtype),
    )


def _angles(places: Sequence[int], frequencies: Tensor) -> Tensor:
    return 2 * math.pi * frequencies[:, None] * torch.tensor(places, dtype=torch.float64, device="cpu")


def _to_half(places: Sequence[int], size: int) -> Tensor:
    """Real values at some places to half of their spectrum, (size, places)."""
    angles = _angles(places, (torch.arange(size // 2, dtype=torch.float64, device="cpu") + 0.5) / size)
    return torch.stack((angles.cos(), -angles.sin()), 1).flatten(0, 1)


def _to_full(places: Sequence[int], size: int) -> Tensor:
    """Complex values at some places to their spectrum, (size, 2, 2, places)."""
    angles = _angles(places, torch.arange(size, dtype=torch.float64, device="cpu") / size)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((torch.stack((cos, sin), 1), torch.stack((-sin, cos), 1)), 1)
