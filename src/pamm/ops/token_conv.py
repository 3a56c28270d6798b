"""Convolution of tokens, positions row by row and channels last: the one place that chooses how it is computed."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.names import unknown_name
from pamm.ops.tile_conv import tile_conv
from pamm.ops.tile_plan import tiles_pay

Way = Literal["direct", "tiles"]
WIDE = 5
"""Kernel from which on tiles are mostly the faster way."""
HALF_SPEED = 2.4
"""How many times as fast the direct way is under autocast, in bfloat16, on a Zen 4; tiles stay float32. Processors with
tile registers for matrices (AMX) are far beyond."""


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
        return tile_conv(x.to(weight.dtype), weight, bias, grid=grid)
    maps = torch.unflatten(x, 1, grid).permute(0, 3, 1, 2)
    return F.conv2d(maps, weight, bias, padding=kernel // 2).flatten(2).mT


def _tiles_serve(x: Tensor, weight: Tensor, grid: tuple[int, int]) -> bool:
    """Whether tiles can take a call, and take it faster."""
    half = torch.is_autocast_enabled("cpu")
    if x.device.type != "cpu" or torch.compiler.is_exporting():
        return False
    if weight.dtype not in (torch.float32, torch.float64) or not (half or x.dtype == weight.dtype):
        return False
    if half and torch.cpu._is_amx_tile_supported():
        return False
    outputs, inputs, kernel, _ = weight.shape
    if torch.compiler.is_compiling():
        return kernel >= WIDE  # the estimate would become part of the graph
    return tiles_pay(len(x), grid, inputs=inputs, outputs=outputs, kernel=kernel, speed=HALF_SPEED if half else 1.0)
