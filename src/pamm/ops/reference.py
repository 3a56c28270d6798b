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
    return y.to(x.dtype).contiguous()


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


def reference_gradients(
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
    """First derivatives step by step: of x, delta, A, B, C and, where there are any, of D and delta_bias.

    Where autograd works it differentiates :func:`scan_reference` itself; this serves where it does not, in operators.
    """
    dtype = state_dtype(x, delta, A, B, C, D, delta_bias)
    u, rate, B_all, C_all, dy = x.to(dtype), A.to(dtype), B.to(dtype), C.to(dtype), dy.to(dtype)
    step = softplus_step(delta, delta_bias, dtype)
    dstep, ddrive, dA, dB, dC = (torch.zeros_like(tensor) for tensor in (u, u, rate, B_all, C_all))
    for order in orders.tolist():
        states = [torch.zeros_like(u[:, :, 0, :, None] * rate)]  # (b, T, E, N)
        for p in order:
            drive = (step[:, :, p] * u[:, :, p])[..., None] * B_all[:, :, p, None]
            states.append(torch.exp(step[:, :, p, :, None] * rate) * states[-1] + drive)
        later = torch.zeros_like(states[0])  # what the gradient of a state gets from the steps after it
        for p, before, state in zip(reversed(order), reversed(states[:-1]), reversed(states[1:]), strict=True):
            dC[:, :, p] += (dy[:, :, p, :, None] * state).sum(2)
            dstate = dy[:, :, p, :, None] * C_all[:, :, p, None] + later
            dB[:, :, p] += (dstate * (step[:, :, p] * u[:, :, p])[..., None]).sum(2)
            ddrive[:, :, p] += (dstate * B_all[:, :, p, None]).sum(3)
            later = torch.exp(step[:, :, p, :, None] * rate) * dstate
            dstep[:, :, p] += (later * before * rate).sum(3)
            dA += (later * before * step[:, :, p, :, None]).sum(0)
    return channel_gradients(dy, (x, delta, A, B, C, D, delta_bias), len(orders), step, (dstep, ddrive, dA, dB, dC))


def channel_gradients(
    dy: Tensor,
    inputs: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None, Tensor | None],
    orders: int,
    step: Tensor,
    found: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
) -> list[Tensor]:
    """Gradients of the inputs that there are, in their dtypes, from those of what the recurrence reads.

    Args:
        dy: the output's gradient, (b, T, L, E), in the precision of the state.
        inputs: x, delta, A, B, C, D and delta_bias.
        orders: how many orders there are.
        step: Δ, (b, T, L, E).
        found: gradients of Δ in the decay, of the drive Δ x, of A, B and C.
    """
    dstep, ddrive, *others = found
    x, D, delta_bias = inputs[0].to(step.dtype), inputs[5], inputs[6]
    ddelta = (dstep + ddrive * x) * -torch.expm1(-step)  # the slope of softplus is 1 - exp(-Δ)
    dx = ddrive * step
    gradients = [dx, ddelta, *others]
    if D is not None:
        gradients[0] = torch.addcmul(dx, D.to(step.dtype)[:, None], dy, value=orders)
        gradients.append(orders * (dy * x).sum((0, 2)))
    if delta_bias is not None:
        gradients.append(ddelta.sum((0, 2)))
    given = (tensor for tensor in inputs if tensor is not None)
    return [gradient.to(tensor.dtype).contiguous() for gradient, tensor in zip(gradients, given, strict=True)]
