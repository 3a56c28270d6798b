"""The selective scan step by step: the truth that the other backends are compared with."""

import torch
from torch import Tensor
from torch.nn import functional as F


def scan_reference(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    orders: Tensor,
) -> Tensor:
    """One state, one position, one order after another; autograd differentiates it, any number of times.

    The state is float64 if any input is, else float32. Time and memory under autograd grow with K · L small
    operations: for tests and small inputs.

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
    """
    dtype = state_dtype(x, delta, A, B, C, D, delta_bias)
    u, A, B, C = x.to(dtype), A.to(dtype), B.to(dtype), C.to(dtype)
    step = softplus_step(delta, delta_bias, dtype)
    y = torch.zeros_like(u)
    for order in orders:
        state = torch.zeros_like(u[:, :, 0, :, None] * A)  # (b, T, E, N)
        outputs = []
        for position in order:
            now = position.expand(1)
            step_now = step.index_select(2, now).squeeze(2)[..., None]  # (b, T, E, 1)
            u_now = u.index_select(2, now).squeeze(2)[..., None]
            B_now = B.index_select(2, now)  # (b, T, 1, N)
            C_now = C.index_select(2, now)
            state = torch.exp(step_now * A) * state + step_now * u_now * B_now
            outputs.append((state * C_now).sum(-1))  # (b, T, E)
        y = y.index_add(2, order, torch.stack(outputs, dim=2))
    if D is not None:
        y = y + len(orders) * D.to(dtype)[:, None] * u
    return y.to(x.dtype)


def state_dtype(*tensors: Tensor | None) -> torch.dtype:
    """Precision of the state: float64 if any of the tensors has it, else float32."""
    wide = any(tensor is not None and tensor.dtype == torch.float64 for tensor in tensors)
    return torch.float64 if wide else torch.float32


def softplus_step(delta: Tensor, delta_bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Step size Δ = softplus(delta + delta_bias), (b, T, L, E), always positive."""
    delta = delta.to(dtype)
    if delta_bias is not None:
        delta = delta + delta_bias.to(dtype)[:, None]
    return F.softplus(delta)


def first_derivatives_only(backend: str) -> RuntimeError:
    """The error of a backend whose gradients cannot be differentiated again, when that is asked of it."""
    return RuntimeError(
        f"the {backend} scan has first derivatives only, but create_graph=True asks for more; "
        'pass backend="reference" to selective_scan, or set PAMM_SCAN_BACKEND=reference'
    )
