"""What the loaders of the benchmarks share: lists of ids, labels by task, and pixels to labels."""

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.benchmarks import BENCHMARKS
from pamm.data.images import read_image, read_map
from pamm.data.layouts import open_tree
from pamm.data.sample import FileDataset, Reader
from pamm.names import unknown_name
from pamm.tasks import IGNORE

Label = NDArray[Any]

SPLITS = ("train", "val")
_WRONG = 254
_COMPONENTS = (np.arange(256) * (2 / 255) - 1).astype(np.float32)
_NO_DIRECTION = (((0, 0, 0), (0, 0, 0)), ((127, 127, 127), (128, 128, 128)))


class TreeDataset(FileDataset):
    """The photos of a benchmark's split, each with the labels of all tasks. Nothing is ever written to the folder.

    A kind of label whose folder is not there is no task of the set; a single file that is missing is an error when it
    is read.
    """

    benchmark: ClassVar[str]
    """Key of :data:`pamm.benchmarks.BENCHMARKS`."""
    lists: ClassVar[str]
    """Folder of the lists of ids, one file a split."""
    images: ClassVar[str]
    """Where the photos lie."""
    folders: ClassVar[Mapping[str, tuple[tuple[str, ...], ...]]]
    """Folders by task: one of each group must be there."""
    published: ClassVar[Mapping[str, str]]
    """Name of the published list of ids by split; see :func:`published_ids`."""

    def __init__(self, root: str | Path, *, split: str = "train", scoring: bool = False) -> None:
        """Find the folder and read the list of ids.

        Args:
            root: the archive's top folder, or the one that it lies in under its usual name.
            split: ``train`` or ``val``, or another list that lies beside theirs.
            scoring: whether boundary labels are the truth of the published scores instead of those to train on.

        Raises:
            ValueError: if the folder or the list is missing, or another archive lies there.
        """
        self.root = open_tree(root, self.benchmark)
        self.split, self.scoring = split, scoring
        self.ids = read_ids(self._list(split))
        benchmark = BENCHMARKS[self.benchmark]
        scores = benchmark.published_scores if scoring else {}
        self._tasks = tuple(
            replace(task, score=scores.get(task.name, task.score))
            for task in benchmark.tasks
            if all(map(self._holds, self.folders[task.name]))
        )
        if not self._tasks:
            wanted = "; ".join(self.missing_tasks().values())
            raise ValueError(f"{self.root}: no folder of labels is there, wanted any of: {wanted}: unpack them too")

    def stored_photo(self, index: int) -> bytes | None:
        """The photo as its file holds it.

        Raises:
            IndexError: if there is no such photo.
            OSError: if the file cannot be read.
        """
        return self._photo(index).read_bytes()

    def open(self, index: int) -> tuple[NDArray[np.uint8], dict[str, Reader]]:
        """One photo, (H, W, 3) uint8 RGB, and by task what reads its label.

        Raises:
            IndexError: if there is no such photo.
            ValueError: if it is missing or cannot be read.
        """
        name = self.ids[index]
        image = read_image(self._photo(index), as_shown=False)
        readers = self.labels(index, shape=image.shape[:2])

        def read(task: str) -> Label:
            label = readers[task]()
            if label.shape[:2] != image.shape[:2]:
                raise ValueError(
                    f"{self.root}: the {task} label of {name} is {label.shape[0]}×{label.shape[1]} pixels (rows, "
                    f"columns), its photo {image.shape[0]}×{image.shape[1]}: copy both again"
                )
            return label

        return image, {task: partial(read, task) for task in readers}

    def labels(self, index: int, *, shape: tuple[int, ...] | None = None) -> dict[str, Reader]:
        """By task, what reads the label of one photo.

        Args:
            index: number of the photo.
            shape: rows and columns of the photo; those of the first label that can be read if left out.

        Raises:
            IndexError: if there is no such photo.
        """
        name = self.ids[index]
        readers = self._readers(name, shape or self._label_shape(name))
        return {task.name: readers[task.name] for task in self._tasks if task.name in readers}

    def missing_tasks(self) -> dict[str, str]:
        """The benchmark's tasks whose labels are not there, each with the folders that are missing."""
        offered = {task.name for task in self._tasks}
        return {
            name: " and ".join(" or ".join(group) for group in groups if not self._holds(group))
            for name, groups in self.folders.items()
            if name not in offered
        }

    def remarks(self) -> tuple[str, ...]:
        """How the split differs from the published one, in words."""
        if self.split not in self.published:
            return ()
        published = set(published_ids(self.published[self.split]))
        if published == set(self.ids):
            return ()
        return (
            f"{len(published & set(self.ids)):,} of the {len(published):,} published ids, and "
            f"{len(set(self.ids) - published):,} others",
        )

    def _photo(self, index: int) -> Path:
        return self.root / self.images.format(id=self.ids[index])

    @abstractmethod
    def _readers(self, name: str, shape: tuple[int, ...]) -> dict[str, Reader]:
        """By task, what reads the label of the photo of an id and of a shape (rows, columns)."""

    def _label_shape(self, name: str) -> tuple[int, ...]:
        for read in self._readers(name, (0, 0)).values():
            with suppress(ValueError):
                label = read()
                if label.size:
                    return label.shape[:2]
        return 0, 0

    def _holds(self, folders: tuple[str, ...]) -> bool:
        return any((self.root / folder).is_dir() for folder in folders)

    def _list(self, split: str) -> Path:
        path = self.root / self.lists / f"{split}.txt"
        if not path.is_file():
            there = sorted(file.stem for file in path.parent.glob("*.txt"))
            if split in SPLITS or not there:
                raise ValueError(f"{path}: the list of ids is missing: unpack the archive again")
            raise ValueError(f"{path.parent}: {unknown_name('split', split, there)}")
        return path


