"""The implementations of the selective scan, and which of them serves a call: the one place that chooses."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from pamm.ops.chunked import chunked_gradients, scan_chunked
from pamm.ops.native import native_gradients, native_refusal, scan_native
from pamm.ops.reference import reference_gradients, scan_reference
from pamm.ops.scan_call import ScanCall, check_call
from pamm.ops.triton_scan import scan_triton, triton_gradients, triton_refusal

ENVIRONMENT = "PAMM_SCAN_BACKEND"
"""Environment variable with the name of the backend to use where the call names none."""


@dataclass(frozen=True, kw_only=True)
class ScanBackend:
    """One implementation of the scan."""

    name: str
    """Name by which it is asked for."""
    summary: str
    """What it is and where it serves, one line."""
    scan: Callable[[ScanCall], Tensor]
    """The output, contiguous."""
    gradients: Callable[[Tensor, ScanCall], list[Tensor]]
    """From the output's gradient, those of x, delta, A, B, C and, where there are any, of D and delta_bias, in this
    order, each in its tensor's dtype."""
    refusal: Callable[[ScanCall], str | None]
    """Why it cannot take this very call, or None where it can."""
    any_derivative: bool = False
    """Whether autograd can differentiate ``scan`` itself, in both modes and any number of times."""


_BACKENDS = (
    ScanBackend(
        name="native",
        summary="C, CPUs: the orders share their exponentials, no permuted copies, as many threads as torch has",
        scan=scan_native,
        gradients=native_gradients,
        refusal=lambda call: native_refusal(*call.tensors()),
    ),
    ScanBackend(
        name="triton",
        summary="Triton, CUDA devices: all orders, tasks and batch entries in one launch",
        scan=scan_triton,
        gradients=triton_gradients,
        refusal=lambda call: triton_refusal(*call.tensors()),
    ),
    ScanBackend(
        name="chunked",
        summary="plain PyTorch, any device: a loop over positions in chunks, all orders at once, bounded memory",
        scan=scan_chunked,
        gradients=chunked_gradients,
        refusal=lambda call: None,
    ),
    ScanBackend(
        name="reference",
        summary="plain PyTorch, any device: step by step, the truth the others are tested against, slow",
        scan=scan_reference,
        gradients=reference_gradients,
        refusal=lambda call: None,
        any_derivative=True,
    ),
)
SCAN_BACKENDS: dict[str, ScanBackend] = {backend.name: backend for backend in _BACKENDS}
"""The backends by name; a call that asks for none gets the first that takes it."""

_unpack_dual: Callable[[Tensor], forward_ad.UnpackedDualTensor] = forward_ad.unpack_dual


def choose_backend(call: ScanCall, name: str | None = None) -> ScanBackend:
    """The backend for a call: the one that is named, by argument or environment, or the first that takes it.

    Raises:
        ValueError: if the named backend is unknown or cannot take the call.
    """
    asked_by = "backend"
    if name is None:
        name, asked_by = os.environ.get(ENVIRONMENT) or None, ENVIRONMENT
    if name is None:
        return next(backend for backend in SCAN_BACKENDS.values() if _refusal(backend, call) is None)
    if name not in SCAN_BACKENDS:
        raise ValueError(f"unknown scan backend {name!r} ({asked_by}); choose one of {', '.join(SCAN_BACKENDS)}")
    refusal = _refusal(SCAN_BACKENDS[name], call)
    if refusal is not None:
        raise ValueError(f"the scan backend {name!r} ({asked_by}) cannot take this call: {refusal}")
    return SCAN_BACKENDS[name]


def scan_backends_here(device: str = "cpu") -> dict[str, tuple[str, str | None]]:
    """What each backend is, and why it cannot serve on this machine (None where it can), by name, the first first.

    Args:
        device: where the tensors of a call would lie.
    """
    x, A, B = (torch.zeros(shape, device=device) for shape in ((1, 1, 1, 1), (1, 1, 1), (1, 1, 1, 1)))
    call = check_call(x, x, A, B, B, None, None, None)
    return {backend.name: (backend.summary, backend.refusal(call)) for backend in SCAN_BACKENDS.values()}


def _refusal(backend: ScanBackend, call: ScanCall) -> str | None:
    if not backend.any_derivative and any(_unpack_dual(tensor).tangent is not None for tensor in call.tensors()):
        return "it has no forward-mode derivative"
    return backend.refusal(call)
