"""Convolution of tokens, positions row by row and channels last: the one place that chooses how it is computed."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.names import unknown_name
from pamm.ops.tile_conv import tile_conv
from pamm.ops.tile_plan import tiles_pay

Way = Literal["direct", "tiles"]


def token_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, *, grid: tuple[int, int], way: Way | None = None
) -> Tensor:
    """Convolve tokens with zero padding.

    Args:
        x: (n, L, E).
        weight: (O, E, k, k), k odd.
        bias: (O), or None.
        grid: rows and columns of the L positions.
        way: ``direct`` as PyTorch does, or ``tiles``, :func:`pamm.ops.tile_conv.tile_conv`, which has first
            derivatives only and needs a CPU; by default the faster one, and direct where a graph is exported.

    Returns:
        (n, L, O).

    Raises:
        ValueError: if there is no such way.
    """
    if way not in (None, *get_args(Way)):
        raise unknown_name("way to convolve", str(way), get_args(Way))
    kernel = weight.shape[-1]
    if kernel == 1:
        return F.linear(x, weight.flatten(1), bias)
    if way == "tiles" or (way is None and _tiles_serve(x, weight, grid)):
        return tile_conv(x, weight, bias, grid=grid)
    maps = torch.unflatten(x, 1, grid).permute(0, 3, 1, 2)
    return F.conv2d(maps, weight, bias, padding=kernel // 2).flatten(2).mT


def _tiles_serve(x: Tensor, weight: Tensor, grid: tuple[int, int]) -> bool:
    """Whether tiles can take a call, and take it faster."""
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu") or torch.compiler.is_exporting():
        return False
    if x.dtype not in (torch.float32, torch.float64) or weight.dtype != x.dtype:
        return False
    outputs, inputs, kernel, _ = weight.shape
    return tiles_pay(len(x), grid, inputs=inputs, outputs=outputs, kernel=kernel)
