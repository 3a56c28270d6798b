"""The selective scan over several orders of the same positions: the public operation.

Letters: ``b`` batch, ``T`` tasks, ``L`` positions, ``E`` channels, ``N`` states, ``K`` orders.

To compilers and exporters it is one operator, ``torch.ops.pamm.selective_scan``, with gradients and shapes of its own:
they take it as it is, and it checks the orders and chooses the backend when it runs, on the machine where it runs.
Called from Python it is a function that torch.func can differentiate too, as it cannot operators.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx

from pamm.ops.backends import SCAN_BACKENDS, choose_backend
from pamm.ops.scan_call import ScanCall, check_call, contiguous_like


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

    so D counts K times. The state is float32, or float64 if any input is, under autocast too; a NaN stays in its own
    channel. All backends have first derivatives, for autograd and ``torch.func``; the ``reference`` has any, and serves
    calls with forward-mode derivatives. ``torch.compile`` and ``torch.export`` keep it as one operator.

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
        The outputs of the K orders put back in place and summed, (b, T, L, E), in the dtype of ``x``. Second
        derivatives raise RuntimeError, but for those of the ``reference``.

    Raises:
        ValueError: if shapes, dtypes or devices do not fit together, an order is no permutation, or the backend is
            unknown or cannot take this call.

    Source:
        Mamba's S6 (arXiv 2312.00752, algorithm 2) and PAMM's multi-directional Hilbert scanning (arXiv 2511.14503).
        As there, and unlike a zero-order hold, B is multiplied by Δ.
    """
    if torch.compiler.is_compiling():
        traced: Tensor = _scan(x, delta, A, B, C, D, delta_bias, orders, backend)
        return traced
    call = check_call(x, delta, A, B, C, D, delta_bias, orders)
    chosen = choose_backend(call, backend)
    if chosen.any_derivative:
        return chosen.scan(call)
    return _apply(*call, chosen.name)


class _Scan(torch.autograd.Function):
    """Checked arguments and a backend's name to the output, with its derivatives."""

    @staticmethod
    def forward(*inputs: Any) -> Tensor:
        *tensors, backend = inputs
        return SCAN_BACKENDS[backend].scan(ScanCall(*tensors))

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, backend = inputs
        ctx.save_for_backward(*tensors)
        ctx.backend = backend  # type: ignore[attr-defined]  # where torch wants what is no tensor

    @staticmethod
    def backward(ctx: BackwardCFunction, dy: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors  # read once: where activations are recomputed, a second reading is an error
        found = _ScanGradients.apply(dy, *saved, ctx.backend)  # type: ignore[attr-defined, no-untyped-call]
        return _by_input(saved, found)


class _ScanGradients(torch.autograd.Function):
    """The output's gradient and all of the above to the gradients of the inputs that there are."""

    @staticmethod
    def forward(*inputs: Any) -> tuple[Tensor, ...]:
        dy, *tensors, backend = inputs
        return tuple(SCAN_BACKENDS[backend].gradients(dy, ScanCall(*tensors)))

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        pass

    @staticmethod
    def backward(ctx: BackwardCFunction, *_: Tensor) -> None:
        _refuse_second_derivatives()


_apply: Callable[..., Tensor] = _Scan.apply


def _by_input(saved: Sequence[Tensor | None], found: Iterable[Tensor]) -> tuple[Tensor | None, ...]:
    """Gradients in their places among the inputs: none of orders, backend, and tensors that are not given."""
    gradients = iter(found)
    return (*(None if tensor is None else next(gradients) for tensor in saved[:-1]), None, None)


def _refuse_second_derivatives() -> NoReturn:
    raise RuntimeError(
        "this scan has first derivatives only, but more are asked for; "
        'pass backend="reference" to selective_scan, or set PAMM_SCAN_BACKEND=reference'
    )


_INPUTS = (
    "Tensor x, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? delta_bias, Tensor? orders, str? backend"
)


@torch.library.custom_op("pamm::selective_scan", mutates_args=(), schema=f"({_INPUTS}) -> Tensor")
def _scan(*inputs: Any) -> Tensor:
    *tensors, backend = inputs
    call = check_call(*tensors)
    return choose_backend(call, backend).scan(call)


@_scan.register_fake
def _(*inputs: Any) -> Tensor:
    return contiguous_like(check_call(*inputs[:-1], values=False).x)


@torch.library.custom_op("pamm::selective_scan_backward", mutates_args=(), schema=f"(Tensor dy, {_INPUTS}) -> Tensor[]")
def _scan_backward(dy: Tensor, *inputs: Any) -> list[Tensor]:
    *tensors, backend = inputs
    call = check_call(*tensors, values=False)
    return choose_backend(call, backend).gradients(dy, call)


@_scan_backward.register_fake
def _(dy: Tensor, *inputs: Any) -> list[Tensor]:
    return [contiguous_like(tensor) for tensor in check_call(*inputs[:-1], values=False).inputs()]


def _gradients(ctx: BackwardCFunction, dy: Tensor) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors
    return _by_input(saved, _scan_backward(dy, *saved, ctx.backend))  # type: ignore[attr-defined]


_scan.register_autograd(_gradients, setup_context=_Scan.setup_context)
_scan_backward.register_autograd(lambda ctx, *gradients: _refuse_second_derivatives())
