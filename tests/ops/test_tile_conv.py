"""Convolution by tiles against torch's own in float64."""

import pytest
import torch
from torch.nn import functional as F

from pamm.ops import tile_conv as module
from pamm.ops.tile_conv import tile_conv
from pamm.ops.tile_plan import make_plan, plan_tiles, tiles_pay

GRIDS = ((1, 1), (1, 7), (5, 3), (16, 16), (28, 36), (33, 17))


def make(n, grid, inputs, outputs, kernel, dtype=torch.float64):
    torch.manual_seed(n + inputs + kernel)
    x = torch.randn(n, grid[0] * grid[1], inputs, dtype=dtype)
    weight = torch.randn(outputs, inputs, kernel, kernel, dtype=dtype) / kernel
    return x.requires_grad_(), weight.requires_grad_(), torch.randn(outputs, dtype=dtype, requires_grad=True)


def direct(x, weight, bias, *, grid):
    maps = x.unflatten(1, grid).permute(0, 3, 1, 2)
    y = F.conv2d(maps, weight, bias, padding=weight.shape[-1] // 2)
    return y.permute(0, 2, 3, 1).flatten(1, 2)


def results(call, arguments, dy, grid):
    """The output and the gradients of all arguments."""
    y = call(*arguments, grid=grid)
    return [y, *torch.autograd.grad(y, [tensor for tensor in arguments if tensor is not None], dy.to(y.dtype))]


def largest_errors(arguments, grid):
    """Of the output and all gradients, as shares of their largest values."""
    exact = [None if tensor is None else tensor.detach().double().requires_grad_() for tensor in arguments]
    dy = torch.randn(*arguments[0].shape[:2], len(arguments[1]), dtype=torch.float64).float()
    pairs = zip(results(tile_conv, arguments, dy, grid), results(direct, exact, dy, grid), strict=True)
    return [((got.double() - want).abs().max() / want.abs().max()).item() for got, want in pairs]


@pytest.mark.parametrize("inputs", [1, 7, 32])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5, 9, 11])
@pytest.mark.parametrize("grid", GRIDS)
def test_equals_direct_sum(grid, kernel, n, inputs):
    assert max(largest_errors(make(n, grid, inputs, 5, kernel), grid)) < 1e-12


@pytest.mark.parametrize("grid", GRIDS)
def test_is_accurate_in_float32(grid):
    y, *gradients = largest_errors(make(3, grid, 200, 24, 9, torch.float32), grid)
    assert y < 1e-6
    assert max(gradients) < 2e-6


def test_blocks_of_channels_add_up(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1)
    assert max(largest_errors(make(2, (10, 13), 40, 3, 5), (10, 13))) < 1e-12


@pytest.mark.parametrize("tile", [(1, 2), (3, 4), (10, 14), (12, 20)])
def test_any_tile_serves(monkeypatch, tile):
    plan = make_plan((10, 13), tile, 5, torch.float64)
    monkeypatch.setattr(module, "plan_tiles", lambda *_: plan)
    assert max(largest_errors(make(2, (10, 13), 4, 3, 5), (10, 13))) < 1e-12


def test_takes_views_and_no_bias():
    x, weight, _ = make(2, (6, 5), 8, 4, 3)
    x = x.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    weight = weight.detach().transpose(2, 3).requires_grad_()
    assert max(largest_errors((x, weight, None), (6, 5))) < 1e-12


@pytest.mark.parametrize("frozen", [0, 1])
def test_makes_only_gradients_that_are_needed(frozen):
    arguments = make(2, (6, 5), 8, 4, 3)
    arguments[frozen].requires_grad_(False)
    learnt = [tensor for tensor in arguments if tensor.requires_grad]
    got, want = (torch.autograd.grad(call(*arguments, grid=(6, 5)).sum(), learnt) for call in (tile_conv, direct))
    torch.testing.assert_close(got, want)


def test_plans_made_in_inference_mode_serve_training():
    plan_tiles.cache_clear()
    arguments = make(1, (6, 5), 8, 4, 3)
    with torch.inference_mode():
        tile_conv(*arguments, grid=(6, 5))
    assert max(largest_errors(arguments, (6, 5))) < 1e-12


def test_torch_finds_no_fault():
    x, weight, _ = make(2, (6, 5), 8, 4, 3)
    torch.library.opcheck(torch.ops.pamm.tile_conv, (x, weight, 6, 5))


def test_compiles_as_one_graph():
    arguments = make(2, (6, 5), 8, 4, 3)
    compiled = torch.compile(tile_conv, fullgraph=True, backend="aot_eager")
    dy = torch.randn(2, 30, 4)
    torch.testing.assert_close(results(compiled, arguments, dy, (6, 5)), results(tile_conv, arguments, dy, (6, 5)))


def test_refuses_what_does_not_fit():
    x, weight, bias = make(2, (6, 5), 8, 4, 3)
    with pytest.raises(ValueError, match=r"x is \(2, 30, 8\), not \(n, 20, 8\)"):
        tile_conv(x, weight, bias, grid=(4, 5))
    with pytest.raises(ValueError, match="odd k"):
        tile_conv(x, weight[..., :2, :2], bias, grid=(6, 5))


@pytest.mark.parametrize(
    ("pay", "n", "grid", "inputs", "outputs", "kernel"),
    [
        (True, 4, (28, 36), 768, 160, 9),
        (True, 3, (16, 16), 384, 136, 9),
        (False, 1, (32, 32), 768, 200, 3),
        (False, 1, (4, 4), 768, 160, 9),
        (False, 3, (16, 16), 32, 8, 9),
    ],
)
def test_tiles_pay_where_they_were_measured_to(pay, n, grid, inputs, outputs, kernel):
    assert tiles_pay(n, grid, inputs=inputs, outputs=outputs, kernel=kernel) == pay
