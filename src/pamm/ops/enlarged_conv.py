"""A 3×3 convolution of an enlarged map, without the enlarged map.

Enlarging by bilinear interpolation acts on positions, the nine products of a 3×3 convolution on channels, so they may
change places: the products are made on the small map, where there are ``s²`` times fewer positions, and the results are
enlarged, shifted by their place in the kernel, and summed. Nine tenths of a head's multiply-adds go for a factor of 4.

Letters: ``b`` batch, ``h × w`` the small map, ``s`` the factor, ``C`` channels in, ``O`` channels out; ``k`` the rows
and ``j`` the columns of the kernel.
"""

from functools import lru_cache

import numpy as np
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
    sizes = length, scale, outer, like.device, like.dtype
    if torch.compiler.is_dynamo_compiling():
        matrices: list[Tensor] = _operator(*sizes)
    elif torch.compiler.is_exporting():  # what is made now has no values to keep
        matrices = _made(*sizes)
    else:
        matrices = _kept(*sizes)
    return list(zip([span for span, _ in _cuts(length)], matrices, strict=True))


def _cuts(length: int) -> list[tuple[slice, int]]:
    """Spans of the small map, and how many of its rows or columns each makes larger."""
    step = -(-length // -(-length // SPAN))
    ends = [(start, min(start + step, length)) for start in range(0, length, step)]
    return [(slice(max(start - 1, 0), min(end + 1, length)), end - start) for start, end in ends]


def _made(length: int, scale: int, outer: bool, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    places = np.clip((np.arange(scale * length) + 0.5) / scale - 0.5, 0, length - 1)
    enlarge = np.maximum(1 - np.abs(places[:, None] - np.arange(length)), 0)  # (s·h, h)
    nothing = np.zeros((1, length))
    shifted = np.stack((np.concatenate((nothing, enlarge[:-1])), enlarge, np.concatenate((enlarge[1:], nothing))))
    found, done = [], 0
    for span, count in _cuts(length):
        part = shifted[:, scale * done : scale * (done + count), span]  # (k, positions, span)
        part = part.transpose(1, 0, 2) if outer else part.transpose(1, 2, 0)
        found.append(torch.from_numpy(part.reshape(len(part), -1)).to(device, dtype))
        done += count
    return found


@lru_cache(maxsize=64)
def _kept(length: int, scale: int, outer: bool, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    with torch.inference_mode(False):  # tensors made in inference mode could not serve training later
        return _made(length, scale, outer, device, dtype)


@torch.library.custom_op(
    "pamm::spread",
    mutates_args=(),
    schema="(SymInt length, SymInt scale, bool outer, Device device, ScalarType dtype) -> Tensor[]",
)
def _operator(length: int, scale: int, outer: bool, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    return [matrix.clone() for matrix in _kept(length, scale, outer, device, dtype)]


@_operator.register_fake
def _(length: int, scale: int, outer: bool, device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    shapes = [(scale * count, KERNEL * (span.stop - span.start)) for span, count in _cuts(length)]
    return [torch.empty(shape, dtype=dtype, device=device) for shape in shapes]
