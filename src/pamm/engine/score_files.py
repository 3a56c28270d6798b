"""Scores of maps that any network left in files."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pamm.data.dataset import Unreadable
from pamm.data.images import ImageError, array_names, read_map
from pamm.data.sample import FileDataset, label_tensor
from pamm.engine.boundaries.files import MAPS, find_maps, read_probability
from pamm.engine.colours import Map
from pamm.engine.evaluate import EvalResult, Totals
from pamm.names import unknown_name
from pamm.tasks import Task

VALUES = "values.npz"
"""File of all maps of one photo, as :meth:`pamm.engine.prediction.Prediction.save` writes it."""
_NAMED = 3

Pair = tuple[Tensor, Tensor]
"""A map as a task's score takes it, and its label, both of one image."""


@dataclass(frozen=True, kw_only=True)
class _MapTask(Task):
    """A task whose outputs are maps already, so that scores take them as they are."""

    def decode(self, output: Tensor) -> Tensor:
        """The output itself: classes and probabilities are (b, H, W), all else (b, channels, H, W)."""
        return output


def score_files(
    predictions: str | Path,
    dataset: FileDataset,
    *,
    scale: Mapping[str, float] | None = None,
    partial: bool = False,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EvalResult:
    """Score the maps of a folder on a labelled data set, as :func:`pamm.engine.evaluate.evaluate` scores a network.

    Args:
        predictions: a folder for each photo with ``values.npz`` in it, as `pamm predict` writes them; or a folder for
            each task, with a map for each photo (see :func:`read_prediction`). Photos are called as in the data set.
            What is no task of the data set is passed over.
        dataset: the labels.
        scale: by task, the factor from what is stored to the task's unit, for example 0.001 for millimetres.
        partial: whether photos without predictions are left out; otherwise one is an error.
        workers: processes that read files; 0 reads in this one.
        progress: called with the number of photos scored or failed, and in all.

    Returns:
        The scores, and those of the best constant prediction, of the tasks of which some pixel has a label. Photos of
        which a map or label cannot be read are left out and listed.

    Raises:
        ValueError: if there are no predictions, some are missing, none of them can be scored, or a scale is wrong.
    """
    start = time.perf_counter()
    folder = Path(predictions)
    files = find_predictions(folder, dataset.tasks)
    tasks = [task for task in dataset.tasks if task.name in files]
    check_scale(scale or {}, tasks)
    chosen = _chosen(folder, dataset.ids, files, partial=partial)
    pairs = _Pairs(dataset, chosen, files, tasks, scale or {})
    as_maps = [_MapTask(**{field.name: getattr(task, field.name) for field in fields(task)}) for task in tasks]
    totals = Totals(tasks, scored=as_maps)
    failed: dict[str, str] = {}
    for count, item in enumerate(DataLoader(pairs, batch_size=None, num_workers=workers), start=1):
        if isinstance(item, Unreadable):
            failed[item.name] = item.message
        else:
            for name, (output, label) in item.items():
                totals.update(name, output[None], label[None])
        if progress is not None:
            progress(count, len(chosen))
    return totals.result(images=len(chosen) - len(failed), seconds=time.perf_counter() - start, failed=failed)


def find_predictions(folder: Path, tasks: Sequence[Task]) -> dict[str, dict[str, Path]]:
    """The files of a folder that hold predictions: by task, by the name of the photo.

    Args:
        folder: as in :func:`score_files`.
        tasks: the tasks to look for.

    Raises:
        ValueError: if there is no such folder, or it holds a map of none of the tasks, or two of one photo, or no file
            of it can be read.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder: give the folder of the predictions")
    whole = {path.parent.name: path for path in sorted(folder.glob(f"*/{VALUES}"))}
    found: dict[str, dict[str, Path]] = {}
    if whole:
        found = _by_task(whole, tasks)
    else:
        found = {task.name: find_maps(folder / task.name, MAPS) for task in tasks if (folder / task.name).is_dir()}
    if not found:
        raise ValueError(
            f"{folder}: holds no map of {', '.join(task.name for task in tasks)}: wanted is NAME/{VALUES} for each "
            f"photo, or a folder for each task, such as {tasks[0].name}/NAME.png"
        )
    return found


def _by_task(whole: Mapping[str, Path], tasks: Sequence[Task]) -> dict[str, dict[str, Path]]:
    """The files that hold each task; a damaged one counts as holding whatever others hold, so that reading it fails."""
    held: dict[str, tuple[str, ...]] = {}
    damaged: ImageError | None = None
    for name, path in whole.items():
        try:
            held[name] = array_names(path)
        except ImageError as error:
            damaged = damaged or error
    if damaged and not held:
        raise damaged
    found = {
        task.name: {name: path for name, path in whole.items() if name not in held or task.name in held[name]}
        for task in tasks
    }
    return {task: files for task, files in found.items() if files.keys() & held.keys()}


def check_scale(scale: Mapping[str, float], tasks: Sequence[Task]) -> None:
    """See that values of predictions can be brought to the units of their tasks.

    Args:
        scale: factors by task.
        tasks: the tasks that are predicted.

    Raises:
        ValueError: if a task is not among them or has no values with a unit, or a factor is not above 0 and finite.
    """
    known = {task.name: task for task in tasks}
    for name, factor in scale.items():
        if name not in known:
            raise ValueError(f"scale: {unknown_name('predicted task', name, known)}")
        if known[name].kind != "regression":
            raise ValueError(f"scale: {name} has no values in a unit: give factors of tasks such as depth alone")
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(f"scale: got {factor:g} for {name}: give a factor above 0, for example 0.001")


def _chosen(folder: Path, ids: Sequence[str], files: Mapping[str, Mapping[str, Path]], *, partial: bool) -> list[int]:
    """Numbers of the samples that have predictions of all tasks."""
    without = {name: [one for one in ids if one not in maps] for name, maps in files.items()}
    chosen = [index for index, one in enumerate(ids) if not any(one in missing for missing in without.values())]
    for name, missing in without.items():
        if missing and (not partial or not chosen):
            raise ValueError(
                f"{folder}: {len(missing)} of {len(ids)} photos lack a prediction of {name}: "
                f"{', '.join(missing[:_NAMED])}{', …' if len(missing) > _NAMED else ''}: "
                + ("name predictions like the photos" if partial else "add them, or score the others (`--partial`)")
            )
    return chosen


class _Pairs(Dataset[dict[str, Pair] | Unreadable]):
    """By task, the prediction and the label of each photo; what is wrong with a photo of which one cannot be read."""

    def __init__(
        self,
        dataset: FileDataset,
        chosen: Sequence[int],
        files: Mapping[str, Mapping[str, Path]],
        tasks: Sequence[Task],
        scale: Mapping[str, float],
    ) -> None:
        """Put the parts together."""
        self.dataset, self.chosen, self.files, self.tasks, self.scale = dataset, chosen, files, tasks, scale

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.chosen)

    def __iter__(self) -> Iterator[dict[str, Pair] | Unreadable]:
        """All of them once."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> dict[str, Pair] | Unreadable:
        """The maps of one photo, tasks without a label left out."""
        index = self.chosen[number]
        name = self.dataset.ids[index]
        try:
            readers = self.dataset.labels(index)
            return {
                task.name: self._pair(task, self.files[task.name][name], readers[task.name]())
                for task in self.tasks
                if task.name in readers
            }
        except (ValueError, OSError) as error:
            return Unreadable(name, " ".join(str(error).split()))

    def _pair(self, task: Task, path: Path, label: NDArray[Any]) -> Pair:
        values = read_prediction(path, task, scale=self.scale.get(task.name, 1.0))
        if values.shape[:2] != label.shape[:2]:
            raise ValueError(
                f"{path}: {task.name} has {values.shape[0]}×{values.shape[1]} pixels, its label {label.shape[0]}×"
                f"{label.shape[1]}: store predictions at the photo's own size, without padding"
            )
        if task.classes:
            return torch.from_numpy(values), label_tensor(label, task)
        return label_tensor(values, task), label_tensor(label, task)


def read_prediction(path: Path, task: Task, *, scale: float = 1.0) -> Map:
    """A predicted map.

    Args:
        path: a picture, ``.npy``, or ``.npz``. Classes are whole numbers from 0, grey or the numbers of a palette. The
            probability of yes is grey of 8 or 16 bits, or fractions. Values are numbers, in pictures of 16 bits for
            example. Directions are arrays of vectors of any length, or pictures in which 0 to 255 (65535) stand for -1
            to 1.
        task: the task.
        scale: factor of values, from what is stored to the task's unit.

    Returns:
        (H, W) int64 classes, (H, W) float32 probabilities, (H, W) or (H, W, C) float32 values or directions.

    Raises:
        ValueError: if it cannot be read, or its numbers or channels do not fit the task.
    """
    key = task.name if path.name == VALUES else None
    if task.kind == "binary":
        return read_probability(path, key=key)
    stored = read_map(path, key=key)
    channels = stored.shape[2] if stored.ndim == 3 else 1
    if channels != task.label_channels:
        raise ValueError(f"{path}: the map has {channels} channels, {task.name} has {task.label_channels}")
    if task.kind == "classes":
        return _classes(path, stored, task)
    if task.kind == "direction" and stored.dtype.kind == "u":
        return np.asarray(2 * (stored / np.iinfo(stored.dtype).max) - 1, np.float32)
    values = np.asarray(stored, np.float32) * np.float32(scale)
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: {task.name} holds values that are not finite: store a number for every pixel")
    return values


def _classes(path: Path, stored: NDArray[Any], task: Task) -> Map:
    if stored.dtype.kind not in "iu":
        raise ValueError(f"{path}: {stored.dtype} are no numbers of classes: store whole numbers")
    if stored.min() < 0 or stored.max() >= task.channels:
        raise ValueError(
            f"{path}: values {stored.min()} to {stored.max()}, but the classes of {task.name} are 0 to "
            f"{task.channels - 1}: store a class for every pixel"
        )
    return stored.astype(np.int64)
