"""The selective scan with values that are no numbers, too large, or make it grow: the same from every backend."""

import math

import pytest
import torch
from torch import Tensor

from pamm.ops import native, selective_scan
from scan_toys import AVAILABLE, leaves, make, run

ONE = {4: (0, 1, 3, 2), 3: (1, 2, 1), 2: (1, 2)}
"""An element by the number of dimensions, in task 1 and channel 2 where there are channels."""


def ways() -> list[tuple[str, int]]:
    """Backends but the reference, the compiled one with each instruction set: their exponentials differ."""
    levels = len(native.instruction_sets()) if "native" in AVAILABLE else 0
    others = [(name, 0) for name in AVAILABLE if name not in ("native", "reference")]
    return [*(("native", level) for level in range(levels)), *others]


@pytest.fixture(params=ways(), ids=str)
def backend(request, monkeypatch) -> str:
    name, level = request.param
    monkeypatch.setattr(native, "_LEVEL", level)
    return name


def same_numbers(arguments: dict[str, Tensor], backend: str) -> None:
    """Compare output and gradients with the reference in float64, relative to the largest number of each."""
    dy = torch.randn(arguments["x"].shape)
    got, want = run(arguments, backend, dy), run(leaves(arguments, torch.float64), "reference", dy)
    for name, value in want.items():
        assert (got[name] - value).abs().max() <= 1e-5 * value.abs().max(), name


def kinds(tensor: Tensor) -> Tensor:
    """0 for a number, 1 and -1 for the infinities, 2 for what is no number."""
    return tensor.isinf() * tensor.nan_to_num(0).sign() + 2 * tensor.isnan()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("states", [3, 5, 8])
@pytest.mark.parametrize("where", ["x", "delta", "A", "B", "C", "D", "delta_bias", "dy"])
def test_what_is_no_number_spoils_the_same_results(backend, where, states, bad):
    arguments = make(T=2, L=20, N=states, dtype=torch.float32)
    tensors = {**arguments, "dy": torch.randn(arguments["x"].shape)}
    tensors[where].data[ONE[tensors[where].ndim]] = bad
    dy = tensors.pop("dy")
    got, want = run(arguments, backend, dy), run(arguments, "reference", dy)
    for name, value in want.items():
        spoilt = ~value.isfinite()
        assert torch.equal(~got[name].isfinite(), spoilt), name
        torch.testing.assert_close(
            got[name][~spoilt], value[~spoilt], rtol=1e-5, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert torch.equal(kinds(got["y"]), kinds(want["y"]))


@pytest.mark.parametrize("steps", [1e30, -1e30])
@pytest.mark.parametrize("every", [1, 3])
def test_huge_steps_forget_all_and_tiny_ones_nothing(backend, steps, every):
    arguments = make(T=2, L=20, dtype=torch.float32)
    arguments["delta"].data[:, :, ::every] = steps
    same_numbers(arguments, backend)


@pytest.mark.parametrize("rate", [0, 1e-30, 0.05, 2])
def test_a_state_that_stays_or_grows(backend, rate):
    arguments = make(T=2, L=20, dtype=torch.float32)
    arguments["A"].data.fill_(rate)
    same_numbers(arguments, backend)


@pytest.mark.parametrize("exponent", [88.3, 88.5, 88.7])
def test_the_largest_exponentials(backend, exponent):
    """e^88.72 is the largest number of float32."""
    one = torch.ones(1, 1, 2, 1)
    y = selective_scan(1e-10 * one, 100 * one, torch.full((1, 1, 1), exponent / 100), one, one, backend=backend)
    want = torch.tensor([1e-8, 1e-8 * math.exp(exponent)])
    torch.testing.assert_close(y.flatten(), want, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("rate", "bounded"), [(7, 13), (100, 0)])
def test_a_state_that_outgrows_float32(backend, rate, bounded):
    """With steps of 1 it grows by e^7 each; by e^100 the very first one is ∞ · 0."""
    x, weights = torch.ones(2, 1, 20, 3), torch.ones(2, 1, 20, 5)
    delta = torch.full_like(x, math.log(math.e - 1)).requires_grad_()
    y = selective_scan(x, delta, torch.full((1, 3, 5), float(rate)), weights, weights, backend=backend)
    y.sum().backward()
    assert y[:, :, :bounded].isfinite().all()
    assert (kinds(y[:, :, bounded:]) == (1 if bounded else 2)).all()
    assert not delta.grad[:, :, 0].isfinite().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_results_too_large_for_their_dtype(backend, dtype):
    """The state is float32, and the sums too."""
    large = torch.finfo(dtype).max
    D = torch.tensor([[1, 2, -2, math.inf, math.nan]], dtype=dtype)
    arguments = make(b=1, L=3, K=0, D=False, bias=False, dtype=dtype)
    arguments["x"].data.fill_(large)
    arguments["delta"].data.fill_(-1e4)
    y = selective_scan(**arguments, D=D, backend=backend)
    want = torch.tensor([large, math.inf, -math.inf, math.inf, math.nan], dtype=dtype).expand(1, 1, 3, 5)
    torch.testing.assert_close(y, want, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("backend", AVAILABLE)
@pytest.mark.parametrize("entry", [-1, 8, 1 << 40, -(1 << 62)])
def test_orders_that_point_outside(backend, entry):
    arguments = make(K=4)
    arguments["orders"][3, 5] = entry
    with pytest.raises(ValueError, match=r"orders\[3\] is no permutation of 0..7"):
        selective_scan(**arguments, backend=backend)


@pytest.mark.parametrize("backend", AVAILABLE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_an_empty_batch_has_gradients_of_zero(backend, dtype):
    arguments = make(b=0, T=2, dtype=dtype)
    results = run(arguments, backend, torch.zeros(0, 2, 8, 5, dtype=dtype))
    for name, tensor in results.items():
        like = arguments["x" if name == "y" else name]
        assert tensor.shape == like.shape, name
        assert tensor.dtype == like.dtype, name
        assert not tensor.any(), name
