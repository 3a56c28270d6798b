"""Tiny folders in the layouts of the benchmarks: NYUD-v2, the two archives that share its name, and PASCAL-Context.

``python tests/benchmark_trees.py FOLDER`` writes one of each, to try commands on.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.io import savemat

NYUD_IDS = {"train": ("0003", "0004", "0005"), "val": ("0001", "0002")}
PASCAL_IDS = {
    "train": ("2008_000008", "2008_000015", "2008_000019", "2008_000023", "2008_000028", "2008_000033"),
    # the boundaries of the second and the third are scored
    "val": ("2008_000002", "2008_000003", "2008_000007"),
}
SHARED_CLASSES = (3, 15, 457)
"""Classes of PASCAL-Context on which normals count."""
OTHER_CLASSES = (1, 2, 459)

Ids = Mapping[str, Sequence[str]]
Size = tuple[int, int]


def put(path: Path, array, **options) -> None:
    """Write a picture or an array; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path, **options)


def put_list(path: Path, ids: Sequence[str], *, newline: str = "\n", last: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((newline.join(ids) + newline * last).encode())


def put_palette(path: Path, indices: np.ndarray) -> None:
    """A picture of colours that are numbered, as VOC's maps of classes are stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(indices, "P")
    picture.putpalette(np.random.default_rng(0).permutation(np.arange(768) % 256).astype(np.uint8).tobytes())
    picture.save(path)


def photo(rng: np.random.Generator, size: Size) -> np.ndarray:
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def regions(rng: np.random.Generator, size: Size, values: Sequence[int]) -> np.ndarray:
    """Rectangles of the values, each of which occurs."""
    grid = np.resize(rng.permutation(np.asarray(values)), (3, 4))
    rows, columns = (np.sort(rng.choice(np.arange(3, side - 3), 11, replace=False)) for side in size)
    return grid[np.digitize(np.arange(size[0]), rows[[3, 7]])][:, np.digitize(np.arange(size[1]), columns[[2, 5, 8]])]


def directions(rng: np.random.Generator, size: Size) -> np.ndarray:
    """An RGB picture of unit vectors, black and grey where there is none."""
    vectors = rng.normal(size=(*size, 3))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    stored = np.rint((vectors + 1) * 127.5).astype(np.uint8)
    stored[0, :3], stored[1, :3] = 0, 128
    return stored


def write_nyud(root: Path, *, ids: Ids = NYUD_IDS, size: Size = (30, 40), depth_type: type = np.float32) -> Path:
    """NYUD-v2 as multi-task papers use it; the list of ``val`` ends without a newline."""
    rng = np.random.default_rng(0)
    for split, names in ids.items():
        put_list(root / "gt_sets" / f"{split}.txt", names, last=split != "val")
        for name in names:
            put(root / f"images/{name}.png", photo(rng, size))
            put(root / f"segmentation/{name}.png", regions(rng, size, [0, 1, 2, 17, 40]).astype(np.uint8))
            depth = rng.uniform(0.5, 9.5, size) * (rng.uniform(size=size) > 0.1)
            put(root / f"depth/{name}.npy", depth.astype(depth_type))
            put(root / f"normals/{name}.png", directions(rng, size))
            edges = np.diff(regions(rng, size, [1, 2, 3]), axis=1, prepend=0) != 0
            put(root / f"edge/{name}.png", edges.astype(np.uint8) * 255)
    return root


def write_nyud_mt(root: Path, *, ids: Ids = NYUD_IDS, size: Size = (30, 40)) -> Path:
    """MTI-Net's archive: photos are JPEGs, boundaries and normals arrays."""
    rng = np.random.default_rng(0)
    for split, names in ids.items():
        put_list(root / "gt_sets" / f"{split}.txt", names)
        for name in names:
            put(root / f"images/{name}.jpg", photo(rng, size))
            put(root / f"segmentation/{name}.png", regions(rng, size, [0, 1, 40]).astype(np.uint8))
            put(root / f"depth/{name}.npy", rng.uniform(0.5, 9.5, size).astype(np.float32))
            put(root / f"normals/{name}.npy", rng.normal(size=(*size, 3)).astype(np.float32))
            put(root / f"edge/{name}.npy", rng.integers(0, 2, size).astype(np.float32))
    return root


def write_mtan(root: Path, *, size: Size = (18, 24)) -> Path:
    """MTAN's archive: numbered arrays of 13 classes, channels first in photos and last in normals."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(2):
            put(root / f"{split}/image/{number}.npy", rng.uniform(size=(*size, 3)))
            put(root / f"{split}/label/{number}.npy", rng.integers(-1, 13, size).astype(np.float32))
            put(root / f"{split}/depth/{number}.npy", rng.uniform(0.5, 9.5, (*size, 1)))
            put(root / f"{split}/normal/{number}.npy", rng.normal(size=(*size, 3)))
    return root


def struct(fields: Sequence[str], *records: tuple) -> np.ndarray:
    """A 1×N structure array, as MATLAB stores it."""
    stored = np.empty((1, len(records)), dtype=[(field, object) for field in fields])
    for place, record in enumerate(records):
        stored[0, place] = record
    return stored


PART_FIELDS = (("imname", "objects"), ("class", "class_ind", "mask", "parts"), ("part_name", "mask"))


def annotation(objects: Sequence[tuple], fields=PART_FIELDS) -> np.ndarray:
    """The variable ``anno``: objects are (number of the class, mask, parts), parts (name, mask)."""
    of_image, of_object, of_part = fields
    records = [
        ("thing", number, mask, struct(of_part, *parts) if len(parts) else np.zeros((0, 0)))
        for number, mask, parts in objects
    ]
    return struct(of_image, ("2008", struct(of_object, *records) if records else np.zeros((0, 0))))


def box(size: Size, rows: slice, columns: slice, kind: type = np.uint8) -> np.ndarray:
    mask = np.zeros(size, dtype=kind)
    mask[rows, columns] = 1
    return mask


def part_cases(size: Size) -> dict[str, np.ndarray]:
    """Every way in which a photo's parts may be stored, by name."""
    height, width = size
    every = slice(None)
    head, torso = box(size, slice(0, height // 3), every), box(size, slice(height // 4, height // 2), every)
    arm = box(size, slice(height // 3, height // 2), slice(0, width // 4), bool)
    leg = box(size, slice(height // 2, height), slice(width // 4, width // 2))
    whole, none = box(size, every, every), np.zeros(size, dtype=np.uint8)
    other_names = (("im", "o"), ("k", "n", "m", "p"), ("a", "b"))
    person = (15, whole, [("hair", head), ("torso", torso), ("llarm", arm), ("ruleg", leg)])
    return {
        "overlapping": annotation([person]),
        "no objects": annotation([]),
        "no parts": annotation([(15, whole, [])]),
        "other classes": annotation([(12, whole, [("head", head), ("tail", torso)]), (7, whole, [])]),
        "several": annotation(
            [
                (np.float64(15), whole, [("nose", head), ("rfoot", leg)]),
                (np.uint8(13), none, [("lfuleg", whole)]),
                (np.array([[15]], dtype=np.int32), whole, [("neck", torso), ("luarm", arm)]),
            ],
            other_names,
        ),
        "empty masks": annotation([(15, none, [("mouth", none)])]),
    }


def write_pascal(root: Path, *, ids: Ids = PASCAL_IDS, sizes: Sequence[Size] = ((30, 40), (44, 33))) -> Path:
    """PASCAL-Context; maps of classes take turns in being palette or grey, and in either of their folders."""
    rng = np.random.default_rng(0)
    number = 0
    for split, names in ids.items():
        put_list(root / f"ImageSets/Context/{split}.txt", names, newline="\n" if split == "val" else "\r\n")
        for name in names:
            size = sizes[number % len(sizes)]
            put(root / f"JPEGImages/{name}.jpg", photo(rng, size))
            classes = regions(rng, size, [0, 1, 15, 20, 255]).astype(np.uint8)
            folder = "VOC12" if number % 3 < 2 else "pascal-context"
            (put_palette if number % 2 else put)(root / f"semseg/{folder}/{name}.png", classes)
            things = regions(rng, size, [*SHARED_CLASSES, *OTHER_CLASSES])
            put_mat(root / f"pascal-context/trainval/{name}.mat", LabelMap=things.astype(np.uint16))
            cases = list(part_cases(size).values())
            put_mat(root / f"human_parts/{name}.mat", anno=cases[number % len(cases)])
            put(root / f"normals_distill/{name}.png", directions(rng, size))
            put(root / f"sal_distill/{name}.png", cv2.resize(photo(rng, size)[..., 0], size[::-1]))
            number += 1
    return root


def put_mat(path: Path, **variables: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=True)


WRITERS = {"NYUDv2": write_nyud, "NYUD_MT": write_nyud_mt, "nyuv2": write_mtan, "PASCALContext": write_pascal}
"""The writers by the usual names of the folders."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write them")
    target = parser.parse_args().folder
    for name, write in WRITERS.items():
        write(target / name)
