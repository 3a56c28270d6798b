"""Which experts a network uses: mean gates by task, stage and parameter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pamm.data.images import ImageLike
from pamm.engine.figures.style import BODY, DPI, FAINT, RULE, SMALL, TEXT, check_size, paper_style, text_width
from pamm.engine.predictor import Predictor

_COLORMAP = "YlGnBu"
_CELL = 0.145
"""Height of a cell in inches."""


@dataclass(frozen=True, eq=False)
class GateMeans:
    """Gates of a network over some images, in evaluation mode: without noise.

    Letters: ``S`` stages, ``P`` parameters that experts make, ``T`` tasks, ``M`` experts.
    """

    mean: NDArray[np.float64]
    """(S, P, T, M): mean gate; an expert that is not kept has a gate of 0."""
    kept: NDArray[np.float64]
    """(S, P, T, M): share of the images for which the expert is kept, 0 to 1."""
    stages: tuple[int, ...]
    """Numbers of the stages, from 1."""
    parameters: tuple[str, ...]
    """Names of the parameters: of B, C."""
    tasks: tuple[str, ...]
    """Titles of the tasks."""
    images: int
    """Number of images."""

    @property
    def counted(self) -> str:
        """The number of images in words."""
        return "1 image" if self.images == 1 else f"{self.images} images"

    def unused(self) -> tuple[int, ...]:
        """Numbers of the experts, from 1, that are kept for no image, by no task, at no stage and for no parameter."""
        return tuple(int(expert) + 1 for expert in np.flatnonzero(~(self.kept > 0).any(axis=(0, 1, 2))))

    def never_kept(self) -> int:
        """How many of the S · P · T · M gates are 0 for every image."""
        return int((self.kept == 0).sum())


@torch.inference_mode()
def measure_gates(
    predictor: Predictor, images: Sequence[ImageLike], *, progress: Callable[[int, int], None] | None = None
) -> GateMeans:
    """Run a network over some images and average its gates.

    Args:
        predictor: the network; it is left in evaluation mode.
        images: photos, as :func:`pamm.data.images.read_image` takes them.
        progress: called with the number of images done, and of all.

    Raises:
        ValueError: if there is no image, one cannot be read, or the network has no experts.
    """
    model = predictor.model.eval()
    config = model.config
    if not (config.scan and config.experts):
        raise ValueError("the network has no parameter experts, so there are no gates to draw: choose other weights")
    if not images:
        raise ValueError("no image was given: gates are means over one or more")
    device = next(model.parameters()).device
    shape = (config.stages, len(config.experts), len(config.tasks), config.expert_count)
    total, kept = np.zeros(shape), np.zeros(shape)
    for count, image in enumerate(images, start=1):
        _, gates = model.forward_with_gates(predictor.prepare(image).tensor[None].to(device))
        values = torch.cat(gates).cpu().double().numpy().reshape(shape)
        total += values
        kept += values != 0
        if progress is not None:
            progress(count, len(images))
    return GateMeans(
        mean=total / len(images),
        kept=kept / len(images),
        stages=tuple(range(config.skipped_stages + 1, config.skipped_stages + config.stages + 1)),
        parameters=config.experts,
        tasks=tuple(task.title for task in config.tasks),
        images=len(images),
    )


@paper_style()
def gate_figure(means: GateMeans, *, width: float = TEXT, dpi: int = DPI) -> Figure:
    """Heat maps, tasks by experts: one for each parameter (rows) and stage (columns), all in the same colours.

    A cross marks an expert that is kept for none of the images.

    Args:
        means: the gates.
        width: of the figure, inches.
        dpi: pixels to an inch on a screen.

    Raises:
        ValueError: if the figure is too narrow, or its size is out of bounds.
    """
    check_size(width, dpi)
    stages, parameters, tasks, experts = means.mean.shape
    left = max(text_width(title, SMALL) for title in means.tasks) + 0.28
    right, top, bottom, gap = 0.45, 0.2, 0.36, 0.1
    side = (width - left - right - gap * (stages - 1)) / stages
    if side < 0.4:
        raise ValueError(f"{stages} stages do not fit into {width:g} inches: draw a wider figure")
    height = tasks * _CELL
    tall = top + parameters * height + gap * (parameters - 1) + bottom
    figure = Figure(figsize=(width, tall), dpi=dpi)
    norm = Normalize(0, max(float(means.mean.max()), 1e-6))
    for row, parameter in enumerate(means.parameters):
        up = 1 - (top + row * (height + gap) + height) / tall
        for column, stage in enumerate(means.stages):
            axes = figure.add_axes(((left + column * (side + gap)) / width, up, side / width, height / tall))
            cells = means.mean[column, row]
            edges = (np.arange(experts + 1) + 0.5, np.arange(tasks + 1) - 0.5)
            axes.pcolormesh(*edges, cells, cmap=_COLORMAP, norm=norm, edgecolors="white", linewidth=0.3)
            never = np.argwhere(means.kept[column, row] == 0)
            axes.plot(never[:, 1] + 1, never[:, 0], "x", color=FAINT, markersize=2.6, markeredgewidth=0.5)
            axes.set(xlim=(0.5, experts + 0.5), ylim=(tasks - 0.5, -0.5))
            axes.set_xticks(_ticks(experts))
            axes.set_xticklabels(map(str, _ticks(experts)) if row == parameters - 1 else [])
            axes.set_yticks(range(tasks), means.tasks if column == 0 else [])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(f"Stage {stage}", size=BODY, pad=3)
        figure.text(0.08 / width, up + height / 2 / tall, parameter, size=BODY, weight="bold", va="center", ha="center")
    middle = (left + (width - left - right) / 2) / width
    words = f"expert (mean gate over {means.counted}; × kept for none of them)"
    figure.text(middle, 0.08 / tall, words, ha="center", va="center", color=FAINT)
    box = ((width - right + 0.1) / width, bottom / tall, 0.08 / width, 1 - (top + bottom) / tall)
    bar = figure.colorbar(ScalarMappable(norm, _COLORMAP), cax=figure.add_axes(box))
    bar.outline.set(edgecolor=RULE, linewidth=0.4)
    bar.ax.tick_params(pad=2)
    return figure


def _ticks(count: int) -> list[int]:
    """Numbers from 1 to a count that are written at an axis: few enough to be read."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 10**6) if count / step <= 6)
    return [1, *range(step, count + 1, step)] if step > 1 else list(range(1, count + 1))
