"""NYUD-v2 as multi-task papers use it: 795 photos to train on, 654 to score on, 425×560 pixels."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from pamm.data.images import read_map
from pamm.data.sample import Reader
from pamm.data.tree import Label, TreeDataset, classes_label, direction_label, one_channel
from pamm.ops.boundaries.maps import boundary_truth

_CLASSES = 40


class NYUDDataset(TreeDataset):
    """Photos with 40 classes, depth in metres, surface normals and boundaries.

    ``gt_sets/SPLIT.txt``, ``images/ID.png``, ``segmentation/ID.png`` (1 to 40, 0 for none), ``depth/ID.npy`` (metres, 0
    for none), ``normals/ID.png`` and ``edge/ID.png`` (0 or 255). Scoring, boundaries are those of the stored edge map
    taken for a map of two labels, thinned.
    """

    benchmark: ClassVar[str] = "nyud"
    lists: ClassVar[str] = "gt_sets"
    images: ClassVar[str] = "images/{id}.png"
    folders: ClassVar[Mapping[str, tuple[tuple[str, ...], ...]]] = {
        "semseg": (("segmentation",),),
        "depth": (("depth",),),
        "normals": (("normals",),),
        "edge": (("edge",),),
    }
    published: ClassVar[Mapping[str, str]] = {"val": "nyud_val"}

    def _readers(self, name: str, shape: tuple[int, ...]) -> dict[str, Reader]:
        root = self.root
        return {
            "semseg": lambda: classes_label(root / "segmentation" / f"{name}.png", stored=_CLASSES, first=1),
            "depth": lambda: _depth(root / "depth" / f"{name}.npy"),
            "normals": lambda: direction_label(root / "normals" / f"{name}.png"),
            "edge": lambda: _edge(root / "edge" / f"{name}.png", scoring=self.scoring),
        }


def _depth(path: Path) -> Label:
    """(H, W) float32 in metres, 0 for none."""
    stored = read_map(path)
    if stored.ndim != 2 or stored.dtype.kind != "f":
        raise ValueError(
            f"{path}: an array of {stored.dtype} and shape {stored.shape}, wanted floats of shape (rows, columns) in "
            "metres: copy the file again"
        )
    measured = (stored > 0) & (stored <= np.finfo(np.float32).max)
    return np.where(measured, stored, 0).astype(np.float32)


def _edge(path: Path, *, scoring: bool) -> Label:
    """(H, W) uint8, 1 on a boundary."""
    stored = one_channel(path)
    marked = (stored != 0).astype(np.uint8)
    top = stored.max()
    if top not in (0, 1, 255) or (stored != marked * top).any():
        raise ValueError(f"{path}: values {np.unique(stored)[:3]} ..., wanted 0 and 255: copy the file again")
    return boundary_truth(marked, relabel=False) if scoring else marked
