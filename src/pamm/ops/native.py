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

from pamm.ops.reference import state_dtype

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


def scan_native(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    orders: Tensor,
) -> Tensor:
    """Scan on a CPU with the compiled library.

    Strides are taken as they are. The state is float64 if any input is, else float32. Beyond its inputs and results a
    thread needs some L · (1,000 + 16 N) bytes, and the backward pass up to 8 times what B and C take.

    Args:
        x: input, (b, T, L, E).
        delta: step before bias and softplus, (b, T, L, E).
        A: decay, (T, E, N), negative.
        B: input weights, (b, T, L, N).
        C: output weights, (b, T, L, N).
        D: weight of the direct path, (T, E), or None.
        delta_bias: bias of the step, (T, E), or None.
        orders: permutations of the positions, (K, L).

    Returns:
        Sum over the orders, (b, T, L, E), in the dtype of x.

    Raises:
        MemoryError: if there is no memory for the work of a thread.
    """
    y = _like(x)
    _call("pamm_scan_forward", orders, x=x, delta=delta, A=A, B=B, C=C, D=D, bias=delta_bias, y=y)
    return y


def native_gradients(
    dy: Tensor,
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    orders: Tensor,
) -> list[Tensor]:
    """Gradients of :func:`scan_native`: of x, delta, A, B, C and, where there are any, of D and delta_bias.

    Raises:
        MemoryError: if there is no memory for the work of a thread.
    """
    dtype = state_dtype(x, delta, A, B, C, D, delta_bias)
    whole = {"dx": _like(x), "ddelta": _like(delta)}
    summed = {"dA": A, "dB": B, "dC": C, "dD": D, "dbias": delta_bias}
    parts = {"dB": _groups(x), "dC": _groups(x)}
    sums = {
        name: tensor.new_zeros(parts.get(name, len(x)), *tensor.shape, dtype=dtype)
        for name, tensor in summed.items()
        if tensor is not None
    }
    inputs = {"x": x, "delta": delta, "A": A, "B": B, "C": C, "D": D, "bias": delta_bias, "dy": dy}
    _call("pamm_scan_backward", orders, **inputs, **whole, **sums)
    gradients = (sums[name].sum(0).to(tensor.dtype) for name, tensor in summed.items() if tensor is not None)
    return [*whole.values(), *gradients]


def _like(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _groups(x: Tensor) -> int:
    """Into how many parts the channels are cut, for threads and for sums over channels."""
    return max(1, min(_MOST_GROUPS, x.shape[-1] // _GROUP))


def _call(function: str, orders: Tensor, **tensors: Tensor | None) -> None:
    """Call the library with tensors by the names of ``pamm_scan``."""
    x, A = tensors["x"], tensors["A"]
    assert x is not None
    assert A is not None
    orders = orders.contiguous()
    call = _CallStruct(*x.shape, A.shape[2], len(orders), orders.data_ptr())
    call.parallel = _openmp() if os.getpid() == _PROCESS else None
    work = x.numel() * A.shape[2] * len(orders)
    call.threads = torch.get_num_threads() if work > _WORTH_A_THREAD else 1
    call.wide = state_dtype(*(tensors[name] for name in _TENSORS[:7])) == torch.float64
    call.level = _LEVEL
    call.groups = _groups(x)
    for name, tensor in tensors.items():
        if tensor is not None:
            strides = (ctypes.c_int64 * 4)(*tensor.stride()[:4])
            setattr(call, name, _TensorStruct(tensor.data_ptr(), strides, _DTYPES[tensor.dtype]))
    if getattr(library(), function)(ctypes.byref(call)):
        raise MemoryError("no memory for the scan: use smaller inputs, or fewer threads (torch.set_num_threads)")
