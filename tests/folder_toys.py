"""A small folder of images with labels, and the manifest that describes it."""

import numpy as np
import yaml
from PIL import Image

from pamm.data.folder import FolderDataset

HEIGHT, WIDTH = 12, 16
IDS = ["a", "b", "c", "d"]


def put(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


def grid(value=0, kind=np.uint8, channels=()):
    return np.full((HEIGHT, WIDTH, *channels), value, kind)


MANIFEST = {
    "images": "images/{id}.png",
    "splits": {"train": {"first": 3}, "val": {"last": 1}, "some": {"ids": ["c", "a"]}, "file": {"file": "file.txt"}},
    "labels": {
        "semseg": {"path": "classes/{id}.png", "classes": {"wall": 0, "thing": [5, 9]}, "ignore": [7]},
        "depth": {"path": "depth/{id}.png", "scale": 0.001},
        "saliency": {"path": "salient/{id}.png"},
        "normals": {"path": "normals/{id}.png"},
    },
}


def write(folder, **changes):
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(MANIFEST | changes, sort_keys=False))
    return path


def opened(folder, *, split=None, **changes):
    return FolderDataset(write(folder, **changes), split=split)


def one_label(folder, task, entry, index=0):
    return opened(folder, labels={task: entry})[index].labels[task]
