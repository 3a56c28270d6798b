"""The selective scan over several orders of the same positions: the public operation, its checks, its backends.

Letters: ``b`` batch, ``T`` tasks, ``L`` positions, ``E`` channels, ``N`` states, ``K`` orders.
"""

import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils.weak import WeakTensorKeyDictionary

from pamm.ops.chunked import scan_chunked
from pamm.ops.native import native_refusal, scan_native
from pamm.ops.reference import scan_reference

ENVIRONMENT = "PAMM_SCAN_BACKEND"
"""Environment variable with the name of the backend to use where the call names none."""


@dataclass(frozen=True, kw_only=True)
class ScanCall:
    """Checked arguments of one call; the shapes are those of :func:`selective_scan`.

    ``orders`` is always given, and on the device of ``x``.
    """

    x: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    delta_bias: Tensor | None
    orders: Tensor


@dataclass(frozen=True, kw_only=True)
class ScanBackend:
    """One implementation of the scan."""

    name: str
    """Name by which it is asked for."""
    summary: str
    """What it is and where it serves, one line."""
    scan: Callable[..., Tensor]
    """The kernel, called with the fields of :class:`ScanCall` by position."""
    refusal: Callable[[ScanCall], str | None]
    """Why it cannot take this very call, or None where it can."""


_unpack_dual: Callable[[Tensor], forward_ad.UnpackedDualTensor] = forward_ad.unpack_dual


def _forward_mode_refusal(call: ScanCall) -> str | None:
    tensors = (value for value in vars(call).values() if value is not None)
    if any(_unpack_dual(tensor).tangent is not None for tensor in tensors):
        return "it has no forward-mode derivative"
    return None


def _native_refusal(call: ScanCall) -> str | None:
    tensors = tuple(value for value in vars(call).values() if value is not None)
    return _forward_mode_refusal(call) or native_refusal(*tensors)


_BACKENDS = (
    ScanBackend(
        name="native",
        summary="C, CPUs: the orders share their exponentials, no permuted copies, as many threads as torch has",
        scan=scan_native,
        refusal=_native_refusal,
    ),
    ScanBackend(
        name="chunked",
        summary="plain PyTorch, any device: a loop over positions in chunks, all orders at once, bounded memory",
        scan=scan_chunked,
        refusal=_forward_mode_refusal,
    ),
    ScanBackend(
        name="reference",
        summary="plain PyTorch, any device: step by step, the truth the others are tested against, slow",
        scan=scan_reference,
        refusal=lambda call: None,
    ),
)
SCAN_BACKENDS: dict[str, ScanBackend] = {backend.name: backend for backend in _BACKENDS}
"""The backends by name; a call that asks for none gets the first that takes it."""


def selective_scan(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    *,
    delta_bias: Tensor | None = None,
    orders: Tensor | None = None,
    backend: str | None = None,
) -> Tensor:
    """Scan the positions of ``x`` with a selective state space, in K orders at once, and sum the results.

    With the step Δ = softplus(delta + delta_bias), along every order the state h, (E, N), starts at zero and ::

        h ← exp(Δ_p A) ⊙ h + (Δ_p x_p) B_p,    y_p += C_p · h + D x_p    at p = order[0], order[1], ...

    so D counts K times. The state is float32, or float64 if any input is; a NaN stays in its own channel.

    Args:
        x: input, (b, T, L, E), floating point.
        delta: step size before bias and softplus, (b, T, L, E).
        A: decay rates, (T, E, N), negative (positive ones are not refused, but the state then grows).
        B: input weights, (b, T, L, N).
        C: output weights, (b, T, L, N).
        D: weight of the direct path, (T, E), or None for no such path.
        delta_bias: added to ``delta``, (T, E), or None.
        orders: K permutations of the L positions, (K, L) int64, as :func:`pamm.ops.scan_orders` gives them for a
            grid; on any device. None is the one order 0, 1, 2, ... They are checked at each call, unless
            :func:`pamm.ops.checked_orders` has.
        backend: name of the backend, a key of ``SCAN_BACKENDS``. None is the one that the environment variable
            ``PAMM_SCAN_BACKEND`` names or, without it, the first that takes the call.

    Returns:
        The outputs of the K orders put back in place and summed, (b, T, L, E), in the dtype of ``x``.

    Raises:
        ValueError: if shapes, dtypes or devices do not fit together, an order is no permutation, or the backend is
            unknown or cannot take this call.

    Source:
        Mamba's S6 (arXiv 2312.00752, algorithm 2) and PAMM's multi-directional Hilbert scanning (arXiv 2511.14503).
        As there, and unlike a zero-order hold, B is multiplied by Δ.
    """
    call = _check(x, delta, A, B, C, D, delta_bias, orders)
    chosen = choose_backend(call, backend)
    return chosen.scan(*vars(call).values())


