"""Maps that lie in a folder, whoever predicted them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pamm.data.images import read_map
from pamm.data.sample import Sample
from pamm.engine.colours import Map
from pamm.tasks import Task

_ARRAYS = (".npy", ".npz")
_SUFFIXES = (*_ARRAYS, ".png", ".tif", ".tiff", ".bmp")


class MapFolder:
    """A folder of predicted maps, found by the name of the image and of the task.

    For an image ``room1`` and a task ``depth`` these are looked for, in this order:

    - ``room1/values.npz`` or ``room1.npz``, with an array ``depth``: what `pamm predict` writes;
    - ``depth/room1`` or ``room1/depth``, with the suffix ``.npy``, ``.npz``, ``.png``, ``.tif`` or ``.bmp``.

    Classes are whole numbers (H, W). Probabilities are numbers from 0 to 1, or whole numbers that are brought there by
    the largest that their type can hold. Values and directions, (H, W) or (H, W, C), are numbers in the task's unit,
    which pictures cannot hold.
    """

    def __init__(self, folder: str | Path) -> None:
        """Take the folder.

        Raises:
            ValueError: if it is not there.
        """
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise ValueError(f"{folder}: no such folder: give one with predicted maps")

    def __call__(self, sample: Sample, tasks: Sequence[Task]) -> Mapping[str, Map]:
        """The maps of one image by task name; tasks without a map are left out.

        Args:
            sample: the image, whose name is looked for.
            tasks: the tasks.

        Raises:
            ValueError: if no map of the image is there, or one cannot be read or does not fit the task.
        """
        found = {}
        for task in tasks:
            stored = self._read(sample.name, task.name)
            if stored is not None:
                path, array = stored
                found[task.name] = _as_predicted(task, array, path)
        if not found:
            places = f"{sample.name}/values.npz, or {tasks[0].name}/{sample.name}.npy and the like"
            raise ValueError(f"{self.folder}: no map of {sample.name} there: looked for {places}")
        return found

    def _read(self, image: str, task: str) -> tuple[Path, NDArray[Any]] | None:
        # pictures that `pamm predict` writes beside its values are for people
        for path in (self.folder / image / "values.npz", self.folder / f"{image}.npz"):
            if path.is_file():
                return (path, read_map(path, key=task)) if task in _keys(path) else None
        single = next((path for path in self._single_files(image, task) if path.is_file()), None)
        return None if single is None else (single, read_map(single))

    def _single_files(self, image: str, task: str) -> Iterator[Path]:
        for stem in (self.folder / task / image, self.folder / image / task):
            for suffix in _SUFFIXES:
                # not with_suffix: names of images may hold dots
                yield stem.parent / f"{stem.name}{suffix}"


def _keys(path: Path) -> Sequence[str]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return tuple(arrays)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: damaged or cut short ({' '.join(str(error).split())}): write it again") from error


def _as_predicted(task: Task, stored: NDArray[Any], path: Path) -> Map:
    """A stored map as :meth:`pamm.tasks.Task.decode` would give it."""
    channels = 1 if stored.ndim == 2 else stored.shape[2]
    whole = stored.dtype.kind in "bui"
    if channels != task.label_channels:
        raise ValueError(
            f"{path}: the {task.name} map has shape {stored.shape}, wanted rows, columns"
            + (f" and {task.label_channels} channels" if task.label_channels > 1 else ", one value each")
        )
    if task.kind == "classes":
        if not whole and not np.array_equal(stored, np.round(stored)):
            raise ValueError(f"{path}: the {task.name} map holds fractions: store numbers of classes")
        return stored.astype(np.int32)
    if task.kind == "binary":
        values = stored.astype(np.float32)
        if whole and stored.size and stored.max() > 1:
            values /= np.iinfo(stored.dtype).max
        if values.size and not (np.nanmin(values) >= 0 and np.nanmax(values) <= 1):
            raise ValueError(f"{path}: the {task.name} map holds values outside 0 to 1: store probabilities")
        return values
    if path.suffix not in _ARRAYS:
        unit = f" in {task.unit}" if task.unit and task.kind == "regression" else ""
        raise ValueError(f"{path}: a picture does not say what its {task.name} means: store numbers{unit} as .npy")
    return stored.astype(np.float32)
