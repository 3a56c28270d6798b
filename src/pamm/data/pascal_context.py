"""PASCAL-Context as multi-task papers use it: 4,998 photos to train on, 5,105 to score on, up to 500 pixels."""

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.data.images import read_image
from pamm.data.mat_files import read_label_map, read_parts
from pamm.data.sample import Reader
from pamm.data.tree import Label, TreeDataset, classes_label, direction_label, published_ids
from pamm.ops.boundaries.maps import boundary_truth, thin

_CLASSES = 21

WITH_NORMALS = tuple(
    int(number)
    for number in """
    3 4 6 9 10 11 13 15 17 18 22 23 29 30 33 34 36 37 38 39 41 43 46 49 50 51 53 55 56 59 61 62 65 66 68 69 72
    73 78 83 84 85 87 88 95 96 101 104 105 107 111 113 115 122 124 135 141 142 143 146 150 154 157 158 159 165
    172 174 181 183 184 191 193 195 197 199 202 213 215 216 219 220 223 225 228 230 232 233 238 239 242 243 246
    250 251 252 255 260 261 263 269 272 273 275 281 283 284 285 286 287 288 290 291 292 293 295 304 307 309 310
    314 315 319 323 329 330 331 336 342 345 349 350 351 352 355 357 368 370 371 374 379 380 383 384 397 401 403
    405 407 408 411 412 413 414 417 419 421 423 427 429 430 432 440 441 442 443 444 446 454 457
    """.split()
)
"""The 170 of the 459 classes on which distilled normals count: those that indoor photos have too, and tvmonitor."""

_COUNTS = np.zeros(np.iinfo(np.uint16).max + 1, dtype=bool)
_COUNTS[list(WITH_NORMALS)] = True


class PASCALContextDataset(TreeDataset):
    """Photos with 21 classes, parts of people, saliency, boundaries and surface normals.

    ``ImageSets/Context/SPLIT.txt``, ``JPEGImages/ID.jpg``, ``semseg/VOC12/ID.png`` or else
    ``semseg/pascal-context/ID.png``, ``human_parts/ID.mat``, ``pascal-context/trainval/ID.mat`` (for boundaries, and
    for which normals count), ``normals_distill/ID.png`` and ``sal_distill/ID.png``. Scoring, only the 2,498 published
    photos have boundaries: those between the connected parts of the 459 classes, thinned.
    """

    benchmark: ClassVar[str] = "pascal_context"
    lists: ClassVar[str] = "ImageSets/Context"
    images: ClassVar[str] = "JPEGImages/{id}.jpg"
    folders: ClassVar[Mapping[str, tuple[tuple[str, ...], ...]]] = {
        "semseg": (("semseg/VOC12", "semseg/pascal-context"),),
        "human_parts": (("human_parts",),),
        "saliency": (("sal_distill",),),
        "edge": (("pascal-context/trainval",),),
        "normals": (("normals_distill",), ("pascal-context/trainval",)),
    }
    published: ClassVar[Mapping[str, str]] = {"train": "pascal_context_train", "val": "pascal_context_val"}

    def __init__(self, root: str | Path, *, split: str = "train", scoring: bool = False) -> None:
        """Find the folder and read the list of ids; see :class:`pamm.data.tree.TreeDataset`."""
        super().__init__(root, split=split, scoring=scoring)
        self._bounded = frozenset(published_ids("pascal_context_boundaries") if scoring else self.ids)

    def remarks(self) -> tuple[str, ...]:
        """How the split differs from the published one, and where its maps of classes lie, in words."""
        folders = [path.parent.name for path in map(self._classes_file, self.ids) if path.is_file()]
        found = ", ".join(f"{name} {folders.count(name):,}" for name in sorted(set(folders)))
        return (*super().remarks(), f"maps of classes by folder of semseg: {found or 'none'}")

    def _readers(self, name: str, shape: tuple[int, ...]) -> dict[str, Reader]:
        root = self.root
        label_map = cache(partial(read_label_map, root / "pascal-context" / "trainval" / f"{name}.mat"))
        readers: dict[str, Reader] = {
            "semseg": lambda: classes_label(self._classes_file(name), stored=_CLASSES, first=0),
            "human_parts": lambda: read_parts(root / "human_parts" / f"{name}.mat", shape),
            "saliency": lambda: _saliency(root / "sal_distill" / f"{name}.png"),
            "normals": lambda: _normals(root / "normals_distill" / f"{name}.png", label_map()),
        }
        if name in self._bounded:
            readers["edge"] = lambda: (
                boundary_truth(label_map(), relabel=True) if self.scoring else training_boundaries(label_map())
            )
        return readers

    def _classes_file(self, name: str) -> Path:
        usual, other = (self.root / "semseg" / folder / f"{name}.png" for folder in ("VOC12", "pascal-context"))
        return other if other.is_file() and not usual.is_file() else usual


def training_boundaries(label_map: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Where the Laplacian of a map of classes is not 0, thinned to one pixel.

    Classes are differences of numbers here: where they rise by as much as they fall there is no boundary.

    Args:
        label_map: (H, W).

    Returns:
        (H, W) uint8, 1 on a boundary.
    """
    # 3×3, four neighbours; the image is mirrored beyond its border, which therefore is no boundary
    laplacian = cv2.Laplacian(label_map, cv2.CV_64F, ksize=1)
    return thin(laplacian != 0).astype(np.uint8)


def _saliency(path: Path) -> Label:
    """(H, W) uint8, 1 on what stands out."""
    # palettes and single bits stand for shades here, unlike in maps of classes
    grey = cv2.cvtColor(read_image(path, as_shown=False), cv2.COLOR_RGB2GRAY)
    return (grey > 255 / 2).astype(np.uint8)


def _normals(path: Path, label_map: NDArray[np.uint16]) -> Label:
    """(H, W, 3) float32 unit vectors, zero where they do not count."""
    normals = direction_label(path)
    if normals.shape[:2] != label_map.shape:
        raise ValueError(
            f"{path}: {normals.shape[0]}×{normals.shape[1]} pixels (rows, columns), the map of classes has "
            f"{label_map.shape[0]}×{label_map.shape[1]}: copy both again"
        )
    normals[~_COUNTS[label_map]] = 0
    return normals
