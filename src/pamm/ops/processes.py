"""Sums and means over the processes that train together, each on a share of the batch."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx


def count_processes() -> int:
    """How many processes train together; 1 where none were set up."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_processes(tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes, the tensor itself where there is one only.

    All processes must call it, in the same order. Its gradient is the sum of the processes' gradients: where the
    processes' losses are added up or averaged, that is the derivative of what comes of all of them.

    Args:
        tensor: of the same shape and dtype in all processes, on a device that their backend serves.
    """
    if count_processes() == 1:
        return tensor
    summed: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
    return summed


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean of a tensor over all processes, the tensor itself where there is one only.

    Args:
        tensor: as for :func:`sum_over_processes`.
    """
    processes = count_processes()
    return tensor if processes == 1 else sum_over_processes(tensor).div_(processes)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, tensor: Tensor) -> Tensor:
        summed = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: BackwardCFunction, *gradients: Any) -> Tensor:
        return sum_over_processes(gradients[0])
