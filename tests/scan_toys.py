"""Random arguments of the selective scan."""

import torch
from torch import Tensor

from pamm.ops.backends import scan_backends_here

AVAILABLE = [name for name, (_, refusal) in scan_backends_here().items() if refusal is None]
"""Names of the backends that can run on this machine's CPU: one needs a compiler when the package is installed."""


def make(b=2, T=1, L=8, E=5, N=3, K=2, *, D=True, bias=True, dtype=torch.float64) -> dict[str, Tensor]:
    """Random arguments; every tensor but the orders requires its gradient."""
    tensors = {
        "x": torch.randn(b, T, L, E),
        "delta": torch.randn(b, T, L, E),
        "A": -torch.randn(T, E, N).exp(),
        "B": torch.randn(b, T, L, N),
        "C": torch.randn(b, T, L, N),
    }
    if D:
        tensors["D"] = torch.randn(T, E)
    if bias:
        tensors["delta_bias"] = torch.randn(T, E)
    arguments = {name: tensor.to(dtype).requires_grad_() for name, tensor in tensors.items()}
    if K:
        arguments["orders"] = torch.stack([torch.randperm(L) for _ in range(K)])
    return arguments
