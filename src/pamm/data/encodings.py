"""From stored maps to labels, by the kind of the task and what the manifest says of the encoding."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pamm.data.geometry import boundaries_from_labels, normals_from_depth
from pamm.data.manifest import LabelMaps
from pamm.names import unknown_name
from pamm.tasks import IGNORE, TASKS, Kind, Task

Label = NDArray[Any]


def refined_task(name: str, maps: LabelMaps) -> Task:
    """The task of one entry of a manifest, with the entry's own classes and fields.

    Raises:
        ValueError: if the task is not in the table and not described in full, or its fields contradict each other.
    """
    fields = [field.name for field in dataclasses.fields(Task) if field.name != "name"]
    for key in maps.task:
        if key not in fields:
            raise ValueError(f"task: {unknown_name('key', key, fields)}")
    if maps.like is not None:
        task = _task_like(name, maps.like)
    elif name in TASKS:
        task = TASKS[name]
    elif {"kind", "channels", "loss", "score"} <= set(maps.task):
        task = Task(name=name, **maps.task)
    else:
        hint = "; a task of your own needs like: TASK, or task: {kind: ..., channels: ..., loss: ..., score: ...}"
        raise ValueError(f"{unknown_name('task', name, TASKS)}{hint}")
    if maps.derive is not None and task.kind != _DERIVED_KINDS[maps.derive]:
        raise ValueError(f"{maps.derive} gives labels of kind {_DERIVED_KINDS[maps.derive]!r}, this is {task.kind!r}")
    if maps.annotators is not None and task.kind != "binary":
        raise ValueError(f"annotators answer yes/no questions, this is of kind {task.kind!r}: leave 'annotators' out")
    if maps.lines and task.kind != "binary":
        raise ValueError(f"lines are answers to yes/no questions, this is of kind {task.kind!r}: leave 'lines' out")
    changes = dict(maps.task)
    if task.kind == "classes" and maps.classes is not None:
        changes = {"channels": len(maps.classes), "class_names": tuple(maps.classes), "colours": maps.colours} | changes
    elif maps.classes is not None:
        raise ValueError(f"a task of kind {task.kind!r} has no classes: leave 'classes' out")
    elif maps.colours:
        changes["colours"] = maps.colours
    task = dataclasses.replace(task, **changes)
    if task.kind == "classes" and task.channels > IGNORE:
        raise ValueError(f"{task.channels} classes are more than the {IGNORE} that fit into a label: join some")
    return task


def _task_like(name: str, model: str) -> Task:
    """A standard task under another name."""
    if name in TASKS:
        raise ValueError(f"{name} is a standard task of its own: leave 'like' out, or choose another name")
    if model not in TASKS:
        raise unknown_name("standard task to be like", model, TASKS)
    # an empty title is made from the name
    return dataclasses.replace(TASKS[model], name=name, title="")


def decode(stored: Label, maps: LabelMaps, task: Task) -> Label:
    """Labels from one stored map.

    Args:
        stored: (H, W) or (H, W, C), as read.
        maps: what the manifest says of it.
        task: the task it belongs to.

    Returns:
        The label as in :class:`pamm.data.sample.Sample`.

    Raises:
        ValueError: if the map's channels or values do not fit; the message does not name the file.
    """
    channels = stored.shape[2] if stored.ndim == 3 else 1
    if channels != task.label_channels:
        raise ValueError(f"the map has {channels} channels, {task.name} has {task.label_channels}: check the path")
    return _DECODERS[task.kind](stored, maps, task)


def derive(source: Label, maps: LabelMaps, *, stored_size: tuple[int, int]) -> Label:
    """Labels that follow from another map.

    Args:
        source: (H, W) depth or instances; may be smaller than stored.
        maps: what the manifest says of the derived label.
        stored_size: rows and columns of the stored image, in whose pixels the manifest gives the camera.

    Returns:
        The label as in :class:`pamm.data.sample.Sample`.

    Raises:
        ValueError: if the map has several channels; the message does not name the file.
    """
    if source.ndim != 2:
        raise ValueError(f"the map has {source.shape[2]} channels, wanted 1 to derive from: check the path")
    assert maps.derive is not None
    return _DERIVATIONS[maps.derive](source, maps, stored_size)


def _ignored(stored: Label, values: tuple[float, ...]) -> NDArray[np.bool_]:
    """(H, W): every channel holds an ignored value, or any is not a finite number."""
    planes = stored.reshape(*stored.shape[:2], -1)
    ignored = np.isin(planes, np.asarray(values)).all(axis=2) | ~np.isfinite(planes).all(axis=2)
    return np.asarray(ignored, dtype=np.bool_)


def _class_table(maps: LabelMaps, task: Task) -> dict[int, int]:
    """Label by stored value."""
    table: dict[int, int] = {}
    listed: Mapping[str, int | tuple[int, ...]] = (
        maps.classes if isinstance(maps.classes, dict) else {str(index): index for index in range(task.channels)}
    )
    for index, values in enumerate(listed.values()):
        table |= dict.fromkeys((values,) if isinstance(values, int) else values, index)
    return {IGNORE: IGNORE} | table if maps.ignore is None else table | {int(v): IGNORE for v in maps.ignore}


def _classes(stored: Label, maps: LabelMaps, task: Task) -> Label:
    table = _class_table(maps, task)
    low, high = min(table), max(table)
    # one place more than the range holds, for whatever lies outside
    labels = np.full(high - low + 2, -1, dtype=np.int16)
    for value, label in table.items():
        labels[value - low] = label
    inside = (stored >= low) & (stored <= high)
    if stored.dtype.kind == "f":
        inside &= stored == np.floor(stored)
    found = labels[np.where(inside, stored, high + 1).astype(np.int64) - low]
    if stored.dtype.kind == "f":
        found[np.isnan(stored)] = IGNORE
    if maps.unlisted == "error" and (found < 0).any():
        raise ValueError(
            f"value {stored[found < 0][0]:g} is none of the {task.channels} classes of {task.name} and is not ignored: "
            "list it under 'classes' or 'ignore', or write unlisted: ignore"
        )
    return np.where(found < 0, IGNORE, found).astype(np.uint8)


def _binary(stored: Label, maps: LabelMaps, task: Task) -> Label:
    if maps.annotators is not None:
        if stored.dtype.kind not in "iu":
            raise ValueError(f"values of {stored.dtype} have no bits for annotators: store whole numbers")
        votes = sum((stored >> bit) & 1 for bit in range(min(maps.annotators, 8 * stored.dtype.itemsize)))
        return np.where(_ignored(stored, maps.ignore or ()), IGNORE, votes > (maps.threshold or 0)).astype(np.uint8)
    if maps.threshold is None and maps.ignore is None and (stored == 1).any() and (stored == IGNORE).any():
        raise ValueError(
            f"the map holds both 1 and 255: write ignore: [255] if 255 means no label of {task.name}, or a threshold"
        )
    label = stored > (maps.threshold or 0)
    return np.where(_ignored(stored, maps.ignore or ()), IGNORE, label).astype(np.uint8)


def _regression(stored: Label, maps: LabelMaps, task: Task) -> Label:
    ignored = _ignored(stored, maps.ignore or ())
    values = stored.astype(np.float32) * np.float32(maps.scale)
    values[ignored] = task.ignore
    return values


def _direction(stored: Label, maps: LabelMaps, task: Task) -> Label:
    if task.channels > len(maps.axes):
        raise ValueError(f"directions of {task.channels} channels are not read: store at most {len(maps.axes)}")
    vectors = stored.astype(np.float32)
    if stored.dtype.kind in "iu":
        vectors = vectors * np.float32(2 / np.iinfo(stored.dtype).max) - 1
    places = {axis.removeprefix("-"): (index, axis) for index, axis in enumerate(maps.axes)}
    turned = [vectors[..., index] * (-1 if axis != name else 1) for name, (index, axis) in sorted(places.items())]
    vectors = np.stack(turned[: task.channels], axis=-1)
    length = np.linalg.norm(vectors, axis=-1)
    # black and mid-grey, common marks of pixels without a label, are far from unit length
    ignored = _ignored(stored, maps.ignore or ()) | ~((length > 0.5) & (length < 1.5))
    label = vectors / np.where(ignored, 1, length)[..., None]
    label[ignored] = task.ignore
    return label


def _normals_from_depth(depth: Label, maps: LabelMaps, stored_size: tuple[int, int]) -> Label:
    assert maps.focal is not None
    ratio = [now / before for now, before in zip(depth.shape, stored_size, strict=True)][::-1]
    centre = maps.centre or ((stored_size[1] - 1) / 2, (stored_size[0] - 1) / 2)
    return normals_from_depth(
        np.where(_ignored(depth, maps.ignore or ()), 0, depth * np.float32(maps.scale)),
        (maps.focal[0] * ratio[0], maps.focal[1] * ratio[1]),
        # pixel centres lie half a pixel in, before and after
        ((centre[0] + 0.5) * ratio[0] - 0.5, (centre[1] + 0.5) * ratio[1] - 0.5),
    )


def _boundaries_from_labels(instances: Label, maps: LabelMaps, stored_size: tuple[int, int]) -> Label:
    return np.where(_ignored(instances, maps.ignore or ()), IGNORE, boundaries_from_labels(instances)).astype(np.uint8)


_DECODERS: dict[Kind, Callable[[Label, LabelMaps, Task], Label]] = {
    "classes": _classes,
    "binary": _binary,
    "regression": _regression,
    "direction": _direction,
}
_DERIVATIONS: dict[str, Callable[[Label, LabelMaps, tuple[int, int]], Label]] = {
    "normals_from_depth": _normals_from_depth,
    "boundaries_from_labels": _boundaries_from_labels,
}
_DERIVED_KINDS: dict[str, Kind] = {"normals_from_depth": "direction", "boundaries_from_labels": "binary"}
