"""Sums of overlapping tiles that let go of every pixel as soon as no later tile shows it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pamm.engine.tiles.grid import Grid, Tile


@dataclass(frozen=True)
class Block:
    """Pixels that are final."""

    rows: slice
    """Rows of the photo."""
    columns: slice
    """Columns of the photo."""
    values: Tensor
    """(channels, rows, columns), the weighted means of all tiles that show them."""


class Blend:
    """The weighted mean of tiles that come row by row from the top left.

    Memory is that of one tile, and of the rows that one row of tiles shares with the next, over the photo's width.
    """

    def __init__(self, grid: Grid, *, channels: int, device: torch.device) -> None:
        """Take the tiles' places.

        Args:
            grid: where the tiles lie.
            channels: channels of the values.
            device: where the sums are kept.
        """
        self._grid = grid
        down, across = grid.down, grid.across
        self._down, self._across = (torch.from_numpy(axis.weights).to(device) for axis in (down, across))
        # what one row of tiles leaves to the next, and the tiles of this row as far as they are not final
        shared = down.length - min(down.final)
        self._carried = torch.zeros(channels, shared, across.side, device=device)
        self._window = torch.zeros(channels, down.length, across.length, device=device)

    def add(self, tile: Tile, values: Tensor) -> Block:
        """Add the next tile.

        Args:
            tile: its place; tiles come in the order of the grid.
            values: (channels, rows, columns) of the tile.

        Returns:
            What is final now, and was not before.
        """
        down, across = self._grid.down, self._grid.across
        height, width = down.final[tile.row], across.final[tile.column]
        left, right = tile.columns.start, tile.columns.stop
        fresh = across.starts[tile.column - 1] + across.length if tile.column else 0
        above = down.length - down.final[tile.row - 1] if tile.row else 0
        below = down.length - height
        window = self._window
        window[:, :above, fresh - left :] += self._carried[:, :above, fresh:right]
        window += values * (self._down[tile.row][:, None] * self._across[tile.column])
        done = window[:, :height, :width]
        # the columns that leave the window were taken from what was carried when they entered it
        self._carried[:, :below, left : left + width] = window[:, height:, :width]
        self._window = torch.zeros_like(window)
        self._window[:, :, : across.length - width] = window[:, :, width:]
        return Block(slice(tile.rows.start, tile.rows.start + height), slice(left, left + width), done)
