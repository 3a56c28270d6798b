"""Orders made inside a graph are those of the tables."""

from itertools import product

import pytest
import torch

from pamm.ops import scan_orders
from pamm.ops.traced_orders import TRACED, traced_orders

CPU = torch.device("cpu")
GRIDS = [*product(range(1, 11), range(1, 11)), (28, 36), (32, 32), (33, 17), (64, 65), (1, 200), (128, 100)]


@pytest.mark.parametrize("kind", TRACED)
def test_orders_are_those_of_the_tables(kind):
    for height, width in GRIDS:
        wanted = scan_orders(kind, height, width, 4)
        assert torch.equal(traced_orders(kind, height, width, 4, CPU), wanted), (height, width)


@pytest.mark.parametrize("directions", [1, 2, 8])
def test_other_numbers_of_directions(directions):
    for height, width in ((5, 7), (8, 3)):
        wanted = scan_orders("hilbert", height, width, directions)
        assert torch.equal(traced_orders("hilbert", height, width, directions, CPU), wanted)


def test_a_curve_drawn_cell_after_cell_is_refused():
    with pytest.raises(ValueError, match="'gilbert' is drawn cell after cell"):
        traced_orders("gilbert", 4, 4, 4, CPU)
