"""Random arguments of the selective scan."""

import torch
from torch import Tensor

from pamm.ops import SCAN_BACKENDS
from pamm.ops.native import LIBRARY

AVAILABLE = [name for name in SCAN_BACKENDS if name != "native" or LIBRARY.exists()]
"""Names of the backends that can run here: the compiled one needs a compiler when the package is installed."""


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
