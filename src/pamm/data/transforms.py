"""The training and test transforms of the field, which ATRC set and all later papers keep.

Each step is a small frozen dataclass called with a sample and a random generator; what it does to a label follows
from the task's data. Normalisation is the last step and lives in :func:`pamm.data.sample.to_tensors`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from pamm.data.photometric import PhotometricDistortion
from pamm.data.sample import Sample
from pamm.data.view import Label, View, Window
from pamm.tasks import IGNORE, Task

Canvas = tuple[int, int]
Transform = Callable[[Sample, Generator], Sample]


def _map_labels(sample: Sample, tasks: Sequence[Task], change: Callable[[Label, Task], Label]) -> dict[str, Label]:
    return {task.name: change(sample.labels[task.name], task) for task in tasks if task.name in sample.labels}


@dataclass(frozen=True)
class RandomView:
    """Resize by a factor drawn evenly, cut out a window no larger than the canvas, and mirror it, or not.

    The image is resized bilinearly, labels to the nearest pixel. Distances are divided by the factor, and directions
    in a mirrored view point the other way along x. Windows that one class fills are avoided.
    """

    tasks: tuple[Task, ...]
    """Tasks whose labels are kept."""
    canvas: Canvas
    """Rows and columns of the window; a smaller image stays whole along that side."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Smallest and largest factor."""
    flip: float = 0.5
    """How often the view is mirrored."""
    task: str | None = "semseg"
    """Class map that windows should show variety of; without it, or its label, the first window is taken."""
    largest_share: float = 0.75
    """Share of the window's labelled pixels that no class should exceed. (The released loaders leave unlabelled
    pixels out of the count, and so do we.)"""
    tries: int = 10
    """Windows drawn before one is taken as it is."""

    def __post_init__(self) -> None:
        """Check the range."""
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"scale range {low}..{high}: give two positive factors, the smaller first")

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Draw a factor, windows until one is varied enough, and whether to mirror."""
        factor = float(rng.uniform(*self.scale))
        height, width = sample.image.shape[:2]
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        mirrored = bool(rng.random() < self.flip)
        classes = sample.labels.get(self.task) if self.task else None
        for _ in range(self.tries):
            view = View((height, width), size, self._window(size, rng), mirrored)
            seen = None if classes is None else view.label(classes)
            if seen is None or self._varied(seen):
                break

        def show(label: Label, task: Task) -> Label:
            shown = view.label(label) if seen is None or label is not classes else seen
            if task.inverse_to_zoom:
                shown = _change(shown, task, lambda values: np.divide(values, factor, out=values))
            if task.kind == "direction" and mirrored:
                shown = _change(shown, task, lambda values: np.subtract(0, values[..., 0], out=values[..., 0]))
            return shown

        return dataclasses.replace(sample, image=view.image(sample.image), labels=_map_labels(sample, self.tasks, show))

    def _window(self, size: tuple[int, int], rng: Generator) -> Window:
        return _part(size[0], self.canvas[0], rng), _part(size[1], self.canvas[1], rng)

    def _varied(self, classes: Label) -> bool:
        rest = classes.size - np.count_nonzero(classes == IGNORE)
        most = self.largest_share * rest
        # to count one class is ten times as fast as to count all; the largest few leave too little for any other
        sampled = np.bincount(classes[::8, ::8].ravel(), minlength=IGNORE + 1)[:IGNORE]
        for number in np.argsort(-sampled).tolist():
            count = np.count_nonzero(classes == number)
            rest -= count
            if count > most or rest <= most:
                return bool(0 < count <= most)
        return False


def _part(side: int, limit: int, rng: Generator) -> slice:
    start = int(rng.integers(max(0, side - limit) + 1))
    return slice(start, start + min(side, limit))


def _change(label: Label, task: Task, change: Callable[[Label], object]) -> Label:
    """Change an array in place, but not pixels that have no label."""
    # neither a quotient nor a sign changes 0
    ignored = (label == task.ignore).reshape(*label.shape[:2], -1).all(axis=-1) if task.ignore else None
    change(label)
    if ignored is not None:
        label[ignored] = task.ignore
    return label


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
            if not any(padding):
                return label
            channels = label.shape[2:]
            # one after another in memory, as tensors want them
            planes = np.full((*channels, *self.canvas), task.ignore, dtype=label.dtype)
            padded = planes.transpose(1, 2, 0) if channels else planes
            padded[top : top + height, left : left + width] = label
            return padded

        image = cv2.copyMakeBorder(sample.image, *padding, cv2.BORDER_CONSTANT, value=0)
        return dataclasses.replace(
            sample,
            image=np.asarray(image, np.uint8),
            labels=_map_labels(sample, self.tasks, pad),
            padding=padding,
        )


class TrainTransform:
    """Show a random view (scale, crop, flip), distort the colours, pad."""

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
            crop_task: class map whose variety guides the crop (see :class:`RandomView`), or None.
            flip: whether half of the images are mirrored.
            distort: whether brightness, contrast, saturation and hue vary.
        """
        kept = tuple(tasks)
        self.steps: tuple[Transform, ...] = (
            RandomView(kept, canvas, scale, 0.5 if flip else 0.0, crop_task),
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
