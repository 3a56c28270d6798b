"""The selective scan in plain PyTorch: any device, differentiable, with bounded memory.

A loop over the positions whose every step is one operation on a contiguous slab of states. What depends on the
position but not on the order, ``a = exp(Δ A)`` and ``u = Δ x B``, is put into tables once and read by all orders. As
C too depends on the position only, the states of all orders are summed by position first and weighted by C once:

    forward:    h ← u[p] + a[p] ⊙ h;  s[p] += h;                          y[p] = C[p] · s[p]
    backward:   λ ← g[p] + a[p'] ⊙ λ;  du[p] += λ;  da[p] += λ ⊙ h before p,  with g[p] = C[p] ⊗ dy[p]

where p' follows p in the order. Nothing is permuted or copied by order.

Batch, tasks and channels do not meet in the recurrence, so they are cut into chunks (rows of b · T, then channels)
small enough for the tables of one chunk to stay within :data:`TABLE_ELEMENTS`; the states are recomputed chunk by
chunk in the backward pass. So the extra memory does not grow with b, T, E or N, and between the passes none is kept.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from pamm.ops.reference import softplus_step, state_dtype

TABLE_ELEMENTS = 1 << 21
"""Elements of one table of a chunk, (L, rows, N, channels), as far as the slabs stay within their limits."""
SLAB_MIN, SLAB_MAX = 1 << 13, 1 << 15
"""Elements of the states of a chunk, (rows, N, channels): enough to pay for the calls, few enough for the cache and
for PyTorch not to split an operation between threads."""


def scan_chunked(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    orders: Tensor,
) -> Tensor:
    """Loop over positions on slabs of states; see the module's text. First derivatives only.

    The state is float64 if any input is, else float32.

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
    u = x.to(dtype)
    step = softplus_step(delta, delta_bias, dtype)
    y = _recurrence(step, step * u, A.to(dtype), B.to(dtype), C.to(dtype), orders)
    if D is not None:
        y = torch.addcmul(y, D.to(dtype)[:, None], u, value=len(orders))
    return y.to(x.dtype)


