"""The training and test transforms of the field, which ATRC set and all later papers keep.

Each step is a small frozen dataclass called with a sample and a random generator; what it does to a label follows
from the task's data. Normalisation is the last step and lives in :func:`pamm.data.sample.to_tensors`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pamm.data.sample import Sample
from pamm.tasks import IGNORE, Task

Label = NDArray[Any]
Image = NDArray[np.uint8]
Canvas = tuple[int, int]
Transform = Callable[[Sample, Generator], Sample]


def _map_labels(sample: Sample, tasks: Sequence[Task], change: Callable[[Label, Task], Label]) -> dict[str, Label]:
    return {task.name: change(sample.labels[task.name], task) for task in tasks if task.name in sample.labels}


@dataclass(frozen=True)
class RandomScale:
    """Resize by a factor drawn evenly: image bilinear, labels nearest, distances divided by the factor."""

    tasks: tuple[Task, ...]
    """Tasks whose labels are kept."""
    low: float = 0.5
    """Smallest factor."""
    high: float = 2.0
    """Largest factor."""

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 < self.low <= self.high:
            raise ValueError(f"scale range {self.low}..{self.high}: give two positive factors, the smaller first")

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Draw a factor and resize."""
        factor = float(rng.uniform(self.low, self.high))
        height, width = (max(1, round(side * factor)) for side in sample.image.shape[:2])
        if factor == 1:
            return sample

        def resize(label: Label, task: Task) -> Label:
            # the exact variant samples at pixel centres, as the bilinear image does; plain nearest is half a pixel off
            resized = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
            if task.inverse_to_zoom:
                resized = np.where(resized == task.ignore, resized, resized / factor).astype(label.dtype)
            return resized

        return dataclasses.replace(
            sample,
            image=np.asarray(cv2.resize(sample.image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8),
            labels=_map_labels(sample, self.tasks, resize),
        )


@dataclass(frozen=True)
class RandomCrop:
    """Cut out a window no larger than the canvas, avoiding windows that one class fills."""

    canvas: Canvas
    """Rows and columns of the window; a smaller image stays whole along that side."""
    task: str | None = "semseg"
    """Class map that a window should show variety of; without it, or its label, the first window is taken."""
    largest_share: float = 0.75
    """Share of the window's labelled pixels that no class should exceed. (The released loaders leave unlabelled
    pixels out of the count, and so do we.)"""
    tries: int = 10
    """Windows drawn before one is taken as it is."""

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Draw windows until one is varied enough, and cut."""
        classes = sample.labels.get(self.task) if self.task else None
        for _ in range(self.tries):
            window = self._draw(sample.image.shape[:2], rng)
            if classes is None or self._varied(classes[window]):
                break
        return dataclasses.replace(
            sample,
            image=sample.image[window],
            labels={name: label[window] for name, label in sample.labels.items()},
        )

    def _draw(self, size: tuple[int, ...], rng: Generator) -> tuple[slice, slice]:
        starts = [int(rng.integers(max(0, side - limit) + 1)) for side, limit in zip(size, self.canvas, strict=True)]
        return slice(starts[0], starts[0] + self.canvas[0]), slice(starts[1], starts[1] + self.canvas[1])

    def _varied(self, classes: Label) -> bool:
        counts = np.bincount(classes.ravel().astype(np.intp), minlength=IGNORE + 1)
        counts[IGNORE] = 0
        return bool(counts.max() <= self.largest_share * counts.sum() and counts.any())


@dataclass(frozen=True)
class RandomFlip:
    """Mirror left and right; directions then point the other way along x."""

    tasks: tuple[Task, ...]
    """Tasks whose labels are kept."""
    probability: float = 0.5
    """How often the image is mirrored."""

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Mirror, or not."""
        if rng.random() >= self.probability:
            return sample

        def flip(label: Label, task: Task) -> Label:
            flipped = label[:, ::-1].copy()
            if task.kind == "direction":
                flipped[..., 0] = np.where((flipped == task.ignore).all(axis=-1), task.ignore, 0 - flipped[..., 0])
            return flipped

        return dataclasses.replace(
            sample, image=sample.image[:, ::-1].copy(), labels=_map_labels(sample, self.tasks, flip)
        )


@dataclass(frozen=True)
class PhotometricDistortion:
    """Change brightness, contrast, saturation and hue, each with the same probability."""

    brightness: float = 32.0
    """Largest amount added or taken away, of 255."""
    contrast: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on all values, applied before or after the colours at random."""
    saturation: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on the saturation."""
    hue: int = 18
    """Largest turn of the hue, of 180."""
    probability: float = 0.5
    """How often each of the four is applied."""

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Distort the image; labels stay as they are."""
        image = sample.image
        if self._applies(rng):
            image = _linear(image, 1.0, rng.uniform(-self.brightness, self.brightness))
        contrast_first = rng.random() < 0.5
        if contrast_first:
            image = self._contrast(image, rng)
        if self._applies(rng):
            image = _colour(image, saturation=rng.uniform(*self.saturation))
        if self._applies(rng):
            image = _colour(image, turn=int(rng.integers(-self.hue, self.hue, endpoint=True)))
        if not contrast_first:
            image = self._contrast(image, rng)
        return dataclasses.replace(sample, image=image)

    def _applies(self, rng: Generator) -> bool:
        return bool(rng.random() < self.probability)

    def _contrast(self, image: Image, rng: Generator) -> Image:
        return _linear(image, rng.uniform(*self.contrast), 0.0) if self._applies(rng) else image


def _linear(values: Image, factor: float, offset: float) -> Image:
    table: Image = np.clip(np.arange(256) * factor + offset, 0, 255).astype(np.uint8)
    changed: Image = table[values]
    return changed


def _colour(image: Image, *, saturation: float = 1.0, turn: int = 0) -> Image:
    hue, amount, value = (np.asarray(plane, np.uint8) for plane in cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)))
    turned = ((hue.astype(np.int16) + turn) % 180).astype(np.uint8)
    changed = cv2.merge([turned, _linear(amount, saturation, 0.0), value])
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), np.uint8)


@dataclass(frozen=True)
class CentrePad:
    """Put the image in the middle of the canvas; labels are filled with their task's ``ignore``."""

    tasks: tuple[Task, ...]
    """Tasks whose labels are kept."""
    canvas: Canvas
    """Rows and columns after padding."""

    def __call__(self, sample: Sample, rng: Generator | None = None) -> Sample:
        """Pad, and note the padding in the sample.

        Raises:
            ValueError: if the image is larger than the canvas.
        """
        height, width = sample.image.shape[:2]
        rows, columns = self.canvas[0] - height, self.canvas[1] - width
        if rows < 0 or columns < 0:
            raise ValueError(
                f"{sample.name}: the image is {height}×{width}, the canvas {self.canvas[0]}×{self.canvas[1]}: "
                "give a canvas as large as the largest image, or a smaller image scale"
            )
        top, left = rows // 2, columns // 2
        padding = (top, rows - top, left, columns - left)

        def pad(label: Label, task: Task) -> Label:
            widths = [padding[:2], padding[2:], (0, 0)][: label.ndim]
            return np.pad(label, widths, constant_values=np.asarray(task.ignore, dtype=label.dtype))

        return dataclasses.replace(
            sample,
            image=np.pad(sample.image, [padding[:2], padding[2:], (0, 0)]),
            labels=_map_labels(sample, self.tasks, pad),
            padding=padding,
        )


class TrainTransform:
    """Scale, crop, flip, distort the colours, pad."""

    def __init__(
        self,
        canvas: Canvas,
        tasks: Sequence[Task],
        *,
        scale: tuple[float, float] = (0.5, 2.0),
        crop_task: str | None = "semseg",
        flip: bool = True,
        distort: bool = True,
    ) -> None:
        """Choose the steps' settings.

        Args:
            canvas: rows and columns of what comes out.
            tasks: tasks whose labels are kept.
            scale: smallest and largest factor of the random scale; (1, 1) turns it off.
            crop_task: class map whose variety guides the crop (see :class:`RandomCrop`), or None.
            flip: whether half of the images are mirrored.
            distort: whether brightness, contrast, saturation and hue vary.
        """
        kept = tuple(tasks)
        self.steps: tuple[Transform, ...] = (
            RandomScale(kept, *scale),
            RandomCrop(canvas, crop_task),
            RandomFlip(kept, 0.5 if flip else 0.0),
            PhotometricDistortion(probability=0.5 if distort else 0.0),
            CentrePad(kept, canvas),
        )

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Transform one sample; the same generator state gives the same result."""
        for step in self.steps:
            sample = step(sample, rng)
        return sample


class TestTransform:
    """Pad only: image and labels keep their size, and predictions can be cropped back."""

    __test__ = False

    def __init__(self, canvas: Canvas, tasks: Sequence[Task], *, patch: int | None = None) -> None:
        """Choose the canvas.

        Args:
            canvas: rows and columns of what comes out.
            tasks: tasks whose labels are kept.
            patch: if given, a side of an image that is longer than the canvas is padded to the next multiple of it;
                otherwise such an image is refused.
        """
        self.canvas, self.tasks, self.patch = canvas, tuple(tasks), patch

    def __call__(self, sample: Sample, rng: Generator | None = None) -> Sample:
        """Pad one sample; nothing here is random."""
        rows, columns = self.canvas
        if self.patch is not None:
            height, width = (-(-side // self.patch) * self.patch for side in sample.image.shape[:2])
            rows, columns = max(rows, height), max(columns, width)
        return CentrePad(self.tasks, (rows, columns))(sample)
