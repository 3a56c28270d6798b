"""A folder of images with some labels."""

import numpy as np
import pytest

from folder_toys import IDS, grid, put


@pytest.fixture
def folder(tmp_path):
    """Four images; depth of all, classes of the first two, saliency of the last, normals of the first."""
    classes = grid()
    classes[:, 4:8], classes[:, 8:], classes[0] = 5, 9, 7
    for number, name in enumerate(IDS):
        put(tmp_path / "images" / f"{name}.png", grid(number * 40, channels=(3,)))
        depth = grid(1500 + number, np.uint16)
        depth[0] = 0
        put(tmp_path / "depth" / f"{name}.png", depth)
    for name in "ab":
        put(tmp_path / "classes" / f"{name}.png", classes)
    put(tmp_path / "salient" / "d.png", np.where(classes > 5, 255, 0).astype(np.uint8))
    normals = grid(channels=(3,))
    normals[1:] = (128, 128, 255)
    put(tmp_path / "normals" / "a.png", normals)
    return tmp_path
