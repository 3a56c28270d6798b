"""Sums of tiles that let go of pixels as early as they can."""

import numpy as np
import pytest
import torch

from pamm.engine.tiles.blend import Blend
from pamm.engine.tiles.grid import Grid, Tiling


def blended(grid: Grid, tiles: list[torch.Tensor]) -> torch.Tensor:
    """The whole photo, each pixel written once."""
    height, width = grid.down.side, grid.across.side
    whole = torch.full((len(tiles[0]), height, width), torch.nan)
    blend = Blend(grid, channels=len(tiles[0]), device=torch.device("cpu"))
    for tile, values in zip(grid, tiles, strict=True):
        block = blend.add(tile, values)
        assert whole[:, block.rows, block.columns].isnan().all()
        whole[:, block.rows, block.columns] = block.values
    assert not whole.isnan().any()
    return whole


def at_once(grid: Grid, tiles: list[torch.Tensor]) -> torch.Tensor:
    """The same with sums over the whole photo."""
    total = torch.zeros(len(tiles[0]), grid.down.side, grid.across.side, dtype=torch.float64)
    for tile, values in zip(grid, tiles, strict=True):
        weights = np.outer(grid.down.weights[tile.row], grid.across.weights[tile.column])
        total[:, tile.rows, tile.columns] += values * torch.from_numpy(weights)
    return total.float()


@pytest.mark.parametrize("size", [(1, 1), (5, 400), (400, 5), (97, 101), (32, 32), (33, 31), (64, 129)])
@pytest.mark.parametrize("overlap", [0, 8, 16])
def test_blending_piece_by_piece_equals_sums_over_the_whole(size, overlap):
    grid = Grid.over(*size, Tiling(side=32, overlap=overlap), trained=(8, 8), patch=8)
    draw = torch.Generator().manual_seed(0)
    tiles = [torch.randn(2, grid.down.length, grid.across.length, generator=draw) for _ in grid]
    torch.testing.assert_close(blended(grid, tiles), at_once(grid, tiles), atol=1e-5, rtol=0)


def test_tiles_that_agree_come_out_as_they_are():
    grid = Grid.over(97, 101, Tiling(side=32), trained=(8, 8), patch=8)
    whole = torch.randn(3, 97, 101)
    tiles = [whole[:, tile.rows, tile.columns] for tile in grid]
    torch.testing.assert_close(blended(grid, tiles), whole, atol=1e-6, rtol=0)


def test_one_tile_comes_out_bit_for_bit():
    grid = Grid.over(30, 20, Tiling(side=32), trained=(8, 8), patch=8)
    values = torch.randn(3, 30, 20)
    assert torch.equal(blended(grid, [values]), values)
