"""How the cost of the decoder, which is all but the encoder, grows with the image and with the tasks."""

import dataclasses
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from network_sizes import build, config_of
from network_timing import PASSES, Work, clock_of, in_turns
from rich.table import Table
from torch import Tensor, nn

from pamm.models import PAMMConfig
from pamm.models.config import STAGES
from pamm.tasks import TASKS

SIDES = (128, 256, 512, 1024)
"""Sides of the square images, in pixels."""
STEADY = (256, 1024)
"""Sides between which the cost per pixel is to stay constant."""


@dataclass(frozen=True)
class Series:
    """Which network grows, how it is run, and what it is grown in."""

    axis: str
    """Key of :data:`AXES`."""
    size: str
    form: str
    dtype: str
    pass_: str
    device: str


class RandomTaps(nn.Module):
    """Stands in for an encoder: gives random features at once, so that only the decoder takes time."""

    def __init__(self, config: PAMMConfig) -> None:
        """Build the layer.

        Args:
            config: sizes of the encoder whose place it takes.
        """
        super().__init__()
        self.patch, self.width = config.patch_size, config.encoder_width
        self.known: dict[torch.Size, list[Tensor]] = {}

    def forward(self, image: Tensor) -> list[Tensor]:
        """(b, 3, H, W) → the features that :class:`pamm.models.backbone.Encoder` would give, leaves of the graph."""
        if image.shape not in self.known:
            rows, columns = (side // self.patch for side in image.shape[-2:])
            shape = (len(image), rows, columns, self.width)
            self.known[image.shape] = [torch.randn(shape, device=image.device) for _ in range(STAGES)]
        return [tap.permute(0, 3, 1, 2).detach().requires_grad_() for tap in self.known[image.shape]]


def decoder_work(series: Series, config: PAMMConfig) -> Callable[[int, int], Work]:
    """Makes runs of a decoder, by the height and width of its image."""
    model = build(config, series.device)
    model.encoder = RandomTaps(config)
    way = PASSES[series.pass_]
    ready = way.prepare(model)

    def work(height: int, width: int) -> Work:
        image = torch.empty(1, 3, height, width, device=series.device)
        return lambda: way.run(ready, image, series.dtype)

    return work


def by_side(series: Series) -> dict[int, Work]:
    """One decoder on images of growing sides."""
    work = decoder_work(series, config_of(series.size, series.form))
    return {side: work(side, side) for side in SIDES}


def by_tasks(series: Series) -> dict[int, Work]:
    """Decoders of growing numbers of tasks, on images of the config's size."""
    config = config_of(series.size, series.form)
    growing = [dataclasses.replace(config, tasks=tuple(TASKS)[:count]) for count in range(1, len(TASKS) + 1)]
    return {len(one.tasks): decoder_work(series, one)(*one.image_size) for one in growing}


AXES: dict[str, Callable[[Series], dict[int, Work]]] = {"resolution": by_side, "tasks": by_tasks}
"""What the decoder is grown in, by name."""


def grow(series: Series, rounds: int) -> dict[str, Any]:
    """Measure a series: its settings, and the median seconds at each step of its axis."""
    seconds = in_turns(AXES[series.axis](series), rounds, clock_of(series.device))
    return {**asdict(series), "points": [{"value": value, "seconds": found} for value, found in seconds.items()]}


def per_pixel(seconds: dict[int, float]) -> dict[int, float]:
    """Nanoseconds per pixel, from the seconds by side."""
    return {side: 1e9 * found / side**2 for side, found in seconds.items()}


def per_added(seconds: dict[int, float]) -> dict[int, float]:
    """Time of each task that is added, over that of the first alone, from the seconds by number of tasks."""
    return {count: (seconds[count] - seconds[count - 1]) / seconds[1] for count in seconds if count > 1}


def seconds_of(found: dict[str, Any]) -> dict[int, float]:
    """Seconds of a measured series along its axis."""
    return {point["value"]: point["seconds"] for point in found["points"]}


def growth_table(found: dict[str, Any]) -> Table:
    """Milliseconds of a measured series, and how steady its cost is."""
    seconds = seconds_of(found)
    if found["axis"] == "resolution":
        costs = per_pixel(seconds)
        steady = [cost for side, cost in costs.items() if STEADY[0] <= side <= STEADY[1]]
        heads = ("side", "ns/pixel")
        last = (f"{STEADY[0]} to {STEADY[1]}", f"within {max(steady) / min(steady) - 1:.0%}")
        cells = {side: f"{cost:.0f}" for side, cost in costs.items()}
    else:
        parts = per_added(seconds)
        heads = ("tasks", "added/first")
        last = ("mean", f"{statistics.mean(parts.values()):.0%}")
        cells = {count: f"{part:.0%}" for count, part in parts.items()}
    title = f"decoder of {found['size']}, {found['form']}, {found['dtype']}, {found['pass_']}"
    table = Table(title=title, min_width=len(title) + 4)
    for head in (heads[0], "ms", heads[1]):
        table.add_column(head, justify="right", no_wrap=True)
    for value, time in seconds.items():
        table.add_row(str(value), f"{1000 * time:.1f}", cells.get(value))
    table.add_row(last[0], "", last[1])
    return table
