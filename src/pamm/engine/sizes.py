"""The size at which a photo goes into the network, and back to its own."""

import math

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.engine.colours import Map, Pixels, decoded
from pamm.tasks import Task

_LONGEST = 8
"""A side is resized to at most this many sides of a square of the training size: bounds the cost of thin photos."""
_STRIP = 1 << 23
"""Number of raw values enlarged at a time: bounds the memory of large photos."""


def network_size(
    height: int, width: int, *, trained: tuple[int, int], patch: int, resize: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size at which a photo goes into the network.

    Args:
        height: rows of the photo.
        width: columns of the photo.
        trained: rows and columns the network was trained at.
        patch: both sides of the network's input are multiples of it.
        resize: whether the photo may be resized. A photo that fits into ``trained`` and fills at least half of it
            keeps its size and is padded to ``trained``, as in evaluation.

    Returns:
        Rows and columns of the resized photo, and of the input it is padded to.
    """
    area = trained[0] * trained[1]
    if resize and height <= trained[0] and width <= trained[1] and 2 * height * width >= area:
        return (height, width), trained
    scale = min(math.sqrt(area / (height * width)), _LONGEST * math.sqrt(area) / max(height, width)) if resize else 1.0
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    return (rows, columns), (-(-rows // patch) * patch, -(-columns // patch) * patch)


def enlarged(task: Task, output: Tensor, height: int, width: int) -> Map:
    """Bring raw values to the photo's size (bilinear) and decode them, strip by strip.

    Args:
        task: what the values predict.
        output: (channels, h, w).
        height: rows of the photo.
        width: columns of the photo.

    Returns:
        The map, (height, width) or (height, width, channels); see :func:`pamm.engine.colours.decoded`.
    """
    rows = output.shape[1]
    if height * width <= rows * output.shape[2]:
        return decoded(task, F.interpolate(output[None], (height, width), mode="bilinear", antialias=True)[0])
    centres = ((torch.arange(height, device=output.device) + 0.5) * (rows / height) - 0.5).clamp(0, rows - 1)
    above = centres.floor().long()
    below = (above + 1).clamp(max=rows - 1)
    share = (centres - above)[:, None]
    step = max(1, _STRIP // (output.shape[0] * width))
    strips = []
    for start in range(0, height, step):
        part = slice(start, start + step)
        first, last = int(above[start]), int(below[part][-1])
        wide = F.interpolate(output[None, :, first : last + 1], (last - first + 1, width), mode="bilinear")[0]
        strips.append(
            decoded(task, torch.lerp(wide[:, above[part] - first], wide[:, below[part] - first], share[part]))
        )
    return np.concatenate(strips)


def resized(photo: Pixels, height: int, width: int) -> Pixels:
    """Resize a photo, (height, width, 3), averaging where it shrinks."""
    if photo.shape[:2] == (height, width):
        return photo
    shrinks = height * width < photo.shape[0] * photo.shape[1]
    # the exact one rounds alike on all processors; the usual one is off by a grey level in one of eight values
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR_EXACT
    resized = cv2.resize(photo, (width, height), interpolation=way)
    return np.asarray(resized, dtype=np.uint8)
