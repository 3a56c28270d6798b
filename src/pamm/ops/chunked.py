"""The selective scan in plain PyTorch: any device, differentiable, with bounded memory.

Only ``h ← a ⊙ h + u`` runs from position to position, one operation a step on the states of all orders and of a group
of rows (of b · T) and channels. All else is done for a chunk of Q steps at once: ``u = Δ x B``, gathering
``a = exp(Δ A)`` from a table of the positions that all orders share, the weighting by C, and in the backward pass the
gradients::

    forward    h_q = u_q + a_q ⊙ h_{q-1}                      y = Σ_N C ⊙ h
    backward   λ_q = C_q dy_q + a_{q+1} ⊙ λ_{q+1}             dC = Σ_E h dy,  dB = Σ_E λ Δx,  d(Δx) = Σ_N λ B
               d(Δ A)_q = a_q ⊙ λ_q ⊙ h_{q-1}

Rows and channels do not meet in the recurrence, so they are cut into groups whose size bounds the extra memory: it
does not grow with b, T, E or N. No states are kept between the passes. The backward pass of a group first runs
forward to save the state at the start of each chunk, L/Q of them, then goes back chunk by chunk and recomputes the Q
states within.

Letters: L positions, K orders, Q steps of a chunk, N states, r rows and e channels of a group.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pamm.ops.chunk_groups import STEPS, Group, cut_groups
from pamm.ops.reference import channel_gradients, softplus_step
from pamm.ops.scan_call import ScanCall


def scan_chunked(call: ScanCall) -> Tensor:
    """Loop over positions in chunks; see the module's text.

    The state is float64 if any input is, else float32.

    Returns:
        Sum over the orders, (b, T, L, E), in the dtype of x.
    """
    u, A, B, C = (tensor.to(call.dtype) for tensor in (call.x, call.A, call.B, call.C))
    step = softplus_step(call).contiguous()
    y = torch.empty_like(step)
    with _one_thread(u.device):
        for group in cut_groups(step, (step * u).contiguous(), A, B.contiguous(), call.orders):
            weights = group.by_state("C", C)
            outputs = group.room("y", *group.paths, *group.rate.shape[1:])
            group.states[0].zero_()
            for chunk, output in enumerate(torch.split(outputs, STEPS)):
                steps = group.run(chunk)
                weighted = torch.mul(group.path[1 : steps + 1], weights[chunk], out=group.decays[:steps])
                torch.sum(weighted, 2, out=output)
                group.states[0].copy_(group.states[steps])
            group.channels_of(y).copy_(group.put_back(outputs))
    if call.D is not None:
        y = torch.addcmul(y, call.D.to(call.dtype)[:, None], u, value=len(call.orders))
    return y.to(call.x.dtype)


def chunked_gradients(dy: Tensor, call: ScanCall) -> list[Tensor]:
    """Gradients of :func:`scan_chunked`: of x, delta, A, B, C and, where there are any, of D and delta_bias."""
    u, A, B, C, dy = (tensor.to(call.dtype) for tensor in (call.x, call.A, call.B, call.C, dy))
    step, dy = softplus_step(call).contiguous(), dy.contiguous()
    dstep, ddrive = torch.empty_like(step), torch.empty_like(step)
    dA, dB, dC = (torch.zeros_like(tensor, memory_format=torch.contiguous_format) for tensor in (A, B, C))
    with _one_thread(u.device):
        for group in cut_groups(step, (step * u).contiguous(), A, B.contiguous(), call.orders):
            gradients = _group_gradients(group, C, dy)
            group.channels_of(dstep).copy_(group.put_back(gradients.step))
            group.channels_of(ddrive).copy_(group.put_back(gradients.drive))
            dA[:, group.channels].index_add_(0, group.tasks, gradients.rate.permute(1, 2, 0))
            group.states_of(dB).add_(group.put_back(gradients.B))
            group.states_of(dC).add_(group.put_back(gradients.C))
    return channel_gradients(dy, call, step, (dstep, ddrive, dA, dB, dC))


@dataclass(frozen=True)
class _Gradients:
    """Gradients of a group: by step of the orders, (L, K, ...), and of its decay rates, (N, r, e)."""

    step: Tensor  # (L, K, r, e)
    drive: Tensor  # (L, K, r, e)
    B: Tensor  # (L, K, N, r)
    C: Tensor  # (L, K, N, r)
    rate: Tensor  # (N, r, e)


def _group_gradients(group: Group, C: Tensor, dy: Tensor) -> _Gradients:
    room, path, decays, states = group.room, group.path, group.decays, group.states
    weights, dys = group.by_state("C", C), group.by_channel("dy", dy)
    by_channel, by_state = (*group.paths, *group.rate.shape[1:]), (*group.paths, *group.rate.shape[:2])
    result = _Gradients(
        step=room("dstep", *by_channel),
        drive=room("ddrive", *by_channel),
        B=room("dB", *by_state),
        C=room("dC", *by_state),
        rate=torch.zeros_like(group.rate),
    )
    by_chunk = (result.step, result.drive, result.B, result.C)
    parts = list(zip(*(torch.split(tensor, STEPS) for tensor in by_chunk), strict=True))

    starts = room("starts", len(parts), *states[0].shape).unbind()
    starts[0].zero_()
    for chunk, start in enumerate(starts):
        states[0].copy_(start)
        if chunk + 1 < len(starts):
            starts[chunk + 1].copy_(states[group.run(chunk)])

    adjoint, products = room("adjoint", *decays.shape), room("products", *decays.shape)
    adjoints, carry = adjoint.unbind(), torch.zeros_like(states[0])
    for chunk, (dstep, ddrive, dB, dC) in reversed(list(enumerate(parts))):
        states[0].copy_(starts[chunk])
        steps = group.run(chunk)
        lam, room_for_product = adjoint[:steps], products[:steps]
        torch.mul(dys[chunk], weights[chunk], out=lam)
        later = adjoints[steps - 1].add_(carry)
        for q in range(steps - 2, -1, -1):
            later = adjoints[q].addcmul_(group.decay_at[q + 1], later)
        torch.mul(group.decay_at[0], later, out=carry)
        torch.sum(torch.mul(path[1 : steps + 1], dys[chunk], out=room_for_product), -1, out=dC)
        torch.sum(torch.mul(lam, group.drive[chunk], out=room_for_product), -1, out=dB)
        torch.sum(torch.mul(lam, group.B[chunk], out=room_for_product), 2, out=ddrive)
        dexponent = decays[:steps].mul_(lam).mul_(path[:steps])
        torch.sum(torch.mul(dexponent, group.rate, out=room_for_product), 2, out=dstep)
        result.rate.add_(dexponent.mul_(group.step[chunk]).sum((0, 1)))
    return result


@contextmanager
def _one_thread(device: torch.device) -> Iterator[None]:
    """Keep PyTorch's operations on the CPU on the calling thread.

    Operations of some microseconds gain little from a second thread, and where the cores have other work too
    (workers that load data) waiting for it at each of thousands of operations costs many times what it saves.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
