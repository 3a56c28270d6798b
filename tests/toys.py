"""Small things that stand for real ones: a data set of coloured rectangles and the sizes of a micro network."""

from collections.abc import Sequence

import numpy as np

from pamm.data.sample import Sample
from pamm.tasks import TASKS, Task

MICRO = {
    "image_size": (32, 48),
    "patch_size": 8,
    "encoder_width": 32,
    "encoder_depth": 4,
    "encoder_heads": 2,
    "d_model": 16,
    "norm_groups": 4,
    "d_state": 2,
    "expert_count": 4,
    "experts_kept": 2,
    "expert_rank": 2,
}
"""Overrides that make any preset tiny."""

ALBEDO = Task(
    name="albedo", channels=3, kind="regression", loss="l1", score="rmse", ignore=-1.0, unit="", valid_range=(-0.5, 1.5)
)
"""A task that the package does not know."""


class Rectangles:
    """Photos of one coloured rectangle on grey, with labels of any tasks; every third photo lacks the last task."""

    def __init__(
        self, tasks: Sequence[Task] = tuple(TASKS.values()), *, length: int = 6, size: tuple[int, int] = (32, 48)
    ) -> None:
        self.tasks, self.length, self.size = tuple(tasks), length, size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        height, width = self.size
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
        inside = np.zeros(self.size, dtype=bool)
        inside[top : top + height // 2, left : left + width // 2] = True
        image = np.full((height, width, 3), 90, np.uint8)
        image[inside] = rng.integers(0, 255, 3)
        labels = {task.name: self._label(task, inside, image) for task in self.tasks}
        if index % 3 == 2 and len(self.tasks) > 1:
            del labels[self.tasks[-1].name]
        return Sample(image=image, labels=labels, name=f"rectangle {index}")

    @staticmethod
    def _label(task: Task, inside: np.ndarray, image: np.ndarray) -> np.ndarray:
        if task.classes:
            return inside.astype(np.uint8)
        if task.channels == 1:
            return np.where(inside, 1.5, 4.0).astype(np.float32)
        if task.kind == "direction":
            return np.where(inside[..., None], (0.6, 0.0, 0.8), (0.0, 0.0, 1.0)).astype(np.float32)
        return image.astype(np.float32) / 255
