"""The scan in Triton on a GPU, at the sizes that PAMM has."""

import dataclasses
import importlib.util

import pytest
import torch
from torch import Tensor

from pamm.ops import triton_scan
from pamm.ops.chunked import chunked_gradients, scan_chunked
from pamm.ops.scan_call import ScanCall
from pamm.ops.triton_scan import scan_triton, triton_gradients
from scan_toys import make

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed"),
]
SIZES = {"b": 2, "T": 2, "L": 1008, "E": 384, "N": 16, "K": 4}


def draw(dtype: torch.dtype = torch.float32, **sizes: int) -> tuple[Tensor, ScanCall]:
    """A gradient of the output, and the arguments of the scan."""
    arguments = make(**SIZES | sizes, dtype=dtype)
    call = ScanCall(**{name: tensor.detach().cuda() for name, tensor in arguments.items()})
    return torch.randn_like(call.x), call


def results(dy: Tensor, call: ScanCall) -> dict[str, Tensor]:
    found = [scan_triton(call), *triton_gradients(dy, call)]
    return dict(zip(("y", *vars(call)), found, strict=False))


def compare(dy: Tensor, call: ScanCall, *, output: float, gradient: float) -> None:
    """Output and every gradient against float64, relative to the largest value."""
    wide = ScanCall(*(tensor.double() for tensor in call.inputs()), call.orders)
    want = [scan_chunked(wide), *chunked_gradients(dy.double(), wide)]
    for (name, got), value in zip(results(dy, call).items(), want, strict=True):
        limit = (output if name == "y" else gradient) * value.abs().max()
        error = (got.double() - value).abs().max()
        assert error <= limit, f"{name}: {error:.1e} > {limit:.1e}"


@pytest.mark.parametrize(
    ("dtype", "output", "gradient"),
    [
        # exponentials of a GPU are right but for the last two bits
        (torch.float32, 4e-6, 2e-5),
        (torch.bfloat16, 2**-8, 2**-8),
        (torch.float16, 2**-11, 2**-11),
    ],
)
def test_output_and_every_gradient(dtype, output, gradient):
    compare(*draw(dtype), output=output, gradient=gradient)


@pytest.mark.parametrize(
    "sizes",
    [{"L": 1, "E": 1, "N": 1, "K": 1}, {"L": 33, "E": 33, "N": 3}, {"L": 97, "E": 40, "N": 64, "T": 1}, {"N": 24}],
    ids=str,
)
def test_awkward_sizes(sizes):
    """Also those with several warps to a program."""
    compare(*draw(**sizes), output=4e-6, gradient=2e-5)


@pytest.mark.parametrize("programs", [1, 1 << 20])
def test_how_orders_are_shared_out_changes_nothing(programs, monkeypatch):
    monkeypatch.setattr(triton_scan, "_TILING", dataclasses.replace(triton_scan._TILING, programs=programs))
    compare(*draw(E=100), output=4e-6, gradient=2e-5)


@pytest.mark.parametrize("programs", [1, 1 << 20])
def test_every_run_gives_the_same_numbers(programs, monkeypatch):
    monkeypatch.setattr(triton_scan, "_TILING", dataclasses.replace(triton_scan._TILING, programs=programs))
    dy, call = draw()
    first = results(dy, call)
    for _ in range(5):
        assert all(torch.equal(got, first[name]) for name, got in results(dy, call).items())


def test_inputs_that_are_not_contiguous():
    dy, call = draw()
    turned = {name: getattr(call, name).mT.contiguous().mT for name in ("x", "A", "B")}
    call = dataclasses.replace(call, **turned, delta=call.delta[:, :1].expand_as(call.delta))
    compare(dy, call, output=4e-6, gradient=2e-5)
