"""The selective scan step by step: the truth that the other backends are compared with."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.ops.scan_call import ScanCall


def scan_reference(call: ScanCall) -> Tensor:
    """One state, one position, one order after another; autograd differentiates it, any number of times.

    The state is float64 if any input is, else float32. Time and memory under autograd grow with K · L small
    operations: for tests and small inputs.

    Returns:
        Sum over the orders, (b, T, L, E), in the dtype of x.
    """
    u, A, B, C = (tensor.to(call.dtype) for tensor in (call.x, call.A, call.B, call.C))
    step = softplus_step(call)
    y = torch.zeros_like(u)
    for order in call.orders:
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
    if call.D is not None:
        y = y + len(call.orders) * call.D.to(call.dtype)[:, None] * u
    return y.to(call.x.dtype).contiguous()


def softplus_step(call: ScanCall) -> Tensor:
    """Step size Δ = softplus(delta + delta_bias), (b, T, L, E), always positive, in the precision of the state."""
    delta = call.delta.to(call.dtype)
    if call.delta_bias is not None:
        delta = delta + call.delta_bias.to(call.dtype)[:, None]
    return F.softplus(delta)


def reference_gradients(dy: Tensor, call: ScanCall) -> list[Tensor]:
    """First derivatives step by step: of x, delta, A, B, C and, where there are any, of D and delta_bias.

    Where autograd works it differentiates :func:`scan_reference` itself; this serves where it does not, in operators.
    """
    u, rate, B, C, dy = (tensor.to(call.dtype) for tensor in (call.x, call.A, call.B, call.C, dy))
    step = softplus_step(call)
    dstep, ddrive, dA, dB, dC = (torch.zeros_like(tensor) for tensor in (u, u, rate, B, C))
    for order in call.orders.tolist():
        states = [torch.zeros_like(u[:, :, 0, :, None] * rate)]  # (b, T, E, N)
        for p in order:
            drive = (step[:, :, p] * u[:, :, p])[..., None] * B[:, :, p, None]
            states.append(torch.exp(step[:, :, p, :, None] * rate) * states[-1] + drive)
        later = torch.zeros_like(states[0])  # what the gradient of a state gets from the steps after it
        for p, before, state in zip(reversed(order), reversed(states[:-1]), reversed(states[1:]), strict=True):
            dC[:, :, p] += (dy[:, :, p, :, None] * state).sum(2)
            dstate = dy[:, :, p, :, None] * C[:, :, p, None] + later
            dB[:, :, p] += (dstate * (step[:, :, p] * u[:, :, p])[..., None]).sum(2)
            ddrive[:, :, p] += (dstate * B[:, :, p, None]).sum(3)
            later = torch.exp(step[:, :, p, :, None] * rate) * dstate
            dstep[:, :, p] += (later * before * rate).sum(3)
            dA += (later * before * step[:, :, p, :, None]).sum(0)
    return channel_gradients(dy, call, step, (dstep, ddrive, dA, dB, dC))


def channel_gradients(
    dy: Tensor, call: ScanCall, step: Tensor, found: tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
) -> list[Tensor]:
    """Gradients of the inputs that there are, in their dtypes, from those of what the recurrence reads.

    Args:
        dy: the output's gradient, (b, T, L, E), in the precision of the state.
        call: the arguments.
        step: Δ, (b, T, L, E).
        found: gradients of Δ in the decay, of the drive Δ x, of A, B and C.
    """
    dstep, ddrive, *others = found
    x, orders = call.x.to(step.dtype), len(call.orders)
    ddelta = (dstep + ddrive * x) * -torch.expm1(-step)  # the slope of softplus is 1 - exp(-Δ)
    dx = ddrive * step
    gradients = [dx, ddelta, *others]
    if call.D is not None:
        gradients[0] = torch.addcmul(dx, call.D.to(step.dtype)[:, None], dy, value=orders)
        gradients.append(orders * (dy * x).sum((0, 2)))
    if call.delta_bias is not None:
        gradients.append(ddelta.sum((0, 2)))
    pairs = zip(gradients, call.inputs(), strict=True)
    return [gradient.to(tensor.dtype).contiguous() for gradient, tensor in pairs]
