"""Maps as a browser gets them: a picture, a legend, words, and the values under the pointer."""

import gzip
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pamm.data.images import png
from pamm.engine.colours import Map, Pixels, class_name, colour_map, css, legend, thumbnail, valid_pixels, value_span
from pamm.tasks import Task

VALUES_SIDE = 512
"""Longest side of the grid of values that the browser gets, pixels."""
_NAMED = 16
"""Classes that a legend names at most."""
_MOST = {"uint8": 254, "uint16": 65534}
"""Largest stored number by type; the next stands for no value."""


@dataclass(frozen=True, eq=False)
class ShownMap:
    """One map for the browser."""

    facts: dict[str, Any]
    """What it is, in plain values."""
    picture: bytes
    """PNG, as large as the photo."""
    values: bytes
    """Stored numbers, row by row, little-endian, gzipped; ``facts["values"]`` says how to read them."""


def show_map(task: Task, array: Map) -> ShownMap:
    """Prepare one map.

    Args:
        task: what the map shows.
        array: (H, W) or (H, W, C), as :class:`pamm.engine.prediction.Prediction` holds it.
    """
    span = value_span(task, array)
    note = legend(task, array, span=span, most=_NAMED)
    stored, facts = _stored(task, thumbnail(array, VALUES_SIDE))
    described = {
        "name": task.name,
        "title": task.title,
        "kind": task.kind,
        "unit": task.unit,
        "distance": task.inverse_to_zoom and task.channels == 1,
        "classes": [class_name(task, number) for number in range(task.classes)],
        "colours": _class_colours(task),
        "legend": {
            "swatches": [[css(colour), words] for colour, words in note.swatches],
            "bar": [css(colour) for colour in note.bar],
            "ticks": list(note.ticks),
        },
        "words": describe(task, array),
        "values": facts,
    }
    return ShownMap(described, png(colour_map(task, array, span=span)), gzip.compress(stored.tobytes(), 3, mtime=0))


def describe(task: Task, array: Map) -> str:
    """What a map shows, for those who do not see it.

    Args:
        task: what the map shows.
        array: (H, W) or (H, W, C).
    """
    valid = valid_pixels(task, array)
    if not valid.any():
        return f"{task.title}: no values"
    if task.kind == "classes":
        counts = np.bincount(array[valid].astype(np.int64), minlength=task.channels)[: task.channels]
        largest = [int(index) for index in np.argsort(-counts, kind="stable")[:4] if counts[index]]
        return f"{task.title}: " + ", ".join(
            f"{class_name(task, index)} {_share(counts[index] / valid.sum())}" for index in largest
        )
    if task.kind == "binary":
        yes = (task.class_names or ("no", "yes"))[1]
        return f"{task.title}: {yes} in {_share((array[valid] > 0.5).mean())} of the picture"
    if task.kind == "direction" or array.ndim == 3:
        means = ", ".join(f"{value:.2f}" for value in array[valid].mean(axis=0))
        return f"{task.title}: on average ({means})"
    low, middle, high = np.percentile(array[valid], (1, 50, 99))
    return f"{task.title}: from {low:.2f} to {high:.2f} {task.unit}, half of it below {middle:.2f}".strip()


def jpeg(pixels: Pixels) -> bytes:
    """Pixels as a JPEG file of high quality."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=90)
    return buffer.getvalue()


def _stored(task: Task, array: Map) -> tuple[NDArray[np.unsignedinteger[Any]], dict[str, Any]]:
    """Values as whole numbers: value = offset + scale × number; the type's largest number is no value."""
    kind = "uint16" if task.kind == "regression" or task.channels > _MOST["uint8"] else "uint8"
    offset, scale = 0.0, 1.0
    values = np.asarray(array, dtype=np.float64)
    known = np.isfinite(values)
    if task.kind != "classes":
        found = values[known]
        low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
        if task.kind != "regression":
            low, high = (0.0, 1.0) if task.kind == "binary" else (-1.0, 1.0)
        offset, scale = low, (high - low or 1.0) / _MOST[kind]
    numbers = np.full(values.shape, _MOST[kind] + 1, dtype=f"<{np.dtype(kind).str[1:]}")
    numbers[known] = np.rint((values[known] - offset) / scale).clip(0, _MOST[kind])
    rows, columns = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    facts = {"type": kind, "rows": rows, "columns": columns, "channels": channels, "offset": offset, "scale": scale}
    return numbers, facts


def _class_colours(task: Task) -> list[str]:
    if task.kind != "classes":
        return []
    every = np.arange(task.channels, dtype=np.int32)[None]
    return [css((int(red), int(green), int(blue))) for red, green, blue in colour_map(task, every)[0]]


def _share(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.01 else "less than 1 %"
