"""Random arguments of the selective scan, and its results beside the reference's."""

import torch
from torch import Tensor

from pamm.ops import selective_scan
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


def leaves(arguments: dict[str, Tensor], dtype: torch.dtype | None = None) -> dict[str, Tensor]:
    """The same numbers, perhaps in another dtype; every tensor but the orders requires its gradient."""
    return {
        name: tensor.detach().to(dtype or tensor.dtype).requires_grad_() if tensor.is_floating_point() else tensor
        for name, tensor in arguments.items()
    }


def run(arguments: dict[str, Tensor], backend: str, weight: Tensor) -> dict[str, Tensor]:
    """Output and gradients by name."""
    wanted = {name: tensor for name, tensor in arguments.items() if tensor.requires_grad}
    y = selective_scan(**arguments, backend=backend)
    gradients = torch.autograd.grad(y, list(wanted.values()), weight.to(y.dtype))
    return {"y": y.detach(), **dict(zip(wanted, gradients, strict=True))}


def compare(arguments: dict[str, Tensor], backend: str, *, output: float = 1e-6, gradient: float = 1e-5) -> None:
    """Output and every gradient against the float64 reference, relative to the largest value."""
    weight = torch.randn(arguments["x"].shape).to(arguments["x"].dtype)
    got = run(arguments, backend, weight)
    want = run(leaves(arguments, torch.float64), "reference", weight)
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert got[name].dtype == arguments["x" if name == "y" else name].dtype
        limit = (output if name == "y" else gradient) * value.abs().max().clamp_min(1e-30)
        error = (got[name].double() - value).abs().max()
        assert error <= limit, f"{name}: {error:.1e} > {limit:.1e}"
