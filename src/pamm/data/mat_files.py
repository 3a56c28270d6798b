"""PASCAL-Context's MATLAB files: maps of 459 classes, and parts of people.

Structures are read by the position of their fields, since the names vary, and whatever their arrays are wrapped in.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import matlab

from pamm.data.images import ImageError, check_file, one_line_errors
from pamm.tasks import IGNORE

_load_variables: Callable[..., dict[str, Any]] = matlab.loadmat

PERSON = 15
"""Number of the class whose parts count."""

PARTS: dict[str, int] = {
    name: label
    for label, names in enumerate(
        (
            "hair head lear rear lebrow rebrow leye reye mouth nose",
            "neck torso",
            "luarm ruarm",
            "llarm rlarm lhand rhand",
            "luleg ruleg",
            "llleg rlleg lfoot rfoot",
        ),
        start=1,
    )
    for name in names.split()
}
"""Label of each stored part of a person; 0 is the background."""


def read_label_map(path: Path) -> NDArray[np.uint16]:
    """The variable ``LabelMap`` of a file, (H, W), classes from 1.

    Raises:
        ImageError: if the file is missing or damaged, or holds no such map.
    """
    stored = read_variable(path, "LabelMap")
    if stored.ndim != 2 or not stored.size or stored.dtype.kind not in "buif":
        raise ImageError(f"{path}: LabelMap is {stored.dtype} of shape {stored.shape}, no map: copy the file again")
    known = (stored >= 0) & (stored <= np.iinfo(np.uint16).max)
    label_map = np.where(known, stored, 0).astype(np.uint16)
    if (label_map != stored).any():
        raise ImageError(f"{path}: LabelMap holds values that number no class: copy the file again")
    return label_map


def read_parts(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The parts of all people in the variable ``anno`` of a file; later parts overwrite earlier ones.

    Args:
        path: the file.
        shape: rows and columns of the photo.

    Returns:
        (H, W) uint8: 1 to 6 on parts (see :data:`PARTS`), 0 elsewhere, all 255 in a photo without any part; parts
        without a pixel count.

    Raises:
        ImageError: if the file is missing or damaged, or not built as it should be.
    """
    anno = read_variable(path, "anno")
    label, found = np.zeros(shape, dtype=np.uint8), False
    try:
        for name, mask in _person_parts(anno):
            if mask.shape != shape:
                raise ImageError(
                    f"{path}: the mask of {name!r} is {mask.shape[0]}×{mask.shape[1]} pixels (rows, columns), its "
                    f"photo {shape[0]}×{shape[1]}: copy both again"
                )
            if name not in PARTS:
                raise ImageError(f"{path}: {name!r} is no known part of a person: copy the file again")
            label[mask], found = PARTS[name], True
    except ImageError:
        raise
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        raise ImageError(f"{path}: anno is not built of objects and their parts: copy the file again") from error
    return label if found else np.full(shape, IGNORE, dtype=np.uint8)


def read_variable(path: Path, name: str) -> NDArray[Any]:
    """An array of a file, as scipy gives it.

    Raises:
        ImageError: if the file is missing or damaged, or holds no such array.
    """
    with one_line_errors(str(path)):
        check_file(path)
        try:
            variables = _load_variables(path, variable_names=[name])
        except NotImplementedError as error:
            raise ImageError(f"{path}: MATLAB's format 7.3 is not read: save the file as version 7") from error
        if not isinstance(variables.get(name), np.ndarray):
            raise ImageError(f"{path}: there is no array {name} in it: copy the file again")
        stored: NDArray[Any] = variables[name]
    return stored


def _person_parts(anno: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Name and mask of every part of every person, in the stored order."""
    for _, objects in (record[:2] for record in _records(anno)):
        for record in _records(objects):
            number, parts = _plain(record[1]), record[3]
            if int(number) == PERSON:
                for name, mask in (part[:2] for part in _records(parts)):
                    yield str(_plain(name)), np.asarray(mask, dtype=bool)


def _records(stored: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """The structures of an array of them or of cells, each as its fields in order."""
    if isinstance(stored, np.void):
        yield tuple(stored[field] for field in stored.dtype.names or ())
    elif isinstance(stored, np.ndarray) and stored.dtype.kind in "VO":
        for item in stored.ravel(order="F"):
            yield from _records(item)
    elif isinstance(stored, np.ndarray) and stored.size:
        raise TypeError(f"{stored.dtype} is no structure")


def _plain(stored: Any) -> Any:  # noqa: ANN401
    """The one value inside arrays of one."""
    while isinstance(stored, np.ndarray):
        stored = stored.ravel()[0]
    return stored