class _Recurrence(torch.autograd.Function):
    """Sum over the orders of C · h, with h ← exp(step A) ⊙ h + drive B; step, drive and result are (b, T, L, E)."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, step: Tensor, drive: Tensor, A: Tensor, B: Tensor, C: Tensor, orders: Tensor
    ) -> Tensor:
        ctx.save_for_backward(step, drive, A, B, C, orders)
        y = torch.empty_like(step, memory_format=torch.contiguous_format)
        visits = orders.tolist()
        with torch.autocast(step.device.type, enabled=False):
            for chunk in _chunks(step, A, tables=3):
                decay, source, states = chunk.tables
                chunk.fill_decay(decay, step, A)
                chunk.fill_outer(source, drive, B)
                _forward_orders(visits, decay, source, states)
                chunk.channels_of(y).copy_(states.mul_(chunk.states_of(C)).sum(2, keepdim=True))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, dy: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors
        step, drive, A, B, C, orders = saved
        dstep, ddrive, dA, dB, dC = (
            torch.zeros(tensor.shape, dtype=tensor.dtype, device=tensor.device) if needed else None
            for tensor, needed in zip((step, drive, A, B, C), ctx.needs_input_grad, strict=False)
        )
        visits = orders.tolist()
        with torch.autocast(step.device.type, enabled=False):
            for chunk in _chunks(step, A, tables=7):
                decay, source, weight, _, states, dsource, ddecay = chunk.tables
                chunk.fill_decay(decay, step, A)
                chunk.fill_outer(source, drive, B)
                chunk.fill_outer(weight, dy, C)
                _backward_orders(visits, *chunk.tables)
                if dC is not None:
                    chunk.states_of(dC).add_(states @ chunk.channels_of(dy).mT)
                if dB is not None:
                    chunk.states_of(dB).add_(dsource @ chunk.channels_of(drive).mT)
                if ddrive is not None:
                    chunk.channels_of(ddrive).copy_(dsource.mul_(chunk.states_of(B)).sum(2, keepdim=True))
                ddecay.mul_(decay)
                if dA is not None:
                    chunk.add_rates(dA, torch.mul(ddecay, chunk.channels_of(step), out=weight).sum(0))
                if dstep is not None:
                    chunk.channels_of(dstep).copy_(ddecay.mul_(chunk.rates_of(A)).sum(2, keepdim=True))
        return dstep, ddrive, dA, dB, dC, None


_recurrence: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor] = _Recurrence.apply


def _forward_orders(visits: list[list[int]], decay: Tensor, source: Tensor, states: Tensor) -> None:
    """Write the states of a chunk, summed over the orders by position, into ``states``."""
    decay_at, source_at, states_at = decay.unbind(), source.unbind(), states.unbind()
    state = torch.zeros_like(states[0])
    for position in visits[0]:
        state = torch.addcmul(source_at[position], state, decay_at[position], out=states_at[position])
    state = torch.empty_like(state)
    for visit in visits[1:]:
        state.zero_()
        for position in visit:
            torch.addcmul(source_at[position], state, decay_at[position], out=state)
            states_at[position].add_(state)


def _backward_orders(
    visits: list[list[int]],
    decay: Tensor,
    source: Tensor,
    weight: Tensor,
    path: Tensor,
    states: Tensor,
    dsource: Tensor,
    ddecay: Tensor,
) -> None:
    """Write states and gradients of a chunk, summed over the orders by position, into the last three tables.

    ``path`` is room for the states along one order.
    """
    decay_at, source_at, weight_at, path_at = decay.unbind(), source.unbind(), weight.unbind(), path.unbind()
    states_at, dsource_at, ddecay_at = states.unbind(), dsource.unbind(), ddecay.unbind()
    zero = torch.zeros_like(path[0])
    gradient = torch.empty_like(zero)
    for table in (states, dsource, ddecay):
        table.zero_()
    for visit in visits:
        state = zero
        for position in visit:
            state = torch.addcmul(source_at[position], state, decay_at[position], out=path_at[position])
            states_at[position].add_(state)
        gradient.zero_()
        later = visit[-1]
        for position, earlier in zip(visit[:0:-1], visit[-2::-1], strict=True):
            torch.addcmul(weight_at[position], gradient, decay_at[later], out=gradient)
            dsource_at[position].add_(gradient)
            ddecay_at[position].addcmul_(gradient, path_at[earlier])
            later = position
        first = visit[0]
        dsource_at[first].add_(weight_at[first]).addcmul_(gradient, decay_at[later])


@dataclass(frozen=True)
class _Chunk:
    """Rows of b · T and channels that are scanned together, and the room for it.

    Its methods see tensors of all rows as tensors of the layout of the tables, (L, rows, N, channels).
    """

    rows: slice
    channels: slice
    tasks: Tensor  # task of each row, (rows,)
    tables: Tensor  # (number of tables, L, rows, N, channels), uninitialised

    def channels_of(self, tensor: Tensor) -> Tensor:
        """View of (b, T, L, E) as (L, rows, 1, channels)."""
        return tensor.flatten(0, 1)[self.rows, :, self.channels].transpose(0, 1).unsqueeze(2)

    def states_of(self, tensor: Tensor) -> Tensor:
        """View of (b, T, L, N) as (L, rows, N, 1)."""
        return tensor.flatten(0, 1)[self.rows].transpose(0, 1).unsqueeze(3)

    def rates_of(self, A: Tensor) -> Tensor:
        """Copy of (T, E, N) as (rows, N, channels)."""
        return A[self.tasks, self.channels].transpose(1, 2).contiguous()

    def add_rates(self, dA: Tensor, rates: Tensor) -> None:
        """Add (rows, N, channels) to the rows' tasks of (T, E, N)."""
        dA[:, self.channels].index_add_(0, self.tasks, rates.transpose(1, 2))

    def fill_decay(self, table: Tensor, step: Tensor, A: Tensor) -> None:
        torch.mul(self.channels_of(step), self.rates_of(A), out=table).exp_()

    def fill_outer(self, table: Tensor, by_channel: Tensor, by_state: Tensor) -> None:
        torch.mul(self.channels_of(by_channel), self.states_of(by_state), out=table)


def _chunks(step: Tensor, A: Tensor, *, tables: int) -> Iterator[_Chunk]:
    """Cut the rows b · T and, where one row is too much, the channels into chunks that share one set of tables."""
    batch, tasks, length, width = step.shape
    states = A.shape[2]
    slab = max(SLAB_MIN, min(SLAB_MAX, TABLE_ELEMENTS // length))
    channels = _even_cut(width, max(1, slab // states))
    rows = _even_cut(batch * tasks, max(1, slab // (states * channels)))
    room = step.new_empty(tables, length * rows * states * channels)
    task_of_row = torch.arange(batch * tasks, device=step.device) % tasks
    for top, left in product(range(0, batch * tasks, rows), range(0, width, channels)):
        some_rows, some_channels = min(rows, batch * tasks - top), min(channels, width - left)
        shape = (length, some_rows, states, some_channels)
        yield _Chunk(
            rows=slice(top, top + some_rows),
            channels=slice(left, left + some_channels),
            tasks=task_of_row[top : top + some_rows],
            tables=room[:, : math.prod(shape)].view(tables, *shape),
        )


def _even_cut(size: int, most: int) -> int:
    """Length of the pieces, ``most`` or less, when ``size`` is cut into as few even pieces as can be."""
    return -(-size // -(-size // most)) if size else 1
