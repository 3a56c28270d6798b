"""The scans that are compared: this package's backends, and those of others, which know one order and one task.

Others scan one sequence of (b, L, E) at a time: each order's permutation is copied for them and its output put back,
and tasks, whose A differ, are called one after another, as programs that use them do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.ops import SCAN_BACKENDS, selective_scan
from pamm.ops.backends import scan_backends_here

OneScan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""A scan of x (b, L, E), step (b, L, E), A (E, N), B (b, L, N), C (b, L, N) and D (E)."""


@dataclass(frozen=True)
class Way:
    """One way to scan."""

    name: str
    scan: Callable[..., Tensor]
    """Called with the arguments of selective_scan."""
    quadratic: bool = False
    """Whether the time of its backward pass grows with the square of the positions."""
    keeps_states: bool = True
    """Whether it keeps all states of all orders for its backward pass."""


def textbook(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Mamba's reference, as published: channels first, all decays and inputs at once, then a loop over positions.

    The gradient of each slice is a tensor of the size of the whole, so its backward pass is quadratic in L.
    """
    u, step, B, C = x.mT, step.mT, B.mT, C.mT
    decays = torch.exp(torch.einsum("bel,en->beln", step, A))
    drives = torch.einsum("bel,bnl,bel->beln", step, B, u)
    state, outputs = torch.zeros_like(decays[:, :, 0]), []
    for position in range(u.shape[2]):
        state = decays[:, :, position] * state + drives[:, :, position]
        outputs.append(torch.einsum("ben,bn->be", state, C[:, :, position]))
    return (torch.stack(outputs, dim=2) + u * D[:, None]).mT


def mambapy(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """The parallel scan of mamba.py (PyPI mambapy)."""
    from mambapy.pscan import pscan

    states = pscan(torch.exp(step.unsqueeze(-1) * A), (step * x).unsqueeze(-1) * B.unsqueeze(2))
    return (states @ C.unsqueeze(-1)).squeeze(-1) + x * D


def mamba_ssm(x: Tensor, step: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Mamba's own CUDA kernel, which wants channels first."""
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    y: Tensor = selective_scan_fn(x.mT, step.mT.contiguous(), A, B.mT.contiguous(), C.mT.contiguous(), D)
    return y.mT


def by_order(scan: OneScan) -> Callable[..., Tensor]:
    """All orders and tasks, by a scan that knows one."""

    def scans(
        x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, *, delta_bias: Tensor, orders: Tensor
    ) -> Tensor:
        step = F.softplus(delta + delta_bias[:, None])
        y = []
        for task in range(x.shape[1]):
            parts = []
            for order in orders:
                u, d, weights, outputs = (tensor[:, task].index_select(1, order) for tensor in (x, step, B, C))
                parts.append(scan(u, d, A[task], weights, outputs, D[task]).index_select(1, order.argsort()))
            y.append(torch.stack(parts).sum(0))
        return torch.stack(y, dim=1)

    return scans


def of_backend(name: str) -> Callable[..., Tensor]:
    """A backend of this package."""
    return lambda *tensors, **options: selective_scan(*tensors, backend=name, **options)


def ways_here(device: str) -> dict[str, Way]:
    """The ways that this machine has, by name."""
    serving = [name for name, (_, refusal) in scan_backends_here(device).items() if refusal is None]
    ways = [
        Way(name, of_backend(name), quadratic=name == "reference", keeps_states=name == "reference")
        for name in SCAN_BACKENDS
        if name in serving
    ]
    ways.append(Way("mamba's reference", by_order(textbook), quadratic=True))
    if find_spec("mambapy"):
        ways.append(Way("mambapy", by_order(mambapy)))
    if device == "cuda" and find_spec("mamba_ssm"):
        ways.append(Way("mamba-ssm", by_order(mamba_ssm)))
    return {way.name: way for way in ways}
