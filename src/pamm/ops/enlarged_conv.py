"""A 3×3 convolution of an enlarged map, without the enlarged map.

Enlarging by bilinear interpolation acts on positions, the nine products of a 3×3 convolution on channels, so they may
change places: the products are made on the small map, where there are ``s²`` times fewer positions, and the results are
enlarged, shifted by their place in the kernel, and summed. Nine tenths of a head's multiply-adds go for a factor of 4.

Letters: ``b`` batch, ``h × w`` the small map, ``s`` the factor, ``C`` channels in, ``O`` channels out; ``k`` the rows
and ``j`` the columns of the kernel.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

KERNEL = 3
SPAN = 40
"""Most rows or columns of the small map that one product enlarges, so that a pixel of a large map costs no more."""


def enlarged_conv(x: Tensor, weight: Tensor, bias: Tensor | None, *, scale: int) -> Tensor:
    """Convolve an enlarged map.

    Args:
        x: (h, b, w, C), rows first.
        weight: (O, C, 3, 3).
        bias: (O), or None.
        scale: factor s of bilinear interpolation, its corners not aligned; 1 leaves the map as it is.

    Returns:
        (s·h, b, s·w, O), what a convolution with zero padding makes of the enlarged map.
    """
    rows, batch, columns, _ = x.shape
    outputs = len(weight)
    # one product per row of the kernel, so that what the next step sums, (k, h), lies together
    by_row = weight.permute(2, 3, 0, 1).reshape(KERNEL, KERNEL * outputs, -1).mT  # (k, C, j·O)
    small = x.flatten(0, 2).expand(KERNEL, -1, -1)
    if bias is None:
        taps = torch.bmm(small, by_row)
    else:
        # weights of an interpolation sum to 1, so what the centre of the kernel carries arrives everywhere
        centre = F.pad(bias, (outputs, outputs)).expand(1, -1)
        taps = torch.baddbmm(F.pad(centre, (0, 0, 1, 1))[:, None], small, by_row)
    taps = taps.view(KERNEL, rows, -1)  # (k, h, b·w·j·O)
    tall = _joined([matrix @ taps[:, span].flatten(0, 1) for span, matrix in spread(rows, scale, taps)], 0)
    tall = tall.view(scale * rows * batch, columns, -1)  # (s·h·b, w, j·O)
    wide = [
        torch.matmul(matrix, tall[:, span].reshape(len(tall), -1, outputs))
        for span, matrix in spread(columns, scale, taps, outer=False)
    ]
    return _joined(wide, 1).view(scale * rows, batch, scale * columns, outputs)


def _joined(parts: list[Tensor], dim: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def enlarged_conv_naive(x: Tensor, weight: Tensor, bias: Tensor | None, *, scale: int) -> Tensor:
    """The same in the order of its name: the truth that the other is tested against."""
    maps = F.interpolate(x.permute(1, 3, 0, 2), scale_factor=scale, mode="bilinear", align_corners=False)
    return F.conv2d(maps, weight, bias, padding=KERNEL // 2).permute(2, 0, 3, 1)


def spread(length: int, scale: int, like: Tensor, *, outer: bool = True) -> list[tuple[slice, Tensor]]:
    """How to enlarge, shift and sum along one side.

    Args:
        length: rows or columns of the small map.
        scale: factor s.
        like: tensor whose device and dtype the matrices take.
        outer: whether the kernel's place comes before the position in the input, or after it.

    Returns:
        Spans of the small map, and for each the matrix (positions of the enlarged map, 3 · positions of the span) that
        makes the next part of the enlarged map of it.
    """
    return _matrices(length, scale, outer, like.device, like.dtype)


@lru_cache(maxsize=64)
def _matrices(
    length: int, scale: int, outer: bool, device: torch.device, dtype: torch.dtype
) -> list[tuple[slice, Tensor]]:
    with torch.inference_mode(False):  # tensors made in inference mode could not serve training later
        steps = torch.eye(length, dtype=torch.float64)[None]
        enlarge = F.interpolate(steps, scale_factor=scale, mode="linear", align_corners=False)[0].mT  # (s·h, h)
        nothing = torch.zeros(1, length, dtype=torch.float64)
        shifted = torch.stack((torch.cat((nothing, enlarge[:-1])), enlarge, torch.cat((enlarge[1:], nothing))))
        found = []
        step = -(-length // -(-length // SPAN))
        for start in range(0, length, step):
            end = min(start + step, length)
            span = slice(max(start - 1, 0), min(end + 1, length))
            part = shifted[:, scale * start : scale * end, span]  # (k, positions, span)
            part = part.permute(1, 0, 2) if outer else part.permute(1, 2, 0)
            found.append((span, part.flatten(1).to(device, dtype)))
        return found
