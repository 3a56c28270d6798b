"""One labelled photo, as every data set gives it, and the tensors made of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pamm.tasks import Task

Reader = Callable[[], NDArray[Any]]
"""Reads one label; raises a ValueError that names the file if it is missing, or cannot be read, or does not fit."""

Padding = tuple[int, int, int, int]


@dataclass(frozen=True)
class Sample:
    """One photo with the labels that exist for it."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB, 0 to 255."""
    labels: dict[str, NDArray[Any]] = field(default_factory=dict)
    """Label map by task name, tasks without a label left out. Classes: (H, W) uint8, 255 for none. Binary: (H, W)
    uint8, 0, 1 or 255 for none. One value: (H, W) float32. Directions and several values: (H, W, C) float32. Values
    and directions are invalid where every channel equals the task's ``ignore``."""
    name: str = ""
    """Where the sample comes from, for messages and file names."""
    padding: Padding = (0, 0, 0, 0)
    """Rows above and below, columns left and right that a transform added; the image is 0 there once normalised."""


class SampleSource(Protocol):
    """A raw data set: samples by number, and the tasks they may have labels for."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks with this set's own classes and ranges."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """One sample."""
        ...


class FileDataset(ABC):
    """A raw data set of files, which can be read one by one."""

    ids: tuple[str, ...]
    """Names of the samples."""
    _tasks: tuple[Task, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks with this set's own classes and ranges; a sample may lack labels of some."""
        return self._tasks

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        """One photo and its labels.

        Raises:
            IndexError: if there is no such photo.
            ValueError: if a file is missing or cannot be read, or a label does not fit its photo or its task.
        """
        image, readers = self.open(index)
        labels = {task.name: readers[task.name]() for task in self._tasks if task.name in readers}
        return Sample(image, labels, self.ids[index])

    def stored_photo(self, index: int) -> bytes | None:
        """The photo of one sample as its file holds it, JPEG for example; None where no file holds it.

        Raises:
            IndexError: if there is no such sample.
            OSError: if the file cannot be read.
        """
        return None

    @abstractmethod
    def open(self, index: int) -> tuple[NDArray[np.uint8], dict[str, Reader]]:
        """The photo of one sample, (H, W, 3) uint8 RGB, and by task what reads its label.

        Raises:
            IndexError: if there is no such sample.
            ValueError: if the photo is missing or cannot be read.
        """

    @abstractmethod
    def labels(self, index: int, *, shape: tuple[int, int] | None = None) -> dict[str, Reader]:
        """By task, what reads the label of one sample.

        Args:
            index: number of the sample.
            shape: rows and columns of the photo as it is stored; those of the first label that can be read if left
                out.

        Raises:
            IndexError: if there is no such sample.
        """


def to_tensors(sample: Sample, tasks: Sequence[Task], *, mean: Sequence[float], std: Sequence[float]) -> dict[str, Any]:
    """Normalise the image and give every task a label, so that partly labelled samples collate.

    Args:
        sample: image and the labels that exist.
        tasks: tasks of the network; labels of other tasks are left out.
        mean: mean of red, green and blue, of values in [0, 1].
        std: standard deviation of red, green and blue.

    Returns:
        ``image``: (3, H, W) float32, normalised, 0 in the padding. ``labels``: by task name (1, H, W) int64 for
        classes, (1, H, W) float32 for yes/no questions, else (C, H, W) float32; filled with the task's ``ignore``
        where the sample has no label; values may share the sample's memory. ``name``: str.

    Raises:
        ValueError: if a label's size or number of channels does not fit the image and the task.
    """
    return {
        "image": _image_tensor(sample, mean, std),
        "labels": {task.name: _label_tensor(sample, task) for task in tasks},
        "name": sample.name,
    }


def _image_tensor(sample: Sample, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    height, width = sample.image.shape[:2]
    top, bottom, left, right = sample.padding
    image = np.empty((3, height, width), dtype=np.float32)
    for plane, bright, centre, spread in zip(image, cv2.split(sample.image), mean, std, strict=True):
        np.multiply(bright, np.float32(1 / (255 * spread)), out=plane)
        plane -= np.float32(centre / spread)
        plane[:top] = plane[height - bottom :] = 0
        plane[:, :left] = plane[:, width - right :] = 0
    return torch.from_numpy(image)


def _label_tensor(sample: Sample, task: Task) -> Tensor:
    shape = (task.label_channels, *sample.image.shape[:2])
    label = sample.labels.get(task.name)
    if label is None:
        return torch.full(shape, task.ignore, dtype=task.label_dtype)
    tensor = label_tensor(label, task)
    if tensor.shape != shape:
        raise ValueError(
            f"{sample.name}: the {task.name} label is {tuple(tensor.shape)} (channels, rows, columns), "
            f"{shape} fits the image and the task: check the data set"
        )
    return tensor


def label_tensor(label: NDArray[Any], task: Task) -> Tensor:
    """One label as a tensor, which may share its memory.

    Args:
        label: (H, W) or (H, W, C), as in :class:`Sample`.
        task: what it is a label of.

    Returns:
        (1, H, W) or (C, H, W), int64 for classes, else float32.
    """
    channels_first = label[None] if label.ndim == 2 else label.transpose(2, 0, 1)
    return torch.from_numpy(np.require(channels_first, requirements=("C", "W"))).to(task.label_dtype)
