"""The scan in standard operators is the scan."""

import pytest
import torch

from pamm.ops import scan_orders, selective_scan
from pamm.ops.standard_scan import standard_scan


@pytest.mark.parametrize(("kind", "directions"), [("hilbert", 4), ("raster", 1), ("z", 8)])
def test_equals_the_public_scan(kind, directions):
    tasks, batch, grid, width, states = 3, 2, (3, 5), 4, 2
    length = grid[0] * grid[1]
    x, delta = (torch.randn(tasks, batch, length, width) for _ in range(2))
    B, C = (torch.randn(tasks, batch, length, states) for _ in range(2))
    A, D, bias = -torch.rand(tasks, width, states), torch.randn(tasks, width), torch.randn(tasks, width)
    orders = scan_orders(kind, *grid, directions)
    wanted = selective_scan(
        *(tokens.transpose(0, 1) for tokens in (x, delta)),
        A,
        *(tokens.transpose(0, 1) for tokens in (B, C)),
        D,
        delta_bias=bias,
        orders=orders,
    )
    got = standard_scan(x, delta, A, B, C, D, bias, orders)
    torch.testing.assert_close(got.transpose(0, 1), wanted, atol=1e-5, rtol=1e-5)
