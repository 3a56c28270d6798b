"""Groups of rows and channels for the chunked scan: how they are cut, their layout and their room.

Letters: L positions, K orders, Q steps of a chunk, N states, r rows (of b · T) and e channels of a group.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

STEPS = 16
"""Q, steps of a chunk."""


@dataclass(frozen=True, kw_only=True)
class _Limits:
    slab: int
    """Elements of the states of a group, (K, N, r, e): enough to pay for the call of an operation on them."""
    table: int
    """Elements of the shared table of a group, (L, N, r, e), as long as the slab is no smaller than this allows."""


_CPU = _Limits(slab=1 << 15, table=1 << 23)
_ACCELERATOR = _Limits(slab=1 << 22, table=1 << 27)
_SMALLEST_SLAB = 1 << 11


class Room:
    """Buffers by name that serve one group after another: memory that is fresh from the system is slow to touch."""

    def __init__(self, like: Tensor) -> None:
        """Room for tensors of the dtype and device of ``like``."""
        self._like = like
        self._buffers: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """The buffer of that name, uninitialised, in that shape; what was in it before is lost."""
        size = math.prod(shape)
        if name not in self._buffers or self._buffers[name].numel() < size:
            self._buffers[name] = self._like.new_empty(size)
        return self._buffers[name][:size].view(shape)


class Group:
    """Rows of b · T and channels that are scanned together, and what the passes need of them.

    Attributes:
        paths: (L, K).
        tasks: task of each row, (r,).
        rate: A of the rows, (N, r, e).
        step, drive: for each chunk (Q, K, 1, r, e).
        B: for each chunk (Q, K, N, r, 1).
        path: states of the chunk last run, (Q + 1, K, N, r, e), the first one that before the chunk; ``states`` is
            the same by step.
        decays: exp(Δ A) of the chunk last run, (Q, K, N, r, e); ``decay_at`` is the same by step.
    """

    def __init__(
        self, room: Room, tensors: tuple[Tensor, Tensor, Tensor, Tensor], orders: Tensor, rows: slice, channels: slice
    ) -> None:
        """Gather from ``tensors``, step, drive (b, T, L, E), A (T, E, N) and B (b, T, L, N), along the orders."""
        step, drive, A, B = tensors
        count, length = orders.shape
        self.room, self.rows, self.channels = room, rows, channels
        self.paths = (length, count)
        self.tasks = torch.arange(rows.start, rows.stop, device=step.device) % A.shape[0]
        self.rate = A[self.tasks, channels].permute(2, 0, 1).contiguous()
        self._positions = orders.T.reshape(-1)
        places = orders.argsort(dim=1) * count + torch.arange(count, device=orders.device)[:, None]
        self._places = places.T.reshape(-1)
        step_here = self.channels_of(step).unsqueeze(1)  # (L, 1, r, e)
        self._table = torch.mul(step_here, self.rate, out=room("table", length, *self.rate.shape)).exp_()
        self.step, self.drive = self.by_channel("step", step), self.by_channel("drive", drive)
        self.B = self.by_state("B", B)
        self._chunks = torch.split(self._positions, STEPS * count)
        steps = min(STEPS, length)
        self.path = room("path", steps + 1, count, *self.rate.shape)
        self.decays = room("decays", steps, count, *self.rate.shape)
        self.states, self.decay_at = self.path.unbind(), self.decays.unbind()

    def channels_of(self, tensor: Tensor) -> Tensor:
        """View of (b, T, L, E) as (L, r, e)."""
        return tensor.flatten(0, 1)[self.rows, :, self.channels].transpose(0, 1)

    def states_of(self, tensor: Tensor) -> Tensor:
        """View of (b, T, L, N) as (L, N, r)."""
        return tensor.flatten(0, 1)[self.rows].permute(1, 2, 0)

    def by_channel(self, name: str, tensor: Tensor) -> tuple[Tensor, ...]:
        """Chunks (Q, K, 1, r, e) of (b, T, L, E) along the orders."""
        return torch.split(self._along(name, self.channels_of(tensor)).unsqueeze(2), STEPS)

    def by_state(self, name: str, tensor: Tensor) -> tuple[Tensor, ...]:
        """Chunks (Q, K, N, r, 1) of (b, T, L, N) along the orders."""
        return torch.split(self._along(name, self.states_of(tensor)).unsqueeze(4), STEPS)

    def _along(self, name: str, tensor: Tensor) -> Tensor:
        local = self.room("local", *tensor.shape).copy_(tensor)
        room = self.room(name, len(self._positions), *tensor.shape[1:])
        return torch.index_select(local, 0, self._positions, out=room).view(*self.paths, *tensor.shape[1:])

    def put_back(self, tensor: Tensor) -> Tensor:
        """Sum over the orders of (L, K, ...), each back in its place, (L, ...)."""
        flat = tensor.flatten(0, 1)
        room = self.room("put back", *flat.shape)
        return torch.index_select(flat, 0, self._places, out=room).view(tensor.shape).sum(1)

    def run(self, chunk: int) -> int:
        """Fill ``decays`` and ``path`` of a chunk, of which ``states[0]`` must hold the state before, return Q."""
        drive = self.drive[chunk]
        steps = len(drive)
        torch.mul(drive, self.B[chunk], out=self.path[1 : steps + 1])
        torch.index_select(self._table, 0, self._chunks[chunk], out=self.decays[:steps].flatten(0, 1))
        state = self.states[0]
        for source, decay in zip(self.states[1 : steps + 1], self.decay_at, strict=False):
            state = source.addcmul_(decay, state)
        return steps


def cut_groups(step: Tensor, drive: Tensor, A: Tensor, B: Tensor, orders: Tensor) -> Iterator[Group]:
    """Cut the rows b · T and, where one row is too much, the channels into groups that share their room."""
    batch, tasks, length, width = step.shape
    per_channel = len(orders) * A.shape[2]
    limits = _CPU if step.device.type == "cpu" else _ACCELERATOR
    slab = max(_SMALLEST_SLAB, min(limits.slab, limits.table * len(orders) // length))
    channels = _even_cut(width, slab // per_channel)
    rows = _even_cut(batch * tasks, slab // (per_channel * channels))
    room = Room(step)
    for top, left in product(range(0, batch * tasks, rows), range(0, width, channels)):
        some_rows, some_channels = slice(top, min(batch * tasks, top + rows)), slice(left, min(width, left + channels))
        yield Group(room, (step, drive, A, B), orders, some_rows, some_channels)


def _even_cut(size: int, most: int) -> int:
    """Length of the pieces, ``most`` or less, when ``size`` is cut into as few even pieces as can be."""
    pieces = -(-size // max(1, most))
    return -(-size // max(1, pieces)) or 1
