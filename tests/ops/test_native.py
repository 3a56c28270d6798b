"""The compiled scan: its builds, threads and processes, torch's compiler, and installations without it."""

import ctypes
import multiprocessing
import threading
import time

import pytest
import torch

from pamm.ops import native, selective_scan
from pamm.ops.native import LIBRARY
from scan_toys import make

needs_library = pytest.mark.skipif(not LIBRARY.exists(), reason="the package was installed without a compiler")


def results(arguments, weight) -> list[torch.Tensor]:
    """Output and every gradient."""
    y = selective_scan(**arguments, backend="native")
    wanted = [tensor for tensor in arguments.values() if tensor.requires_grad]
    return [y.detach(), *torch.autograd.grad(y, wanted, weight)]


@pytest.fixture
def example() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A call that is worth several threads, with a last block of channels and of states that are not full."""
    arguments = make(b=2, T=2, L=100, E=150, N=6, K=4, dtype=torch.float32)
    return arguments, torch.randn(arguments["x"].shape)


@needs_library
def test_every_instruction_set_agrees(example, monkeypatch):
    arguments, weight = example
    best = results(arguments, weight)
    names = native.instruction_sets()
    assert names[-1] == "base"
    for level in range(1, len(names)):
        monkeypatch.setattr(native, "_LEVEL", level)
        for got, want in zip(results(arguments, weight), best, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=float(1e-5 * want.abs().max()))


@needs_library
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_numbers_do_not_depend_on_threads(example, threads):
    arguments, weight = example
    before = torch.get_num_threads()
    alone = results(arguments, weight)
    try:
        torch.set_num_threads(threads)
        together = results(arguments, weight)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(got, want) for got, want in zip(together, alone, strict=True))


@needs_library
def test_threads_of_a_program_may_call_at_once(example):
    arguments, weight = example
    want, got = results(arguments, weight), {}
    callers = [threading.Thread(target=lambda k=k: got.update({k: results(arguments, weight)})) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(torch.equal(mine, its) for k in range(4) for mine, its in zip(got[k], want, strict=True))


def _in_child(queue, arguments) -> None:
    queue.put(float(selective_scan(**arguments, backend="native").sum()))


@needs_library
def test_a_forked_process_may_call(example):
    arguments = {name: tensor.detach() for name, tensor in example[0].items()}
    here = float(selective_scan(**arguments, backend="native").sum())
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(queue, arguments))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == here


@needs_library
def test_numbers_too_small_are_no_slower_and_no_surprise():
    arguments = make(dtype=torch.float32)
    with torch.no_grad():
        arguments["x"] *= 1e-39
    y = selective_scan(**arguments, backend="native")
    assert y.abs().max() < 1e-37
    assert float(torch.tensor(1e-39) * 1) > 0, "the caller's arithmetic keeps its denormals"


@pytest.fixture
def no_library(monkeypatch, tmp_path):
    """As if the package had been installed without a compiler."""
    monkeypatch.setattr(native, "LIBRARY", tmp_path / "none.so")
    native.library.cache_clear()
    native._why_not_here.cache_clear()
    yield
    native.library.cache_clear()
    native._why_not_here.cache_clear()


def test_without_the_library_another_backend_serves(no_library):
    with pytest.warns(UserWarning, match="compiled scan is not here.*Install GCC 12"):
        y = selective_scan(**make())
    assert y.isfinite().all()
    with pytest.raises(ValueError, match=r"'native' \(backend\) cannot take this call: the compiled scan is not"):
        selective_scan(**make(), backend="native")


@needs_library
def test_a_library_of_another_version_is_not_called(monkeypatch):
    fields = [*native._CallStruct._fields_, ("more", ctypes.c_int64)]
    monkeypatch.setattr(native, "_CallStruct", type("_CallStruct", (ctypes.Structure,), {"_fields_": fields}))
    native.library.cache_clear()
    with pytest.raises(OSError, match="was built from other sources; install pamm again"):
        native.library()


@pytest.mark.filterwarnings("ignore:the compiled scan is not here")
def test_without_the_library_it_is_five_times_faster_than_the_reference(no_library):
    arguments = make(b=1, L=144, E=256, N=16, K=4, dtype=torch.float32)
    weight, inputs = torch.randn(arguments["x"].shape), [t for t in arguments.values() if t.requires_grad]

    def best(backend: str | None) -> tuple[float, float]:
        """Least seconds of a forward and of a backward pass; in a row, as what one leaves in memory slows the other."""
        times = []
        for _ in range(4):
            start = time.perf_counter()
            y = selective_scan(**arguments, backend=backend)
            middle = time.perf_counter()
            torch.autograd.grad(y, inputs, weight)
            times.append((middle - start, time.perf_counter() - middle))
        return tuple(map(min, zip(*times, strict=True)))

    fast, slow = best(None), best("reference")
    assert slow[0] >= 5 * fast[0], (fast, slow)
    assert slow[1] >= 5 * fast[1], (fast, slow)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor.to("meta"), "it runs on CPUs, not on meta"),
        (lambda tensor: tensor.to(torch.float8_e4m3fn), "not torch.float8_e4m3fn"),
    ],
)
def test_what_it_refuses(change, message):
    arguments = {name: change(tensor.detach()) for name, tensor in make().items() if name != "orders"}
    with pytest.raises(ValueError, match=message):
        selective_scan(**arguments, backend="native")


@needs_library
def test_more_positions_than_the_table_has_room_for():
    """Beyond 16,384 positions each order computes its exponentials."""
    arguments = make(b=1, L=16400, E=3, N=2, dtype=torch.float32)
    weight = torch.randn(arguments["x"].shape)
    got = results(arguments, weight)
    wide = {name: tensor.detach().double() for name, tensor in arguments.items() if tensor.requires_grad}
    wide = {name: tensor.requires_grad_() for name, tensor in wide.items()}
    y = selective_scan(**wide, orders=arguments["orders"], backend="chunked")
    want = [y.detach(), *torch.autograd.grad(y, list(wide.values()), weight.double())]
    for mine, its in zip(got, want, strict=True):
        assert (mine - its).abs().max() <= 1e-5 * its.abs().max()
