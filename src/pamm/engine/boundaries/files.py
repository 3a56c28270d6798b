"""Predicted and true boundaries as files of anyone's model and of the usual archives."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pamm.data.images import is_indexed, read_image, read_map
from pamm.data.mat_files import read_label_map, read_variable
from pamm.metrics.boundary import BoundaryProtocol
from pamm.ops.boundaries.maps import boundary_truth

MAPS = (".png", ".npy", ".npz", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
"""Suffixes of maps that are read."""
TRUTHS = (*MAPS, ".mat")
"""Suffixes of true boundaries that are read; a folder holds one map of each annotator."""
PACKED = 12
"""Bits below the number of annotators in a 16-bit map that holds the lines of several as bits."""


def find_maps(folder: Path, suffixes: tuple[str, ...], *, folders: bool = False) -> dict[str, Path]:
    """The maps of a folder by the name of their image.

    Args:
        folder: where they lie.
        suffixes: what they end in.
        folders: whether a folder stands for the maps of several annotators.

    Raises:
        ValueError: if the folder is missing, holds no map, or two maps of one name.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder: give the folder of the maps")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        name = path.name if folders and path.is_dir() else path.stem if path.suffix.lower() in suffixes else None
        if name is None or path.name.startswith("."):
            continue
        if name in found:
            raise ValueError(f"{folder}: {found[name].name} and {path.name} are both of image {name!r}: keep one")
        found[name] = path
    if not found:
        raise ValueError(f"{folder}: holds no map ({', '.join(suffixes)}): give the folder of the maps")
    return found


def read_probability(path: Path, *, key: str | None = None) -> NDArray[np.float32]:
    """A predicted map, (H, W) from 0 to 1: a grey picture of 8 or 16 bits, or an array of fractions.

    Args:
        path: the file.
        key: name of the array in an ``.npz`` of several.

    Raises:
        ValueError: if it is coloured, or its numbers are no probabilities.
    """
    values = read_image(path) if is_indexed(path) else read_map(path, key=key)
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2:
        raise ValueError(f"{path}: a coloured picture ({values.shape}): store the probability as grey")
    if values.dtype.kind == "u":
        return np.asarray(values / np.float32(np.iinfo(values.dtype).max), dtype=np.float32)
    if values.dtype.kind == "f" and np.isfinite(values).all() and 0 <= values.min() and values.max() <= 1:
        return values.astype(np.float32)
    raise ValueError(f"{path}: {values.dtype} from {values.min()} to {values.max()}: store 8 or 16 bits, or fractions")


def read_truth(path: Path, protocol: BoundaryProtocol) -> NDArray[np.bool_]:
    """True boundaries, (annotators, H, W).

    Args:
        path: for protocols of label maps a picture, an array or a ``.mat`` with ``LabelMap``; for lines a picture or
            array (not 0 on a boundary), a folder of these, one of each annotator, the ``.mat`` of BSDS500, or a 16-bit
            picture with the number n of annotators in its top 4 bits and the lines of annotator k in bit k.
        protocol: what the truth is.

    Raises:
        ValueError: if it cannot be read, or is not what the protocol takes.
    """
    if protocol.truth != "lines":
        labels = read_label_map(path) if path.suffix == ".mat" else _flat(path)
        return boundary_truth(labels, relabel=protocol.truth == "parts")[None] > 0
    if path.is_dir():
        maps = [_flat(file) != 0 for file in find_maps(path, MAPS).values()]
        if len({one.shape for one in maps}) > 1:
            raise ValueError(f"{path}: the annotators' maps differ in size: store them at the image's size")
        return np.stack(maps)
    if path.suffix == ".mat":
        drawn = read_variable(path, "groundTruth").ravel()
        return np.stack([np.asarray(one["Boundaries"].item()) != 0 for one in (cell.squeeze() for cell in drawn)])
    stored = _flat(path)
    if stored.dtype == np.uint16 and stored.min() >> PACKED:
        people = int(stored.flat[0] >> PACKED)
        if people > PACKED or (stored >> PACKED != people).any():
            raise ValueError(
                f"{path}: the top 4 bits are to hold one number of annotators, at most {PACKED}: store it in every "
                "pixel, or a map of 8 bits"
            )
        return np.stack([(stored >> person) & 1 == 1 for person in range(people)])
    return np.asarray(stored[None] != 0)


def _flat(path: Path) -> NDArray[Any]:
    values = read_map(path)
    if values.ndim != 2:
        raise ValueError(f"{path}: {values.shape} is no map of boundaries or labels: store one channel")
    return values
