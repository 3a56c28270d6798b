"""What a call of the selective scan must look like: shapes, dtypes, devices, and orders that are permutations.

Letters: ``b`` batch, ``T`` tasks, ``L`` positions, ``E`` channels, ``N`` states, ``K`` orders.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


@dataclass(frozen=True)
class ScanCall:
    """Checked arguments of one call."""

    x: Tensor
    """Input, (b, T, L, E)."""
    delta: Tensor
    """Step before bias and softplus, (b, T, L, E)."""
    A: Tensor
    """Decay rates, (T, E, N), negative."""
    B: Tensor
    """Input weights, (b, T, L, N)."""
    C: Tensor
    """Output weights, (b, T, L, N)."""
    D: Tensor | None
    """Weight of the direct path, (T, E), or None."""
    delta_bias: Tensor | None
    """Bias of the step, (T, E), or None."""
    orders: Tensor
    """Permutations of the positions, (K, L), on the device of x."""

    def __iter__(self) -> Iterator[Tensor | None]:
        """The fields, in this order."""
        return iter(vars(self).values())

    def tensors(self) -> list[Tensor]:
        """Those that are given."""
        return [tensor for tensor in self if tensor is not None]

    def inputs(self) -> list[Tensor]:
        """Those that are given and have gradients: all but the orders."""
        return self.tensors()[:-1]

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the state: float64 if any input has it, else float32."""
        return torch.float64 if any(tensor.dtype == torch.float64 for tensor in self.inputs()) else torch.float32


def contiguous_like(tensor: Tensor) -> Tensor:
    """Room for a result of this shape and dtype, uninitialised."""
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def check_call(
    x: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None,
    delta_bias: Tensor | None,
    orders: Tensor | None,
    *,
    values: bool = True,
) -> ScanCall:
    """Check the arguments of :func:`pamm.ops.selective_scan`; see there for what they must be.

    Without ``values``, what the orders hold is not looked at.

    Raises:
        ValueError: if they do not fit together, or an order is no permutation.
    """
    if x.ndim != 4:
        raise ValueError(f"x must be (b, T, L, E), got {tuple(x.shape)}")
    if A.ndim != 3:
        raise ValueError(f"A must be (T, E, N), got {tuple(A.shape)}")
    batch, tasks, length, width = x.shape
    states = A.shape[2]
    if 0 in (tasks, length, width, states):
        raise ValueError(f"T, L, E and N must be 1 or more, got x {tuple(x.shape)} and A {tuple(A.shape)}")
    wanted = {
        "delta": (delta, "(b, T, L, E)", (batch, tasks, length, width)),
        "A": (A, "(T, E, N)", (tasks, width, states)),
        "B": (B, "(b, T, L, N)", (batch, tasks, length, states)),
        "C": (C, "(b, T, L, N)", (batch, tasks, length, states)),
        "D": (D, "(T, E)", (tasks, width)),
        "delta_bias": (delta_bias, "(T, E)", (tasks, width)),
    }
    for name, (tensor, letters, shape) in wanted.items():
        if tensor is None:
            continue
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} must be {letters} = {shape} for x {tuple(x.shape)} and A {tuple(A.shape)}, "
                f"got {tuple(tensor.shape)}"
            )
        if tensor.device != x.device:
            raise ValueError(f"{name} is on {tensor.device} but x on {x.device}; move it there")
    for name, tensor in {"x": x, **{name: tensor for name, (tensor, _, _) in wanted.items()}}.items():
        if tensor is not None and not tensor.is_floating_point():
            raise ValueError(f"{name} must be floating point, got {tensor.dtype}")
    if orders is None:
        orders = torch.arange(length, device=x.device)[None]
    else:
        _check_orders(orders, length, values=values)
    return ScanCall(x=x, delta=delta, A=A, B=B, C=C, D=D, delta_bias=delta_bias, orders=orders.to(x.device))


_CHECKED: MutableMapping[Tensor, int] = WeakTensorKeyDictionary()
"""Orders known to be permutations, by the very tensor, with the count of its changes when they were checked."""


def checked_orders(orders: Tensor) -> Tensor:
    """Check orders once: later calls of :func:`pamm.ops.selective_scan` with the same, unchanged tensor do not.

    A check sorts, and waits for an accelerator to finish. Do not change the tensor through memory that it shares with
    a numpy array: torch does not see that.

    Args:
        orders: K permutations of L positions, (K, L) int64.

    Returns:
        The same tensor.

    Raises:
        ValueError: if an order is no permutation, or the shape or dtype are others.
    """
    if torch.compiler.is_compiling():  # the operator checks them, when it runs
        return orders
    _check_orders(orders, orders.shape[-1] if orders.ndim else 0)
    if not orders.is_inference():  # such a tensor does not count its changes
        _CHECKED[orders] = orders._version
    return orders


def _is_checked(orders: Tensor) -> bool:
    return orders in _CHECKED and orders._version == _CHECKED[orders]


def _check_orders(orders: Tensor, length: int, *, values: bool = True) -> None:
    if orders.dtype != torch.int64:
        raise ValueError(f"orders must be int64, got {orders.dtype}; use orders.long()")
    if orders.ndim != 2 or orders.shape[0] < 1 or orders.shape[1] != length:
        raise ValueError(f"orders must be (K, L) with K ≥ 1 and L = {length}, got {tuple(orders.shape)}")
    if not values or orders.device.type == "meta" or _is_checked(orders):
        return
    good = (orders.sort(dim=1).values == torch.arange(length, device=orders.device)).all(dim=1)
    if not good.all():
        wrong = (~good).nonzero()[0].item()
        raise ValueError(f"orders[{wrong}] is no permutation of 0..{length - 1}; see pamm.ops.scan_orders")
