import pytest
import torch
from torch.nn import functional as F

from pamm.ops.token_conv import token_conv

LARGE = {"n": 4, "grid": (28, 36), "inputs": 64, "outputs": 32, "kernel": 9}


def operands(*, n, grid, inputs, outputs, kernel, dtype=torch.float32):
    x = torch.randn(n, grid[0] * grid[1], inputs, dtype=dtype)
    return x, torch.randn(outputs, inputs, kernel, kernel, dtype=dtype), torch.randn(outputs, dtype=dtype)


def plain(x, weight, bias, grid):
    maps = x.mT.unflatten(2, grid)
    return F.conv2d(maps, weight, bias, padding=weight.shape[-1] // 2).flatten(2).mT


@pytest.mark.parametrize("way", ["direct", "tiles", None])
@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_all_ways_convolve(way, kernel):
    x, weight, bias = operands(n=2, grid=(5, 7), inputs=3, outputs=4, kernel=kernel, dtype=torch.double)
    for given in (bias, None):
        torch.testing.assert_close(token_conv(x, weight, given, grid=(5, 7), way=way), plain(x, weight, given, (5, 7)))


def ways_taken(monkeypatch, work):
    """Whether tiles served."""
    taken = []

    def watched(*args, **kwargs):
        taken.append("tiles")
        return plain(*args[:3], kwargs["grid"])

    monkeypatch.setattr("pamm.ops.token_conv.tile_conv", watched)
    work()
    return taken


def test_tiles_where_they_pay(monkeypatch):
    x, weight, bias = operands(**LARGE)
    assert ways_taken(monkeypatch, lambda: token_conv(x, weight, bias, grid=LARGE["grid"]))
    few = operands(**LARGE | {"inputs": 2, "outputs": 1, "n": 1})
    assert not ways_taken(monkeypatch, lambda: token_conv(*few, grid=LARGE["grid"]))


def test_direct_where_tiles_cannot_serve(monkeypatch):
    x, weight, bias = operands(**LARGE)
    grid = LARGE["grid"]
    half = [tensor.bfloat16() for tensor in (x, weight, bias)]
    assert not ways_taken(monkeypatch, lambda: token_conv(*half, grid=grid))


@pytest.mark.parametrize("matrix_tiles", [True, False])
def test_autocast_takes_the_faster(monkeypatch, matrix_tiles):
    """Half precision is faster than tiles where processors have registers for matrices, and for small maps."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: matrix_tiles)
    wide = {"n": 4, "grid": (28, 36), "inputs": 512, "outputs": 128, "kernel": 9}
    x, weight, bias = operands(**wide)

    def in_half_precision():
        with torch.autocast("cpu", torch.bfloat16):
            token_conv(x.bfloat16(), weight, bias, grid=wide["grid"])

    assert bool(ways_taken(monkeypatch, in_half_precision)) != matrix_tiles


def test_exported_graphs_hold_standard_operators():
    class Layer(torch.nn.Module):
        def forward(self, x, weight, bias):
            return token_conv(x, weight, bias, grid=LARGE["grid"])

    exported = torch.export.export(Layer(), operands(**LARGE))
    assert not any("tile_conv" in str(node.target) for node in exported.graph.nodes)


def test_unknown_way():
    with pytest.raises(ValueError, match=r"no way to convolve 'tile'.*tiles"):
        token_conv(*operands(**LARGE), grid=LARGE["grid"], way="tile")
