"""Convolution of tokens: positions row by row, channels last."""

import torch
from torch import Tensor
from torch.nn import functional as F


def token_conv(x: Tensor, weight: Tensor, bias: Tensor | None, *, grid: tuple[int, int]) -> Tensor:
    """Convolve tokens with zero padding.

    Args:
        x: (n, L, C).
        weight: (O, C, k, k), k odd.
        bias: (O), or None.
        grid: rows and columns of the L positions.

    Returns:
        (n, L, O).
    """
    kernel = weight.shape[-1]
    if kernel == 1:
        return F.linear(x, weight.flatten(1), bias)
    maps = torch.unflatten(x, 1, grid).permute(0, 3, 1, 2)
    return F.conv2d(maps, weight, bias, padding=kernel // 2).flatten(2).mT
