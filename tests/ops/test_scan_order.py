"""Orders of visit: against the released code's tables, and what must hold on any grid."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from pamm.ops import scan_orders
from pamm.ops.scan_order import ScanKind

KINDS = get_args(ScanKind)
GRIDS = [(1, 1), (1, 2), (2, 1), (1, 9), (9, 1), (2, 3), (3, 2), (5, 7), (7, 5), (8, 8), (6, 16), (13, 4), (28, 36)]
TABLE_LETTERS = {"h": "hilbert", "s": "serpentine", "z": "z"}


def jumps(order: torch.Tensor, width: int) -> torch.Tensor:
    """City-block distance between the cells of successive visits."""
    rows, columns = order // width, order % width
    return rows.diff().abs() + columns.diff().abs()


def numbered(order: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Number of every cell."""
    return order.argsort().view(height, width)


def test_equals_the_released_tables(shared: Path):
    tables = np.load(shared / "golden" / "order_maps.npz")
    names = [name for name in tables.files if name.endswith("_sorted")]
    assert len(names) == 24 * 3 * 4
    for name in names:
        letter, grid, direction, _ = name.split("_")
        height, width = map(int, grid.split("x"))
        order = scan_orders(TABLE_LETTERS[letter], height, width, directions=4)[int(direction.removeprefix("dir"))]
        np.testing.assert_array_equal(order.numpy(), tables[name], err_msg=name)
        np.testing.assert_array_equal(order.argsort().numpy(), tables[name.replace("sorted", "reverse")], err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("directions", [1, 2, 4, 8])
def test_every_direction_visits_every_cell_once(kind, directions):
    for height, width in GRIDS:
        orders = scan_orders(kind, height, width, directions=directions)
        assert orders.dtype == torch.int64
        assert orders.shape == (directions, height * width)
        cells = torch.arange(height * width).expand_as(orders)
        assert torch.equal(orders.sort(dim=1).values, cells), (height, width)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_directions_are_the_first_of_more(kind):
    eight = scan_orders(kind, 5, 7, directions=8)
    for directions in (1, 2, 4):
        assert torch.equal(scan_orders(kind, 5, 7, directions=directions), eight[:directions])
    assert torch.equal(eight[4:], eight[:4].flip(1))


@pytest.mark.parametrize("kind", KINDS)
def test_directions_are_quarter_turns_on_squares(kind):
    orders = scan_orders(kind, 8, 8, directions=4)
    first = numbered(orders[0], 8, 8)
    for quarter in range(4):
        assert torch.equal(numbered(orders[quarter], 8, 8), first.rot90(quarter))


@pytest.mark.parametrize("kind", ["gilbert", "raster"])
def test_directions_turn_the_rectangle_itself(kind):
    upright, lying = scan_orders(kind, 5, 7, directions=4), scan_orders(kind, 7, 5, directions=4)
    assert torch.equal(numbered(upright[2], 5, 7), numbered(upright[0], 5, 7).rot90(2))
    assert torch.equal(numbered(upright[1], 5, 7), numbered(lying[0], 7, 5).rot90(1))


def test_gilbert_never_leaves_the_neighbourhood():
    for height in range(1, 25):
        for width in range(1, 25):
            for order in scan_orders("gilbert", height, width, directions=4):
                assert (jumps(order, width) == 1).all(), (height, width)


def test_gilbert_is_hilbert_where_hilbert_fits():
    for side in (1, 2, 4, 8, 32):
        assert torch.equal(scan_orders("gilbert", side, side), scan_orders("hilbert", side, side))


def test_gilbert_stays_near_longer_than_rows_do():
    """64 steps along the curve stay within a box about 10 cells wide and high, along rows in one of a row's width."""

    def extent(kind: str) -> float:
        order = scan_orders(kind, 40, 36, directions=1)[0]
        spans = [cells.unfold(0, 64, 1).aminmax(dim=1) for cells in (order // 36, order % 36)]
        return float(sum((high - low).double().mean() for low, high in spans))

    assert extent("gilbert") < 0.65 * extent("serpentine")


def test_raster_and_serpentine_by_hand():
    assert scan_orders("raster", 2, 3, directions=2).tolist() == [[0, 1, 2, 3, 4, 5], [3, 0, 4, 1, 5, 2]]
    assert scan_orders("serpentine", 3, 3, directions=1).tolist() == [[0, 1, 2, 5, 4, 3, 6, 7, 8]]


def test_the_cache_is_safe_from_the_caller():
    scan_orders("hilbert", 4, 4).zero_()
    assert scan_orders("hilbert", 4, 4)[0, 1] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("peano", 2, 2, 4), "unknown scan kind 'peano'; choose one of hilbert, gilbert"),
        (("hilbert", 2, 2, 3), "1, 2, 4 or 8 directions, got 3"),
        (("hilbert", 0, 2, 4), "at least one row and one column, got 0 × 2"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        scan_orders(*arguments)
