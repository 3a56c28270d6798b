"""Maps as colours a person can read, and what each colour means.

Nothing here lays out pictures: see :mod:`pamm.engine.draw` for that and :mod:`pamm.engine.report` for the page.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pamm.names import unknown_name
from pamm.tasks import Colour, Task

Map = NDArray[Any]
Pixels = NDArray[np.uint8]
Span = tuple[float, float]

NEUTRAL: Colour = (128, 128, 128)
"""Colour of pixels without a value."""

_DIRECTIONS = (
    ("right", (1, 0, 0)),
    ("up", (0, 1, 0)),
    ("towards the camera", (0, 0, 1)),
    ("left", (-1, 0, 0)),
    ("down", (0, -1, 0)),
)


@dataclass(frozen=True)
class Legend:
    """What the colours of a map mean: swatches with words, or a bar with numbers."""

    swatches: tuple[tuple[Colour, str], ...] = ()
    """Colours with their meaning."""
    bar: tuple[Colour, ...] = ()
    """Colours from the lowest value to the highest, or empty."""
    ticks: tuple[str, ...] = ()
    """Values spread evenly along the bar."""


def decoded(task: Task, output: Tensor) -> Map:
    """The map a user wants from the raw values of one task's head.

    Args:
        task: what the head predicts.
        output: (channels, H, W) of one photo.

    Returns:
        Classes: (H, W) int32. Yes/no questions: (H, W) float32 probability. One value: (H, W) float32. Directions
        and several values: (H, W, channels) float32.
    """
    values = task.decode(output.float()).cpu().numpy()
    array: Map = np.moveaxis(values, 0, -1) if values.ndim == 3 else values
    return np.ascontiguousarray(array, dtype=np.int32 if task.kind == "classes" else np.float32)


def value_span(task: Task, *maps: Map) -> Span:
    """Range of values that the colours of some maps share.

    Args:
        task: what the maps show.
        *maps: maps as :meth:`pamm.tasks.Task.decode` or a data set gives them, (H, W) or (H, W, C).

    Returns:
        Lowest and highest value: 0 and 1 for a yes/no question, the 1st and 99th percentile of valid pixels
        otherwise.
    """
    if task.kind != "regression":
        return (0.0, 1.0)
    found = [np.asarray(array, dtype=np.float32)[valid_pixels(task, array)].ravel() for array in maps]
    values = np.concatenate(found) if found else np.empty(0, dtype=np.float32)
    if not values.size:
        return (0.0, 1.0)
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    return (low, high) if high - low > 1e-6 * max(1.0, abs(high)) else (low - 0.5, high + 0.5)


def check_spans(tasks: Sequence[Task], spans: Mapping[str, Span]) -> None:
    """Raise a ValueError if a range of values is given that colours cannot stand for.

    Args:
        tasks: what the maps show.
        spans: lowest and highest value of the colours, by task name.
    """
    by_name = {task.name: task for task in tasks}
    for name, (low, high) in spans.items():
        if name not in by_name:
            raise unknown_name("task to give a range of values of", name, by_name)
        if by_name[name].kind in ("classes", "direction"):
            raise ValueError(
                f"range of {name}: its colours stand for {by_name[name].kind}, not for values: leave it out"
            )
        if not math.isfinite(high - low):
            raise ValueError(f"range of {name}: from {low:g} to {high:g}: give two finite values")
        if not low < high:
            raise ValueError(f"range of {name}: from {low:g} to {high:g}: give the lower value first")


def colour_map(task: Task, array: Map, *, span: Span | None = None) -> Pixels:
    """Colour a predicted or a labelled map.

    Args:
        task: what the map shows; its kind, colours and colour map decide.
        array: (H, W), or (H, W, C) for directions and for several values.
        span: lowest and highest value of the colours; by default :func:`value_span` of this map.

    Returns:
        (H, W, 3) uint8 RGB. Pixels that do not count (the task's ``ignore``, classes out of range) are grey.
    """
    valid = valid_pixels(task, array)
    if task.kind == "classes":
        valid &= (array >= 0) & (array < task.channels)
        table = np.array([_class_colour(task, index) for index in range(task.channels)], dtype=np.uint8)
        coloured: Pixels = table[np.where(valid, array, 0).astype(np.intp)]
    elif task.kind == "direction":
        coloured = _three_channels(np.asarray(array, dtype=np.float32) * 0.5 + 0.5)
    else:
        low, high = span or value_span(task, array)
        scaled = (np.nan_to_num(np.asarray(array, dtype=np.float32)) - low) / (high - low)
        if array.ndim == 3 and array.shape[2] == 3:
            coloured = _three_channels(scaled)
        else:
            flat = np.linalg.norm(scaled, axis=2) if array.ndim == 3 else scaled
            coloured = colour_table(task.colormap)[(flat.clip(0, 1) * 255).round().astype(np.uint8)]
    coloured[~valid] = NEUTRAL
    return coloured


def legend(task: Task, *maps: Map, span: Span | None = None, most: int = 10, by_size: bool = True) -> Legend:
    """What the colours of some maps of one task mean.

    Args:
        task: what the maps show.
        *maps: the maps, as given to :func:`colour_map`.
        span: range of values they were coloured with; by default :func:`value_span` of these maps.
        most: number of classes named at most; the rest is counted.
        by_size: whether the largest classes are named first, or they keep their order.

    Returns:
        Classes: the largest that occur. Values: a bar from the lowest to the highest. Directions in
        space: where five directions point.
    """
    if task.kind == "classes":
        return _class_legend(task, maps, most, by_size=by_size)
    if task.kind == "direction":
        if task.channels != 3:
            return Legend()
        shown = np.array([[vector for _, vector in _DIRECTIONS]], dtype=np.float32)
        colours = colour_map(task, shown)[0]
        return Legend(tuple((_rgb(colour), name) for colour, (name, _) in zip(colours, _DIRECTIONS, strict=True)))
    if maps and maps[0].ndim == 3:
        return Legend()
    low, high = span or value_span(task, *maps)
    if task.kind == "binary":
        ticks = tuple(name for name in (task.class_names or ("no", "yes")))
    else:
        unit = f" {task.unit}" if task.unit else ""
        decimals = max(0, 1 - math.floor(math.log10(high - low)))
        ticks = tuple(f"{value:.{decimals}f}{unit}" for value in np.linspace(low, high, 3))
    return Legend(bar=tuple(_rgb(colour) for colour in colour_table(task.colormap)[:: 255 // 15]), ticks=ticks)


def thumbnail(array: Map, longest: int) -> Map:
    """A map or photo with fewer pixels, whose values all occur in the given one.

    Args:
        array: (H, W) or (H, W, C).
        longest: bound on both sides in pixels; smaller maps are returned as they are.
    """
    rows, columns = (_spread(length, longest) for length in array.shape[:2])
    return array if max(array.shape[:2]) <= longest else array[rows[:, None], columns]


def _spread(length: int, longest: int) -> NDArray[np.intp]:
    count = min(length, longest)
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)


def valid_pixels(task: Task, array: Map) -> NDArray[np.bool_]:
    """Pixels that count, (H, W), of a map as :func:`colour_map` takes it.

    Raises:
        ValueError: if it has another shape.
    """
    if array.ndim not in (2, 3):
        raise ValueError(f"{task.name}: a map has shape (H, W) or (H, W, C), got {array.shape}")
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    planes = planes.astype(np.int64 if task.kind == "classes" else np.float32)
    mask: NDArray[np.bool_] = task.valid(torch.from_numpy(planes))[0].numpy()
    return mask


def _class_legend(task: Task, maps: Sequence[Map], most: int, *, by_size: bool) -> Legend:
    counts = np.zeros(task.channels, dtype=np.int64)
    for array in maps:
        inside = array[(array >= 0) & (array < task.channels)].astype(np.int64)
        counts += np.bincount(inside, minlength=task.channels)
    present = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    named = present if len(present) == most + 1 else present[:most]
    swatches = [
        (_class_colour(task, index), class_name(task, index)) for index in (named if by_size else sorted(named))
    ]
    if len(present) > len(named):
        swatches.append((NEUTRAL, f"{len(present) - len(named)} more"))
    return Legend(tuple(swatches))


def class_name(task: Task, index: int) -> str:
    """What a class is called; by its number if the task has no names."""
    return task.class_names[index] if task.class_names else f"class {index}"


def _class_colour(task: Task, index: int) -> Colour:
    if task.colours:
        return task.colours[index]
    return _rgb(np.array(matplotlib.colormaps["tab20"](index % 20)[:3]) * 255)


def css(colour: Colour) -> str:
    """A colour as style sheets write it."""
    return "#" + "".join(f"{value:02x}" for value in colour)


def colour_table(name: str) -> Pixels:
    """A colour map of matplotlib in 256 steps, (256, 3)."""
    colours = matplotlib.colormaps[name](np.arange(256))[:, :3]
    return np.asarray((colours * 255).round(), dtype=np.uint8)


def _three_channels(values: NDArray[np.float32]) -> Pixels:
    """Values from 0 to 1 as red, green and blue; channels beyond the third are dropped, missing ones are 0."""
    coloured = np.zeros((*values.shape[:2], 3), dtype=np.uint8)
    coloured[..., : values.shape[2]] = (np.nan_to_num(values[..., :3]).clip(0, 1) * 255).round().astype(np.uint8)
    return coloured


def _rgb(colour: NDArray[Any]) -> Colour:
    red, green, blue = (int(value) for value in colour)
    return (red, green, blue)
