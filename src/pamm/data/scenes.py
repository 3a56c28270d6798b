"""Rendered scenes: endless furnished rooms with people in them and exact labels of all six tasks, nothing to download.

Each scene is a function of (seed, index) alone. About two thirds have a person near the camera, who is what is
salient; the others have one vividly coloured thing instead.
"""

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.data.render.labels import label_maps
from pamm.data.render.rooms import build
from pamm.data.render.shading import develop, shade
from pamm.data.render.surface import locate
from pamm.data.sample import Sample
from pamm.tasks import TASKS, Colour, Task

_CLASSES: dict[str, Colour] = {
    "wall": (196, 202, 214),
    "floor": (142, 112, 86),
    "ceiling": (238, 236, 226),
    "window": (112, 198, 236),
    "door": (186, 108, 60),
    "picture": (226, 142, 196),
    "cabinet": (118, 86, 160),
    "table": (236, 170, 66),
    "chair": (68, 150, 110),
    "sofa": (62, 104, 186),
    "bed": (122, 200, 150),
    "object": (244, 226, 92),
    "person": (214, 62, 72),
}

SCENES_TASKS: tuple[Task, ...] = (
    dataclasses.replace(
        TASKS["semseg"],
        channels=len(_CLASSES),
        class_names=tuple(_CLASSES),
        colours=tuple(_CLASSES.values()),
    ),
    dataclasses.replace(TASKS["depth"], valid_range=(0.0, 20.0)),
    TASKS["normals"],
    TASKS["edge"],
    TASKS["saliency"],
    TASKS["human_parts"],
)
"""The six tasks as rendered scenes label them: thirteen classes, depth up to 20 m."""

_NUMBERS = {name: number for number, name in enumerate(_CLASSES)}
_TENT = np.array([0.25, 0.5, 0.25], np.float32)


def render_scene(seed: int, index: int, *, height: int, width: int) -> Sample:
    """Build, photograph and label one room.

    Args:
        seed: of the set.
        index: of the scene in it.
        height: of the picture, pixels.
        width: of the picture, pixels.

    Raises:
        ValueError: if a number is negative or the picture has no pixels.
    """
    if seed < 0 or index < 0 or height < 1 or width < 1:
        raise ValueError(
            f"got seed {seed}, index {index}, size {height}x{width}: seed and index must be 0 or more, sides 1 or more"
        )
    rng = np.random.default_rng([seed, index])
    setting = build(rng, height=height, width=width)
    scene, view = setting.scene, setting.view
    depth, row = scene.trace(view)
    fine, busy = _samples(row)
    surface = locate(scene, view, fine, depth, row)
    light = np.zeros((*row.shape, 3), np.float32)
    light.reshape(-1, 3)[fine] = np.minimum(shade(setting, surface, rng), 3.0).T
    photo = light[1::2, 1::2].copy()
    photo[busy] = cv2.sepFilter2D(light, -1, _TENT, _TENT)[1::2, 1::2][busy]
    normal = np.zeros_like(light)
    normal.reshape(-1, 3)[fine] = surface.normal.T
    return Sample(
        image=(develop(photo, rng) * 255 + 0.5).astype(np.uint8),
        labels=label_maps(
            scene,
            view,
            _NUMBERS,
            setting.subject,
            depth=np.ascontiguousarray(depth[1::2, 1::2]),
            row=row[1::2, 1::2],
            normal=normal[1::2, 1::2],
        ),
        name=f"scene-{seed}-{index}",
    )


def _samples(row: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where to look closely: pixels whose centre and surroundings show one solid need a single sample.

    Args:
        row: (2H + 1, 2W + 1) solid by ray.

    Returns:
        Flat places of the rays to shade, and (H, W) the pixels to average over their nine rays.
    """
    square = np.ones((3, 3), np.uint8)
    uneven = cv2.dilate(row, square) != cv2.erode(row, square)
    busy = uneven[1::2, 1::2]
    centres = np.zeros(row.shape, np.uint8)
    centres[1::2, 1::2] = busy
    wanted = cv2.dilate(centres, square)
    wanted[1::2, 1::2] = 1
    return np.flatnonzero(wanted), busy


class ScenesDataset:
    """Rendered scenes as a set of samples.

    Scene ``i`` of a seed is always the same, in any process and at any length; other sizes of the same aspect show the
    same room.
    """

    tasks: tuple[Task, ...] = SCENES_TASKS

    def __init__(self, *, seed: int = 0, length: int = 1000, height: int = 128, width: int = 160) -> None:
        """Describe the set; nothing is rendered yet.

        Args:
            seed: which of the endless sets; training and validation take different ones.
            length: how many scenes the set says it has.
            height: of the pictures, pixels.
            width: of the pictures, pixels.

        Raises:
            ValueError: if a number makes no sense.
        """
        if seed < 0 or length < 1 or height < 1 or width < 1:
            raise ValueError(
                f"got seed {seed}, length {length}, size {height}x{width}: seed must be 0 or more, the others 1 or more"
            )
        self.seed, self.length, self.height, self.width = seed, length, height, width

    def __len__(self) -> int:
        """Number of scenes."""
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Render scene ``index``.

        Raises:
            IndexError: if the set has no such scene.
        """
        if not -self.length <= index < self.length:
            raise IndexError(f"scene {index} of {self.length}")
        return render_scene(self.seed, index % self.length, height=self.height, width=self.width)
