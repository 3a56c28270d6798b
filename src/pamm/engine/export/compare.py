"""Whether a file gives the numbers of the network it was made from."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pamm.models import PAMM, PAMMConfig
from pamm.tasks import Task

TOLERANCE = 1e-4
"""Largest difference over the largest value that is taken for rounding."""
GRIDS = ((1, 3, 8), (3, 6, 4))
"""Images, rows and columns of patches to compare at, beside one image of the trained size; none is as traced."""

Runner = Callable[[Tensor], Mapping[str, Tensor]]
"""From an image (b, 3, H, W) in [0, 1] to the outputs by task name."""


@dataclass(frozen=True)
class Difference:
    """The largest difference of one output from the network's, over all images."""

    absolute: float
    """In the output's own unit; classes count by how much the chosen one's value lies below the largest."""
    relative: float
    """Over the largest raw value."""


@torch.inference_mode()
def compare(
    run: Runner, model: PAMM, *, image_size: tuple[int, int] | None, decode: bool
) -> tuple[list[tuple[int, int, int]], dict[str, Difference]]:
    """Compare a file's outputs with the network's own, on images of noise.

    Args:
        run: runs the file.
        model: the network it was made from.
        image_size: the only size the file takes; None compares at several.
        decode: whether its outputs are maps.

    Returns:
        Images, height and width of what was compared, and the largest differences by task.

    Raises:
        ValueError: if the network's own outputs are not finite.
    """
    config, device = model.config, next(model.parameters()).device
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (config.mean, config.std))
    generator = torch.Generator().manual_seed(0)
    sizes = _sizes(config, image_size)
    found = {task.name: Difference(0.0, 0.0) for task in config.tasks}
    for batch, height, width in sizes:
        image = torch.rand(batch, 3, height, width, generator=generator)
        with _evaluating(model):
            raw = model(((image - mean) / std).to(device))
        wanted, got = {name: output.cpu() for name, output in raw.items()}, run(image)
        for task in config.tasks:
            if not wanted[task.name].isfinite().all():
                raise ValueError(
                    f"the network's own outputs are not finite: {task.name} at {batch}×3×{height}×{width}: "
                    "look at its weights, for example at where its training diverged"
                )
            now = _difference(task, got[task.name], wanted[task.name], decode=decode)
            worst = found[task.name]
            found[task.name] = Difference(max(worst.absolute, now.absolute), max(worst.relative, now.relative))
    return sizes, found


@contextmanager
def _evaluating(model: PAMM) -> Iterator[None]:
    """In evaluation mode; afterwards each part is in the mode it was in."""
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _sizes(config: PAMMConfig, image_size: tuple[int, int] | None) -> list[tuple[int, int, int]]:
    if image_size is not None:
        return [(batch, *image_size) for batch in (1, 3)]
    patch = config.patch_size
    return [(1, *config.image_size), *((batch, rows * patch, columns * patch) for batch, rows, columns in GRIDS)]


def _difference(task: Task, got: Tensor, raw: Tensor, *, decode: bool) -> Difference:
    largest = float(raw.abs().max())
    if not decode:
        apart, scale = got.float() - raw, largest
    elif task.kind == "classes":
        # two classes may tie
        chosen = raw.gather(1, got.long().unsqueeze(1)).squeeze(1)
        apart, scale = raw.amax(1) - chosen, largest
    elif task.kind == "direction":
        # where a vector is short, its direction says little
        apart, scale = (got.float() - task.decode(raw)) * raw.norm(dim=1, keepdim=True), largest
    else:
        wanted = task.decode(raw)
        apart, scale = got.float() - wanted, max(largest, float(wanted.abs().max()))
    worst = float(apart.abs().max())
    if not math.isfinite(worst):
        # a comparison with "not a number" must not pass
        return Difference(math.inf, math.inf)
    return Difference(worst, worst / scale if scale else worst)
