"""The selective scan: every backend against the reference in float64, the extremes."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from pamm.ops import SCAN_BACKENDS, chunk_groups, selective_scan
from pamm.ops.scan_call import ScanCall
from scan_toys import AVAILABLE, compare, leaves, make, run

FAST = [name for name in AVAILABLE if name != "reference"]


def by_hand(x, delta, A, B, C, D, delta_bias, orders) -> Tensor:
    """The formula, number by number."""
    y = torch.zeros_like(x)
    for b, t, e in torch.cartesian_prod(*(torch.arange(x.shape[axis]) for axis in (0, 1, 3))).tolist():
        for order in orders.tolist():
            h = [0.0] * A.shape[2]
            for p in order:
                step = math.log1p(math.exp(delta[b, t, p, e] + delta_bias[t, e]))
                for n in range(len(h)):
                    h[n] = math.exp(step * A[t, e, n]) * h[n] + step * x[b, t, p, e] * B[b, t, p, n]
                    y[b, t, p, e] += C[b, t, p, n] * h[n]
                y[b, t, p, e] += D[t, e] * x[b, t, p, e]
    return y


@pytest.mark.parametrize("backend", AVAILABLE)
def test_equals_the_formula(backend):
    arguments = {name: tensor.detach() for name, tensor in make(b=1, T=2, L=6, E=2, N=2, K=2).items()}
    torch.testing.assert_close(selective_scan(**arguments, backend=backend), by_hand(**arguments))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize(
    "sizes",
    [
        {"L": 1, "K": 1},
        {"L": 1, "K": 4, "T": 3},
        {"L": 16, "K": 1, "E": 1, "N": 1},
        {"L": 17, "K": 8, "b": 3, "E": 7},
        {"L": 63, "K": 4, "T": 3},
        {"L": 100, "K": 3, "N": 16, "b": 1},
        {"L": 63, "K": 0, "D": False, "bias": False},
        {"L": 20, "K": 4, "D": False},
        {"L": 20, "K": 4, "bias": False, "T": 3},
        {"b": 0},
    ],
    ids=str,
)
def test_output_and_every_gradient(backend, sizes):
    arguments = make(**sizes, dtype=torch.float32)
    if sizes.get("b") == 0:
        assert selective_scan(**arguments, backend=backend).shape == arguments["x"].shape
    else:
        compare(arguments, backend)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize(
    ("L", "E", "N", "K", "T"),
    [
        (1, 384, 64, 8, 5),
        (1, 1, 1, 1, 1),
        (63, 33, 64, 4, 5),
        (63, 7, 1, 8, 5),
        (63, 384, 3, 2, 1),
        (1008, 384, 16, 4, 1),
        (1008, 1, 64, 1, 5),
        (1008, 33, 3, 8, 1),
        (1025, 7, 16, 2, 5),
        (1025, 384, 1, 1, 1),
        (1025, 33, 64, 8, 1),
        (1025, 1, 3, 4, 1),
    ],
)
def test_sizes_of_every_order_of_magnitude(backend, L, E, N, K, T):
    """Every pair of these sizes of two letters, nearly, against the reference in float64."""
    arguments = make(b=1, T=T, L=L, E=E, N=N, K=K, dtype=torch.float32)
    weight = torch.randn(arguments["x"].shape)
    call = ScanCall(**{name: tensor.detach() for name, tensor in arguments.items()})
    wide = ScanCall(*(tensor.double() for tensor in call.inputs()), call.orders)
    truth, scan = SCAN_BACKENDS["reference"], SCAN_BACKENDS[backend]
    want = [truth.scan(wide), *truth.gradients(weight.double(), wide)]
    got = [scan.scan(call), *scan.gradients(weight, call)]
    for name, mine, its in zip(("y", *arguments), got, want, strict=False):
        limit = (1e-6 if name == "y" else 1e-5) * its.abs().max()
        error = (mine - its).abs().max()
        assert error <= limit, f"{name}: {error:.1e} > {limit:.1e}"


@pytest.mark.parametrize(
    ("slab", "sizes"), [(40, {"E": 7, "T": 3, "b": 1}), (150, {"E": 5, "T": 3, "b": 2}), (1, {"E": 2})], ids=str
)
def test_groups_of_rows_and_channels_change_nothing(slab, sizes, monkeypatch):
    """Groups that cut rows and channels unevenly, as those of large inputs do."""
    monkeypatch.setattr(chunk_groups, "_SMALLEST_SLAB", 1)
    monkeypatch.setattr(chunk_groups, "_CPU", dataclasses.replace(chunk_groups._CPU, slab=slab))
    compare(make(L=21, K=4, N=3, dtype=torch.float32, **sizes), "chunked")


@pytest.mark.parametrize("backend", AVAILABLE)
def test_gradcheck(backend):
    arguments = make(b=1, T=2, L=18, E=2, N=2, K=2)
    orders, names = arguments.pop("orders"), list(arguments)

    def scan(*tensors: Tensor) -> Tensor:
        return selective_scan(**dict(zip(names, tensors, strict=True)), orders=orders, backend=backend)

    assert torch.autograd.gradcheck(scan, tuple(arguments.values()), fast_mode=True)


@pytest.mark.parametrize("only", ["x", "delta", "A", "B", "C", "D", "delta_bias"])
def test_gradients_for_one_input_alone(only):
    arguments = make(K=2)
    weight = torch.randn(arguments["x"].shape, dtype=torch.float64)
    every = run(arguments, "chunked", weight)
    for name, tensor in arguments.items():
        tensor.requires_grad_(name == only)
    torch.testing.assert_close(run(arguments, "chunked", weight), {"y": every["y"], only: every[only]})


@pytest.mark.parametrize("backend", FAST)
def test_extremes(backend):
    """Steps of 30 and of e^-60, decays of e^-12000: nothing overflows, nothing is lost."""
    arguments = make(T=2, L=40, K=4, D=False, bias=False, dtype=torch.float32)
    with torch.no_grad():
        arguments["delta"][:, :, ::3] = 30
        arguments["delta"][:, :, 1::5] = -60
        arguments["A"][0] = -400
        arguments["A"][1, :, 0] = -1e-6
    compare(arguments, backend)


@pytest.mark.parametrize("backend", AVAILABLE)
@pytest.mark.parametrize("where", ["x", "delta"])
def test_nan_stays_in_its_channel(backend, where):
    arguments = make(b=2, T=2, L=20, E=4, dtype=torch.float32)
    clean = selective_scan(**arguments, backend=backend)
    arguments[where].data[0, 1, 7, 2] = math.nan
    y = selective_scan(**arguments, backend=backend)
    assert y[0, 1, :, 2].isnan().any()
    y[0, 1, :, 2] = clean[0, 1, :, 2]
    torch.testing.assert_close(y, clean, rtol=0, atol=0)


@pytest.mark.parametrize("backend", FAST)
def test_inputs_that_are_not_contiguous(backend):
    arguments = make(b=2, T=3, L=20, E=4, N=3, dtype=torch.float32)
    expanded = {
        **arguments,
        "x": torch.randn(2, 4, 20, 3).requires_grad_().permute(0, 3, 2, 1),
        "delta": torch.randn(2, 1, 20, 4).requires_grad_().expand(2, 3, 20, 4),
        "A": (-torch.rand(3, 1, 4)).requires_grad_().mT.expand(3, 4, 3),
        "B": torch.randn(2, 3, 3, 40).requires_grad_()[..., ::2].mT,
        "orders": arguments["orders"].T.contiguous().T,
    }
    assert not any(expanded[name].is_contiguous() for name in ("x", "delta", "A", "B", "orders"))
    compare(expanded, backend)


@pytest.mark.parametrize("backend", AVAILABLE)
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
def test_half_precision_inputs(backend, dtype, rounding):
    """The state is float32, so nothing but the results is rounded."""
    compare(make(L=63, T=2, K=4, dtype=dtype), backend, output=rounding, gradient=rounding)


@pytest.mark.parametrize("backend", AVAILABLE)
def test_autocast_leaves_the_state_alone(backend):
    arguments = make(L=30, dtype=torch.float32)
    want = selective_scan(**arguments, backend=backend)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = selective_scan(**arguments, backend=backend)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, want)


def test_the_widest_input_decides_the_state_and_x_the_result():
    arguments = make(dtype=torch.float32)
    arguments["A"] = arguments["A"].double().detach()
    got = selective_scan(**arguments)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, selective_scan(**leaves(arguments, torch.float64)).float(), rtol=1e-6, atol=1e-6)


def test_no_orders_is_one_order_and_d_counts_for_each():
    arguments = make(K=0)
    once = selective_scan(**arguments)
    identity = torch.arange(8).expand(3, 8)
    torch.testing.assert_close(selective_scan(**arguments, orders=identity), 3 * once)


def test_a_later_position_changes_nothing_before():
    arguments = make(b=1, L=50, K=0, dtype=torch.float32)
    before = selective_scan(**arguments)
    arguments["x"].data[:, :, 30:] += 1
    torch.testing.assert_close(selective_scan(**arguments)[:, :, :30], before[:, :, :30], rtol=0, atol=0)


def test_results_do_not_depend_on_threads_and_leave_them_alone():
    arguments = make(b=4, T=2, L=40, E=16, dtype=torch.float32)
    weight = torch.randn(arguments["x"].shape)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(run(arguments, "chunked", weight))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for name, value in results[0].items():
        torch.testing.assert_close(results[1][name], value, rtol=1e-6, atol=1e-6)


def test_memory_is_bounded(monkeypatch):
    """What the chunked scan allocates beyond its inputs and results stays the same as batch and channels grow."""
    rooms = []

    class Seen(chunk_groups.Room):
        def __init__(self, like: Tensor) -> None:
            super().__init__(like)
            rooms.append(self)

    monkeypatch.setattr(chunk_groups, "Room", Seen)

    def most(**sizes: int) -> int:
        """Bytes of the buffers of the pass that has most."""
        rooms.clear()
        selective_scan(**make(**sizes, L=48, K=4, N=8, dtype=torch.float32), backend="chunked").sum().backward()
        return max(sum(buffer.nbytes for buffer in room._buffers.values()) for room in rooms)

    small, large = most(b=2, T=2, E=256), most(b=4, T=4, E=512)
    states = 4 * 4 * 4 * 48 * 512 * 8 * 4
    assert large < 1.3 * small
    assert large < states / 2


@pytest.mark.parametrize("backend", AVAILABLE)
def test_second_derivatives_are_right_or_refused_clearly(backend):
    arguments = make(K=1)
    y = selective_scan(**arguments, backend=backend)
    (gradient,) = torch.autograd.grad(y.sum(), arguments["x"], create_graph=True)
    if backend == "reference":
        assert torch.autograd.grad(gradient.sum(), arguments["delta"])[0].abs().max() > 0
    else:
        with pytest.raises(RuntimeError, match=r'first derivatives only.*backend="reference"'):
            torch.autograd.grad(gradient.sum(), arguments["delta"])
