"""Training images a second on one core: this package's transforms beside a plain OpenCV port of the published ones.

Run ``python benchmarks/transforms.py`` (``--help`` lists the options). The images are as large as NYUD-v2's, 425×560,
the canvas is 448×576, and there are four labels: classes, depth, normals and boundaries. Both ways take arrays in
memory to tensors, with the image normalised and padded; reading files is left out. They are measured in turns, in
blocks, in one process on one thread, with the same seeds, and draw the same factors, windows and colours but for what
rounding makes of them. Times are medians over the blocks.

The port follows the loaders that the papers on these data sets share: all in float32 with the channels last; every map
resized as a whole, then cut; classes counted with ``np.unique``, on windows drawn anew up to ten times; copies where it
mirrors; colours in uint8 with a trip to HSV for saturation and one for hue; arrays of the full canvas where it pads.
``bincount`` is the same with the classes counted by ``np.bincount``, which is kinder than what is published.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from pamm.data.sample import Sample, to_tensors
from pamm.data.transforms import TrainTransform
from pamm.tasks import get_tasks

SIZE = (425, 560)
CANVAS = (448, 576)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TASKS = get_tasks(["semseg", "depth", "normals", "edge"])
FILLS = {"image": 0, "semseg": 255, "depth": 0, "normals": 0, "edge": 255}

Maps = dict[str, NDArray[np.float32]]
Pixels = NDArray[np.uint8]


def scene(seed: int) -> Sample:
    """A smooth noisy photo, patches of 40 classes of which some pixels have none, smooth depth and normals, dots."""
    draw = np.random.default_rng(seed)
    height, width = SIZE

    def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(values.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC))

    photo = smooth(draw.uniform(0, 255, (17, 22, 3))) + draw.normal(0, 6, (height, width, 3))
    patches = draw.integers(0, 40, (5, 7)).astype(np.uint8)
    classes = np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_NEAREST))
    classes[draw.random(SIZE) < 0.05] = 255
    normals = smooth(draw.normal(size=(9, 12, 3)))
    labels = {
        "semseg": classes,
        "depth": smooth(draw.uniform(1, 9, (9, 12))).clip(0.5, 10),
        "normals": normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        "edge": (draw.random(SIZE) < 0.05).astype(np.uint8),
    }
    return Sample(photo.clip(0, 255).astype(np.uint8), labels, f"scene {seed}")


def as_floats(sample: Sample) -> Maps:
    """What a loader hands to the port: every map (H, W, C) float32."""
    arrays = {"image": sample.image, **sample.labels}
    return {name: array.reshape(*SIZE, -1).astype(np.float32) for name, array in arrays.items()}


def scale(maps: Maps, factor: float) -> Maps:
    """Resize every map as a whole."""
    size = int(SIZE[1] * factor), int(SIZE[0] * factor)
    resized = {}
    for name, values in maps.items():
        way = cv2.INTER_LINEAR if name == "image" else cv2.INTER_NEAREST
        resized[name] = cv2.resize(values, size, interpolation=way).reshape(size[1], size[0], -1)
    resized["depth"] /= factor
    return resized


def shares_unique(classes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Pixels of each class that is there, counted as the loaders do."""
    values, counts = np.unique(classes, return_counts=True)
    return counts[values != 255]


