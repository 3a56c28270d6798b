"""The selective scan: which backend serves a call, and which calls are refused."""

import dataclasses
import warnings

import pytest
import torch

from pamm.ops import SCAN_BACKENDS, checked_orders, scan_orders, selective_scan
from pamm.ops.backends import ENVIRONMENT
from scan_toys import AVAILABLE, make


class Counter:
    """A scan that says when it was called."""

    def __init__(self, scan) -> None:
        self.scan, self.calls = scan, 0

    def __call__(self, *arguments):
        self.calls += 1
        return self.scan(*arguments)


@pytest.fixture
def calls(monkeypatch) -> dict[str, Counter]:
    """Counters of the calls of each backend."""
    counters = {}
    for name, backend in SCAN_BACKENDS.items():
        counters[name] = Counter(backend.scan)
        monkeypatch.setitem(SCAN_BACKENDS, name, dataclasses.replace(backend, scan=counters[name]))
    return counters


def used(calls: dict[str, Counter]) -> list[str]:
    return [name for name, counter in calls.items() if counter.calls]


def test_the_first_backend_that_takes_the_call_serves(calls, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    selective_scan(**make())
    assert used(calls) == [AVAILABLE[0]]


def test_a_backend_that_refuses_is_passed_over(calls, monkeypatch):
    """Forward-mode derivatives: the chunked scan has none, the reference has."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    arguments = {name: tensor.detach() for name, tensor in make().items()}
    with torch.autograd.forward_ad.dual_level(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = torch.autograd.forward_ad.make_dual(arguments.pop("x"), torch.ones(2, 1, 8, 5, dtype=torch.float64))
        y = selective_scan(x, **arguments)
        assert torch.autograd.forward_ad.unpack_dual(y).tangent is not None
        with pytest.raises(ValueError, match=r"'chunked' \(backend\) cannot take this call: it has no forward-mode"):
            selective_scan(x, **arguments, backend="chunked")
    assert used(calls) == ["reference"]


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_backend_is_forced_by_argument_or_environment(name, calls, monkeypatch):
    selective_scan(**make(), backend=name)
    assert used(calls) == [name]
    monkeypatch.setenv(ENVIRONMENT, name)
    selective_scan(**make())
    assert used(calls) == [name]
    assert calls[name].calls == 2


def test_the_argument_beats_the_environment(calls, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, "nonsense")
    selective_scan(**make(), backend="chunked")
    assert used(calls) == ["chunked"]
    with pytest.raises(
        ValueError, match=r"'nonsense' \(PAMM_SCAN_BACKEND\); choose one of native, triton, chunked, reference"
    ):
        selective_scan(**make())


def test_an_unknown_backend():
    with pytest.raises(
        ValueError, match=r"unknown scan backend 'cuda' \(backend\); choose one of native, triton, chunked"
    ):
        selective_scan(**make(), backend="cuda")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(2, 8, 5)}, r"x must be \(b, T, L, E\), got \(2, 8, 5\)"),
        ({"A": torch.zeros(5, 3)}, r"A must be \(T, E, N\), got \(5, 3\)"),
        ({"A": torch.zeros(1, 5, 0)}, "T, L, E and N must be 1 or more"),
        ({"A": torch.zeros(1, 4, 3)}, r"A must be \(T, E, N\) = \(1, 5, 3\) .*got \(1, 4, 3\)"),
        ({"delta": torch.zeros(2, 1, 7, 5)}, r"delta must be \(b, T, L, E\) = \(2, 1, 8, 5\)"),
        ({"B": torch.zeros(2, 1, 8, 4)}, r"B must be \(b, T, L, N\) = \(2, 1, 8, 3\)"),
        ({"C": torch.zeros(2, 1, 3, 8)}, r"C must be \(b, T, L, N\) = \(2, 1, 8, 3\)"),
        ({"D": torch.zeros(5)}, r"D must be \(T, E\) = \(1, 5\)"),
        ({"delta_bias": torch.zeros(2, 5)}, r"delta_bias must be \(T, E\) = \(1, 5\)"),
        ({"x": torch.zeros(2, 1, 8, 5, dtype=torch.int64)}, "x must be floating point, got torch.int64"),
        ({"B": torch.zeros(2, 1, 8, 3, dtype=torch.complex64)}, "B must be floating point, got torch.complex64"),
        ({"C": torch.zeros(2, 1, 8, 3, device="meta")}, "C is on meta but x on cpu"),
        ({"orders": torch.zeros(2, 8)}, "orders must be int64, got torch.float32"),
        ({"orders": torch.arange(8)}, r"orders must be \(K, L\) with K ≥ 1 and L = 8, got \(8,\)"),
        ({"orders": torch.arange(7)[None]}, r"L = 8, got \(1, 7\)"),
        ({"orders": torch.zeros(0, 8, dtype=torch.int64)}, r"K ≥ 1"),
        ({"orders": torch.arange(8)[None] - 1}, r"orders\[0\] is no permutation of 0..7"),
        ({"orders": torch.stack([torch.arange(8), torch.zeros(8).long()])}, r"orders\[1\] is no permutation"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        selective_scan(**{**make(), **changes})


def test_orders_once_checked_are_taken_until_they_change(monkeypatch):
    sorts = Counter(torch.Tensor.sort)
    monkeypatch.setattr(torch.Tensor, "sort", lambda tensor, **options: sorts(tensor, *options.values()))
    arguments = make()
    selective_scan(**arguments)
    selective_scan(**arguments)
    assert sorts.calls == 2
    arguments["orders"] = checked_orders(arguments["orders"])
    selective_scan(**arguments)
    assert sorts.calls == 3
    with pytest.raises(ValueError, match="no permutation"):
        selective_scan(**{**arguments, "orders": torch.zeros_like(arguments["orders"])})
    arguments["orders"][1, 0] = arguments["orders"][1, 1]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"orders\[1\] is no permutation"):
            selective_scan(**arguments)


def test_checked_orders_refuses_what_the_scan_refuses():
    for orders, message in ((torch.zeros(2, 3).long(), r"orders\[0\]"), (torch.tensor(1), "must be"), ([], "int64")):
        with pytest.raises(ValueError, match=message):
            checked_orders(torch.as_tensor(orders))
    with torch.inference_mode():
        orders = checked_orders(torch.arange(8)[None])
        orders[0, 0] = 1
        with pytest.raises(ValueError, match="no permutation"):
            selective_scan(**{**make(), "orders": orders})


def test_shapes_without_values():
    """On the meta device, as tools that count operations use it."""
    arguments = {name: tensor.to("meta") for name, tensor in make(L=20, K=0).items()}
    orders = scan_orders("hilbert", 4, 5)
    assert selective_scan(**arguments, orders=orders).shape == (2, 1, 20, 5)
