"""The maps of a photo from an ONNX file of `pamm export`, with onnxruntime, numpy and Pillow alone.

    python examples/onnx_photo.py network.onnx photo.jpg -o maps.npz

Everything it needs to know about the network is in the file. It does what `pamm predict` does: a photo much larger or
smaller than what the network was trained on is resized to about as many pixels, sides are padded to whole patches, and
raw values are cut back and brought to the photo's size before they become classes, metres and directions.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

LONGEST = 8
"""A side is resized to at most this many sides of a square of the training size."""

Array = NDArray[Any]


@contextmanager
def one_line_errors(path: str, wanted: str) -> Iterator[None]:
    """End the program with one line, whatever a reader of files raises."""
    try:
        yield
    except Exception as error:
        raise SystemExit(f"{path}: cannot be read ({' '.join(str(error).split())}): give {wanted}") from error


def read_network(path: str) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """Open a file, and read what it says about itself."""
    with one_line_errors(path, "an ONNX file of `pamm export`"):
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    if about.get("outputs") != "raw":
        raise SystemExit(f"{path}: its outputs are not raw values: export it without --decode")
    return session, about


def read_photo(path: str) -> Array:
    """A photo as viewers show it, (H, W, 3) uint8: turned upright, on white where transparent, 16 bits scaled to 8."""
    with one_line_errors(path, "a photo"), Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith(("I", "F")):
            top = 1 if upright.mode == "F" else 65535
            grey = np.asarray(upright).astype(np.float32) / top
            if not (grey.min() >= 0 and grey.max() <= 1):
                raise ValueError(f"its values are not in 0 to {top}")
            return np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
        if upright.has_transparency_data:
            upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
        return np.asarray(upright.convert("RGB"))


def network_size(height: int, width: int, about: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of the resized photo, and of the input it is padded to."""
    trained = about["fixed_size"] or about["trained_size"]
    area = trained[0] * trained[1]
    if height <= trained[0] and width <= trained[1] and 2 * height * width >= area:
        return (height, width), (trained[0], trained[1])
    if about["fixed_size"]:
        scale = min(trained[0] / height, trained[1] / width)
    else:
        scale = min(math.sqrt(area / (height * width)), LONGEST * math.sqrt(area) / max(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    if about["fixed_size"]:
        return (rows, columns), (trained[0], trained[1])
    # a network for any size takes two patches and more
    patch = about["patch_size"]
    return (rows, columns), (max(2, -(-rows // patch)) * patch, max(2, -(-columns // patch)) * patch)


def box_weights(before: int, after: int) -> Array:
    """Weights (after, before) of each old pixel in a new, larger one: how much of it that one covers."""
    edges = np.arange(after + 1) * (before / after)
    pixels = np.arange(before)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    covered = np.maximum(covered, 0)
    return (covered / covered.sum(1, keepdims=True)).astype(np.float32)


def linear_weights(before: int, after: int) -> Array:
    """Weights (after, before) of a linear interpolation, widened where it shrinks."""
    scale = before / after
    centres = (np.arange(after) + 0.5) * scale
    weights = 1 - np.abs(np.arange(before) + 0.5 - centres[:, None]) / max(scale, 1)
    weights = np.maximum(weights, 0)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def resized(planes: Array, height: int, width: int, *, box: bool = False) -> Array:
    """Planes (C, h, w) in another size."""
    weights = box_weights if box else linear_weights
    rows, columns = planes.shape[1:]
    return weights(rows, height) @ planes @ weights(columns, width).T


def decoded(task: dict[str, Any], raw: Array) -> Array:
    """The map of raw values (C, H, W): classes, a probability, values or unit vectors."""
    if task["kind"] == "classes":
        return raw.argmax(0).astype(np.int32)
    if task["kind"] == "binary":
        score = raw[1] - raw[0] if len(raw) == 2 else raw[0]
        return 1 / (1 + np.exp(-score))
    if task["kind"] == "direction":
        return np.moveaxis(raw / np.maximum(np.linalg.norm(raw, axis=0), 1e-12), 0, -1)
    if task["valid_range"] is not None:
        raw = raw.clip(*task["valid_range"])
    return raw[0] if len(raw) == 1 else np.moveaxis(raw, 0, -1)


def predict(session: onnxruntime.InferenceSession, about: dict[str, Any], photo: Array) -> dict[str, Array]:
    """The maps of a photo (H, W, 3) uint8, by task name, as large as the photo."""
    height, width = photo.shape[:2]
    (rows, columns), canvas = network_size(height, width, about)
    planes = photo.transpose(2, 0, 1).astype(np.float32)
    if (rows, columns) != (height, width):
        planes = resized(planes, rows, columns, box=rows * columns < height * width).round()
    # what is not photo is the mean colour
    image = np.empty((1, 3, *canvas), np.float32)
    image[:] = np.array(about["mean"], np.float32)[:, None, None]
    top, left = (canvas[0] - rows) // 2, (canvas[1] - columns) // 2
    inside = (slice(top, top + rows), slice(left, left + columns))
    image[0, :, inside[0], inside[1]] = planes / 255
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, {"image": image}), strict=True))
    return {
        task["name"]: decoded(task, resized(outputs[task["name"]][0][:, inside[0], inside[1]], height, width))
        for task in about["tasks"]
    }


def main() -> None:
    """Read, predict, and write the maps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help="ONNX file of `pamm export`, without --decode")
    parser.add_argument("photo")
    parser.add_argument("-o", "--out", default="maps.npz", help="file to write: one array for each task")
    arguments = parser.parse_args()
    session, about = read_network(arguments.network)
    maps = predict(session, about, read_photo(arguments.photo))
    np.savez_compressed(arguments.out, **maps)
    for task in about["tasks"]:
        found = maps[task["name"]]
        if task["class_names"] and task["kind"] == "classes":
            share = np.bincount(found.ravel(), minlength=len(task["class_names"])) / found.size
            said = f"most is {task['class_names'][share.argmax()]} ({share.max():.0%})"
        else:
            said = f"{found.min():.3g} to {found.max():.3g} {task['unit'] if task['kind'] == 'regression' else ''}"
        sys.stdout.write(f"{task['title']}: {said}".rstrip() + "\n")


if __name__ == "__main__":
    main()
