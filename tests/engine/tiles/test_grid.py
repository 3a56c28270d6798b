"""Where tiles lie, and how much they count."""

import numpy as np
import pytest

from pamm.engine.tiles.grid import Axis, Grid, Tiling

SIDES = [1, 7, 31, 32, 33, 40, 56, 57, 101, 997]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("overlap", [0, 8, 16])
def test_tiles_cover_the_side_and_overlap_enough(side, overlap):
    axis = Axis.cover(side, tile=32, overlap=overlap, patch=8)
    assert axis.side == side
    assert axis.length == min(side, 32)
    assert axis.starts[0] == 0
    assert all(start % 8 == 0 for start in axis.starts[:-1])
    steps = np.diff(axis.starts)
    assert (steps > 0).all()
    assert (axis.length - steps >= overlap).all()
    fewest = 1 if side <= 32 else 1 + -(-(side - 32) // (32 - overlap))
    assert len(axis.starts) == fewest
    assert sum(axis.final) == side
    assert all(0 < final <= axis.length for final in axis.final)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("overlap", [0, 8, 16])
def test_weights_sum_to_one(side, overlap):
    axis = Axis.cover(side, tile=32, overlap=overlap, patch=8)
    total = np.zeros(side)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        assert (weights > 0).all()
        total[start : start + axis.length] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_tile_counts_fully_where_it_is_alone_and_fades_towards_its_ends():
    axis = Axis.cover(56, tile=32, overlap=8, patch=8)
    assert axis.starts == (0, 24)
    first, second = axis.weights
    assert (first[:24] == 1).all()
    assert (np.diff(first[24:]) < 0).all()
    assert first[-1] < 0.02
    np.testing.assert_allclose(first[24:] + second[:8], 1, atol=1e-7)


def test_the_grid_goes_row_by_row_over_the_whole_photo():
    grid = Grid.over(50, 70, Tiling(side=30, overlap=3), trained=(8, 8), patch=8)
    seen = np.zeros((50, 70), int)
    tiles = list(grid)
    for tile in tiles:
        seen[tile.rows, tile.columns] += 1
    assert (seen > 0).all()
    assert len(tiles) == len(grid) == 6
    assert [(tile.row, tile.column) for tile in tiles] == [(row, column) for row in range(2) for column in range(3)]
    assert {tile.rows.stop - tile.rows.start for tile in tiles} == {32}


def test_tiles_are_as_large_as_the_pictures_of_the_training_unless_told_otherwise():
    assert Tiling().tile(trained=(32, 48), patch=8) == (32, 48)
    assert Tiling(side=33).tile(trained=(32, 48), patch=8) == (40, 40)


def test_tiles_of_the_trained_size_overlap_by_no_more_than_half():
    assert Tiling(overlap=16).tile(trained=(32, 48), patch=8) == (32, 48)
    with pytest.raises(ValueError, match="tiles of 32×48 pixels cannot overlap by 17: give at most half a tile"):
        Grid.over(50, 70, Tiling(overlap=17), trained=(32, 48), patch=8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"side": 0}, "tile of 0 pixels"),
        ({"overlap": -1}, "overlap is -1"),
        ({"side": 64, "overlap": 33}, "cannot overlap by 33"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"memory": -1}, "memory is -1"),
        ({"side": "many"}, "side"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Tiling(**fields)