def shares_bincount(classes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Pixels of each class, counted faster."""
    return np.bincount(classes.astype(np.uint8).ravel(), minlength=256)[:255]


def crop(maps: Maps, shares: Callable[[NDArray[np.float32]], NDArray[np.intp]], draw: Generator) -> Maps:
    """Cut every map to a window that no class fills, or to the tenth."""
    for _ in range(10):
        starts = [
            int(draw.integers(max(0, side - limit) + 1))
            for side, limit in zip(maps["image"].shape[:2], CANVAS, strict=True)
        ]
        window = tuple(slice(start, start + limit) for start, limit in zip(starts, CANVAS, strict=True))
        counts = shares(maps["semseg"][window])
        if counts.any() and counts.max() <= 0.75 * counts.sum():
            break
    return {name: values[window] for name, values in maps.items()}


def mirror(maps: Maps) -> Maps:
    """Swap left and right."""
    mirrored = {name: values[:, ::-1].copy() for name, values in maps.items()}
    mirrored["normals"][..., 0] *= -1
    return mirrored


def distort(image: Pixels, draw: Generator) -> Pixels:
    """Change brightness, contrast, saturation and hue, each on its own."""

    def linear(values: Pixels, factor: float = 1.0, offset: float = 0.0) -> Pixels:
        return np.clip(values.astype(np.float32) * factor + offset, 0, 255).astype(np.uint8)

    def applies() -> bool:
        return bool(draw.random() < 0.5)

    if applies():
        image = linear(image, offset=draw.uniform(-32, 32))
    contrast_first = applies()
    if contrast_first and applies():
        image = linear(image, draw.uniform(0.5, 1.5))
    if applies():
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 1] = linear(hsv[..., 1], draw.uniform(0.5, 1.5))
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if applies():
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + int(draw.integers(-18, 19))) % 180
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if not contrast_first and applies():
        image = linear(image, draw.uniform(0.5, 1.5))
    return image


def pad(values: NDArray[np.float32], fill: float) -> NDArray[np.float32]:
    """Put a map in the middle of the canvas."""
    height, width, channels = values.shape
    top, left = (CANVAS[0] - height) // 2, (CANVAS[1] - width) // 2
    if (height, width) == CANVAS:
        return values
    padded = np.full((*CANVAS, channels), fill, dtype=np.float32)
    padded[top : top + height, left : left + width] = values
    return padded


def port(
    maps: Maps, seed: int, *, shares: Callable[[NDArray[np.float32]], NDArray[np.intp]] = shares_unique
) -> dict[str, Tensor]:
    """The published transforms, plainly."""
    draw = np.random.default_rng(seed)
    factor, mirrored = draw.uniform(0.5, 2), draw.random() < 0.5
    maps = crop(scale(maps, factor), shares, draw)
    if mirrored:
        maps = mirror(maps)
    image = distort(maps["image"].astype(np.uint8), draw).astype(np.float32) / 255
    image -= np.float32(MEAN)
    image /= np.float32(STD)
    maps = {name: pad(values, FILLS[name]) for name, values in {**maps, "image": image}.items()}
    return {name: torch.from_numpy(values.transpose(2, 0, 1)).float() for name, values in maps.items()}


def ours(sample: Sample, seed: int, *, transform: TrainTransform) -> dict[str, object]:
    """The transforms of this package."""
    return to_tensors(transform(sample, np.random.default_rng(seed)), TASKS, mean=MEAN, std=STD)


def measure(images: int, blocks: int, console: Console) -> dict[str, list[float]]:
    """Images a second of every block, by way; the first block of all does not count."""
    samples = [scene(seed) for seed in range(8)]
    floats = [as_floats(sample) for sample in samples]
    ways: dict[str, tuple[Callable[..., object], list[Sample] | list[Maps]]] = {
        "pamm": (partial(ours, transform=TrainTransform(CANVAS, TASKS)), samples),
        "port": (port, floats),
        "bincount": (partial(port, shares=shares_bincount), floats),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in track(range(blocks + 1), description="measuring", transient=True, console=console):
        for name, (way, inputs) in ways.items():
            start = time.perf_counter()
            for seed in range(images):
                way(inputs[seed % len(inputs)], seed)
            rates[name].append(images / (time.perf_counter() - start))
    return {name: values[1:] for name, values in rates.items()}


def main() -> None:
    """Print the rates, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="images of a block")
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file to write the results to")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    console = Console()
    rates = measure(arguments.images, arguments.blocks, console)
    rate = {name: statistics.median(values) for name, values in rates.items()}
    # neighbours slow a block and the next one alike, so the ratio is taken block by block
    ratios = {
        name: sorted(own / other for own, other in zip(rates["pamm"], values, strict=True))
        for name, values in rates.items()
    }
    table = Table(title=f"{CANVAS[0]}×{CANVAS[1]}, {len(TASKS)} labels, 1 thread, {arguments.blocks} blocks")
    for column in ("", "images/s", "ms an image", "pamm is faster by", "least", "most"):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    record = {}
    for name, values in ratios.items():
        record[name] = {
            "images_per_second": rate[name],
            "ratio": statistics.median(values),
            "least": values[0],
            "most": values[-1],
        }
        cells = (f"{statistics.median(values):.2f}", f"{values[0]:.2f}", f"{values[-1]:.2f}")
        table.add_row(name, f"{rate[name]:.0f}", f"{1000 / rate[name]:.2f}", *cells)
    console.print(table)
    if arguments.json:
        machine = {"machine": platform.machine(), "opencv": cv2.__version__, "numpy": np.__version__}
        settings = {"images": arguments.images, "blocks": arguments.blocks, "threads": 1}
        arguments.json.write_text(json.dumps({**machine, **settings, "ways": record}) + "\n")


if __name__ == "__main__":
    main()