def choose_backend(call: ScanCall, name: str | None = None) -> ScanBackend:
    """The backend for a call: the one that is named, by argument or environment, or the first that takes it.

    Raises:
        ValueError: if the named backend is unknown or cannot take the call.
    """
    asked_by = "backend"
    if name is None:
        name, asked_by = os.environ.get(ENVIRONMENT) or None, ENVIRONMENT
    if name is None:
        return next(backend for backend in SCAN_BACKENDS.values() if backend.refusal(call) is None)
    if name not in SCAN_BACKENDS:
        raise ValueError(f"unknown scan backend {name!r} ({asked_by}); choose one of {', '.join(SCAN_BACKENDS)}")
    refusal = SCAN_BACKENDS[name].refusal(call)
    if refusal is not None:
        raise ValueError(f"the scan backend {name!r} ({asked_by}) cannot take this call: {refusal}")
    return SCAN_BACKENDS[name]


def scan_backends_here(device: str = "cpu") -> dict[str, tuple[str, str | None]]:
    """What each backend is, and why it cannot serve on this machine (None where it can), by name, the first first.

    Args:
        device: where the tensors of a call would lie.
    """
    x, A, B = (torch.zeros(shape, device=device) for shape in ((1, 1, 1, 1), (1, 1, 1), (1, 1, 1, 1)))
    call = _check(x, x, A, B, B, None, None, None)
    return {backend.name: (backend.summary, backend.refusal(call)) for backend in SCAN_BACKENDS.values()}


def _check(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    orders: Tensor | None,
) -> ScanCall:
    if x.ndim != 4:
        raise ValueError(f"x must be (b, T, L, E), got {tuple(x.shape)}")
    if A.ndim != 3:
        raise ValueError(f"A must be (T, E, N), got {tuple(A.shape)}")
    batch, tasks, length, width = x.shape
    states = A.shape[2]
    if 0 in (tasks, length, width, states):
        raise ValueError(f"T, L, E and N must be 1 or more, got x {tuple(x.shape)} and A {tuple(A.shape)}")
    wanted = {
        "delta": (delta, "(b, T, L, E)", (batch, tasks, length, width)),
        "A": (A, "(T, E, N)", (tasks, width, states)),
        "B": (B, "(b, T, L, N)", (batch, tasks, length, states)),
        "C": (C, "(b, T, L, N)", (batch, tasks, length, states)),
        "D": (D, "(T, E)", (tasks, width)),
        "delta_bias": (delta_bias, "(T, E)", (tasks, width)),
    }
    for name, (tensor, letters, shape) in wanted.items():
        if tensor is None:
            continue
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must be {letters} = {shape} for x {tuple(x.shape)} and A {tuple(A.shape)}, "
                f"got {tuple(tensor.shape)}"
            )
        if tensor.device != x.device:
            raise ValueError(f"{name} is on {tensor.device} but x on {x.device}; move it there")
    for name, tensor in {"x": x, **{name: tensor for name, (tensor, _, _) in wanted.items()}}.items():
        if tensor is not None and not tensor.is_floating_point():
            raise ValueError(f"{name} must be floating point, got {tensor.dtype}")
    if orders is None:
        orders = torch.arange(length, device=x.device)[None]
    else:
        _check_orders(orders, length)
    return ScanCall(x=x, delta=delta, A=A, B=B, C=C, D=D, delta_bias=delta_bias, orders=orders.to(x.device))


_CHECKED: MutableMapping[Tensor, int] = WeakTensorKeyDictionary()
"""Orders known to be permutations, by the very tensor, with the count of its changes when they were checked."""


def checked_orders(orders: Tensor) -> Tensor:
    """Check orders once: later calls of :func:`selective_scan` with the same, unchanged tensor take them as checked.

    A check sorts, and waits for an accelerator to finish. Do not change the tensor through memory that it shares with
    a numpy array: torch does not see that.

    Args:
        orders: K permutations of L positions, (K, L) int64.

    Returns:
        The same tensor.

    Raises:
        ValueError: if an order is no permutation, or the shape or dtype are others.
    """
    _check_orders(orders, orders.shape[-1] if orders.ndim else 0)
    if not orders.is_inference():  # such a tensor does not count its changes
        _CHECKED[orders] = orders._version
    return orders


def _is_checked(orders: Tensor) -> bool:
    return orders in _CHECKED and orders._version == _CHECKED[orders]


def _check_orders(orders: Tensor, length: int) -> None:
    if orders.dtype != torch.int64:
        raise ValueError(f"orders must be int64, got {orders.dtype}; use orders.long()")
    if orders.ndim != 2 or orders.shape[0] < 1 or orders.shape[1] != length:
        raise ValueError(f"orders must be (K, L) with K ≥ 1 and L = {length}, got {tuple(orders.shape)}")
    if orders.device.type == "meta" or _is_checked(orders):
        return
    good = (orders.sort(dim=1).values == torch.arange(length, device=orders.device)).all(dim=1)
    if not good.all():
        wrong = (~good).nonzero()[0].item()
        raise ValueError(f"orders[{wrong}] is no permutation of 0..{length - 1}; see pamm.ops.scan_orders")