def read_ids(path: Path) -> tuple[str, ...]:
    """The ids of a text file, one a line; blank lines and spaces around are passed over.

    Raises:
        ValueError: if it cannot be read, is empty, or names an id twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: the list cannot be read ({error}): copy it again") from error
    ids = tuple(line.strip() for line in lines if line.strip())
    if not ids or len(set(ids)) < len(ids):
        raise ValueError(f"{path}: {'an id comes twice' if ids else 'the list is empty'}: copy it again")
    return ids


def published_ids(name: str) -> tuple[str, ...]:
    """A list of ids as it was published: ``nyud_val``, ``pascal_context_train``, ``pascal_context_val``, or
    ``pascal_context_boundaries``, on which boundaries are scored.
    """  # noqa: D205
    return tuple((files("pamm.data") / "lists" / f"{name}.txt").read_text(encoding="utf-8").split())


def one_channel(path: Path) -> Label:
    """A stored map of one channel, (H, W); grey maps stored in colour are taken as grey.

    Raises:
        ValueError: if it cannot be read or has several channels that differ.
    """
    stored = read_map(path)
    if stored.ndim == 3:
        if (stored != stored[..., :1]).any():
            raise ValueError(f"{path}: the map has {stored.shape[2]} channels, wanted one: copy the file again")
        stored = stored[..., 0]
    return stored


def classes_label(path: Path, *, stored: int, first: int) -> Label:
    """Class labels of a palette or grey picture.

    Args:
        path: the picture.
        stored: number of classes.
        first: stored value of class 0; values below are ignored.

    Returns:
        (H, W) uint8, 255 for none.

    Raises:
        ValueError: if the picture cannot be read or holds another value.
    """
    values = one_channel(path)
    table = np.full(IGNORE + 1, _WRONG, dtype=np.uint8)
    table[:first] = table[IGNORE] = IGNORE
    table[first : first + stored] = np.arange(stored)
    small = values.astype(np.uint8)
    labels: Label = cv2.LUT(small, table)
    wrong = (labels == _WRONG) | (small != values)
    if wrong.any():
        raise ValueError(
            f"{path}: value {values[wrong][0]} is none of 0 to {stored + first - 1}, nor {IGNORE}: copy the file again"
        )
    return labels


def direction_label(path: Path) -> Label:
    """Unit vectors of an 8-bit RGB picture, 2v/255 − 1 in the order of the channels, renormalised.

    Pixels without a direction are black, or grey as near to the zero vector as 8 bits come.

    Returns:
        (H, W, 3) float32, zero vectors where there is no direction.

    Raises:
        ValueError: if the picture cannot be read or is not 8-bit RGB.
    """
    stored = read_map(path)
    if stored.ndim != 3 or stored.shape[2] != 3 or stored.dtype != np.uint8:
        raise ValueError(
            f"{path}: an array of {stored.dtype} and shape {stored.shape}, wanted 8-bit RGB: copy the file again"
        )
    vectors: Label = cv2.LUT(stored, _COMPONENTS)
    scale = 1 / np.sqrt(np.einsum("hwc,hwc->hw", vectors, vectors))
    for low, high in _NO_DIRECTION:
        scale[cv2.inRange(stored, low, high) != 0] = 0
    vectors *= scale[..., None]
    return vectors
