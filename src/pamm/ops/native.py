"""The selective scan in C, for CPUs: the shared library that the package carries, called on the tensors' memory.

The library (``csrc/``) knows nothing of torch or Python, so that one build serves all their versions. It picks the
widest vectors that the processor has, works on as many threads as torch does, and gives the same numbers on any number
of them. The threads are torch's own where it uses OpenMP: others would have to share the cores with them, as they keep
spinning for milliseconds after each of torch's operations.
"""

import ctypes
import functools
import os
import warnings
from pathlib import Path

import torch
from torch import Tensor

from pamm.ops.scan_call import ScanCall, contiguous_like

LIBRARY = Path(__file__).parent / "csrc" / "libpamm_scan.so"
"""Where the build of the package puts the library, if there was a compiler."""

_DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
_GROUP = 64
"""Channels, at least, of each part of the sums over channels, which does not depend on the threads."""
_MOST_GROUPS = 8
_LEVEL = 0
"""Which of :func:`instruction_sets` is used."""
_PROCESS = os.getpid()
"""The process that imported this module: OpenMP does not notice that its threads are gone in a fork."""
_WORTH_A_THREAD = 1 << 20
"""Updates of a state that take longer than starting threads does."""


class _TensorStruct(ctypes.Structure):
    """``pamm_tensor`` of csrc/scan.h."""

    _fields_ = (("data", ctypes.c_void_p), ("stride", ctypes.c_int64 * 4), ("dtype", ctypes.c_int32))


_TENSORS = ("x", "delta", "A", "B", "C", "D", "bias", "y", "dy", "dx", "ddelta", "dB", "dC", "dA", "dD", "dbias")


class _CallStruct(ctypes.Structure):
    """``pamm_scan`` of csrc/scan.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("batch", "tasks", "length", "width", "states", "orders")),
        *((name, ctypes.c_void_p) for name in ("order", "parallel")),
        *((name, ctypes.c_int32) for name in ("threads", "wide", "level")),
        *((name, _TensorStruct) for name in _TENSORS),
        ("groups", ctypes.c_int64),
    )


@functools.cache
def library() -> ctypes.CDLL:
    """The loaded library.

    Raises:
        OSError: if it is not there, does not load on this machine, or was built from other sources than these.
    """
    loaded = ctypes.CDLL(str(LIBRARY))
    if not hasattr(loaded, "pamm_scan_size") or loaded.pamm_scan_size() != ctypes.sizeof(_CallStruct):
        raise OSError(f"{LIBRARY} was built from other sources; install pamm again")
    for name in ("pamm_scan_forward", "pamm_scan_backward"):
        getattr(loaded, name).argtypes = [ctypes.POINTER(_CallStruct)]
        getattr(loaded, name).restype = ctypes.c_int
    loaded.pamm_scan_level.argtypes = [ctypes.c_int]
    loaded.pamm_scan_level.restype = ctypes.c_char_p
    return loaded


@functools.cache
def _openmp() -> int | None:
    """Address of OpenMP's function that runs another on torch's threads, or None where there is none."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        return None


def instruction_sets() -> tuple[str, ...]:
    """Names of the library's builds that this processor can run, best first; the first one is used.

    Raises:
        OSError: if there is no library.
    """
    return tuple(library().pamm_scan_level(index).decode() for index in range(library().pamm_scan_levels()))


@functools.cache
def _why_not_here() -> str | None:
    """Why the library cannot be used on this machine, said once as a warning; None where it can."""
    try:
        library()
    except OSError as error:
        reason = f"the compiled scan is not here ({error})"
        warnings.warn(
            f"{reason}: a slower one serves. Install GCC 12 or newer, or Clang, and then pamm again.", stacklevel=2
        )
        return reason
    return None


def native_refusal(*tensors: Tensor) -> str | None:
    """Why the library cannot take these tensors, or None where it can."""
    for tensor in tensors:
        if tensor.device.type != "cpu":
            return f"it runs on CPUs, not on {tensor.device.type}"
        if tensor.is_floating_point() and tensor.dtype not in _DTYPES:
            return f"it takes {', '.join(str(dtype).removeprefix('torch.') for dtype in _DTYPES)}, not {tensor.dtype}"
    return _why_not_here()


def scan_native(call: ScanCall) -> Tensor:
    """Scan on a CPU with the compiled library.

    Strides are taken as they are. The state is float64 if any input is, else float32. Beyond its inputs and results a
    thread needs some L · (1,000 + 16 N) bytes, and the backward pass up to 8 times what B and C take.

    Returns:
        Sum over the orders, (b, T, L, E), in the dtype of x.

    Raises:
        MemoryError: if there is no memory for the work of a thread.
    """
    y = contiguous_like(call.x)
    _run("pamm_scan_forward", call, y=y)
    return y


def native_gradients(dy: Tensor, call: ScanCall) -> list[Tensor]:
    """Gradients of :func:`scan_native`: of x, delta, A, B, C and, where there are any, of D and delta_bias.

    Raises:
        MemoryError: if there is no memory for the work of a thread.
    """
    whole = {"dx": contiguous_like(call.x), "ddelta": contiguous_like(call.delta)}
    summed = {"dA": call.A, "dB": call.B, "dC": call.C, "dD": call.D, "dbias": call.delta_bias}
    parts = {"dB": _groups(call), "dC": _groups(call)}
    sums = {
        name: tensor.new_zeros(parts.get(name, len(call.x)), *tensor.shape, dtype=call.dtype)
        for name, tensor in summed.items()
        if tensor is not None
    }
    _run("pamm_scan_backward", call, dy=dy, **whole, **sums)
    gradients = (sums[name].sum(0).to(tensor.dtype) for name, tensor in summed.items() if tensor is not None)
    return [*whole.values(), *gradients]


def _groups(call: ScanCall) -> int:
    """Into how many parts the channels are cut, for threads and for sums over channels."""
    return max(1, min(_MOST_GROUPS, call.x.shape[-1] // _GROUP))


def _run(function: str, call: ScanCall, **results: Tensor) -> None:
    """Run a function of the library on a call, with more tensors by the names of ``pamm_scan``."""
    orders, states = call.orders.contiguous(), call.A.shape[2]
    struct = _CallStruct(*call.x.shape, states, len(orders), orders.data_ptr())
    struct.parallel = _openmp() if os.getpid() == _PROCESS else None
    work = call.x.numel() * states * len(orders)
    struct.threads = torch.get_num_threads() if work > _WORTH_A_THREAD else 1
    struct.wide = call.dtype == torch.float64
    struct.level = _LEVEL
    struct.groups = _groups(call)
    for name, tensor in (*zip(_TENSORS, list(call)[:-1], strict=False), *results.items()):
        if tensor is not None:
            strides = (ctypes.c_int64 * 4)(*tensor.stride()[:4])
            setattr(struct, name, _TensorStruct(tensor.data_ptr(), strides, _DTYPES[tensor.dtype]))
    if getattr(library(), function)(ctypes.byref(struct)):
        raise MemoryError("no memory for the scan: use smaller inputs, or fewer threads (torch.set_num_threads)")
