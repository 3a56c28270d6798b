"""Photos and maps that need not fit into memory."""

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from pamm.data.files import WriteError, atomic_write
from pamm.data.images import ImageLike, one_line_errors, read_image
from pamm.engine.colours import Map, Pixels, decoded
from pamm.tasks import Task

MOST_PIXELS = 4_000_000_000
"""Largest number of pixels of a file that is read to be tiled."""
_STRIP = 1 << 24
"""Pixels that are brought to RGB at a time."""


def open_photo(source: ImageLike, *, memory: int) -> Pixels:
    """A photo whose pixels are read when they are wanted, where its format allows.

    Arrays, ``.npy`` files and TIFFs without compression stay where they are. All else is decoded once, to three bytes
    a pixel.

    Args:
        source: as for :func:`pamm.data.images.read_image`, or a ``.npy`` file of such an array.
        memory: bytes of pixels that are kept in memory; of more, a copy in RGB lies in a temporary file.

    Returns:
        (H, W, 3) uint8 RGB. An array of that kind is returned as it is, not copied.

    Raises:
        ImageError: if it cannot be read.
        WriteError: if there is no room for a temporary file.
    """
    name = str(source) if isinstance(source, str | Path) else type(source).__name__
    array = source if isinstance(source, np.ndarray) else _mapped(source)
    if array is None:
        return read_image(source, max_pixels=MOST_PIXELS)
    if array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8 and array.size:
        return array
    if array.ndim not in (2, 3) or not array.size:
        return read_image(array)
    with one_line_errors(name):
        pixels = new_array((*array.shape[:2], 3), np.uint8, memory=memory)
        step = max(1, _STRIP // array.shape[1])
        for top in range(0, len(array), step):
            pixels[top : top + step] = read_image(array[top : top + step])
    return pixels


def _mapped(source: ImageLike) -> NDArray[Any] | None:
    """The pixels of a file as they lie on the disk, if they can be used so."""
    if not isinstance(source, str | Path):
        return None
    path = Path(source)
    if path.suffix.lower() == ".npy" and path.is_file():
        with one_line_errors(str(path)):
            array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    if path.suffix.lower() in (".tif", ".tiff") and path.is_file():
        return _mapped_tiff(path)
    return None


def _mapped_tiff(path: Path) -> NDArray[Any] | None:
    """The pixels of a TIFF that holds one upright RGB picture without compression."""
    # a tenth of a second to import, and few photos need it
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            turned = page.tags.get("Orientation")
            plain = (
                len(file.pages) == 1
                and page.photometric == tifffile.PHOTOMETRIC.RGB
                and page.shape[2:] == (3,)
                and (turned is None or turned.value == 1)
            )
        return tifffile.memmap(path, mode="r") if plain else None
    except Exception:
        # compressed, cut short, or no TIFF at all: Pillow reads it, or says what is wrong
        return None


def new_maps(tasks: Sequence[Task], height: int, width: int, *, memory: int) -> dict[str, Map]:
    """Maps of one photo, to be filled, with the shapes and types of :func:`pamm.engine.colours.decoded`.

    Args:
        tasks: what they show.
        height: rows of the photo.
        width: columns of the photo.
        memory: bytes that all of them may take in memory; otherwise they lie in temporary files.

    Raises:
        WriteError: if the disk has no room.
    """
    forms = _forms(tasks, height, width)
    total = sum(form.bytes for form in forms.values())
    return {
        name: new_array(form.shape, form.dtype, memory=memory if total <= memory else 0) for name, form in forms.items()
    }


@contextmanager
def new_files(tasks: Sequence[Task], height: int, width: int, *, folder: str | Path) -> Iterator[dict[str, Map]]:
    """The same as files ``<task>.npy``, which take their names once all are filled.

    Args:
        tasks: what they show.
        height: rows of the photo.
        width: columns of the photo.
        folder: where they are to lie, made if need be.

    Yields:
        The maps. When the context is left they are those of the finished files, for reading.

    Raises:
        WriteError: if the folder cannot be written to or has no room.
    """
    maps: dict[str, Map] = {}
    files = {name: Path(folder) / f"{name}.npy" for name in (task.name for task in tasks)}
    with ExitStack() as stack:
        for name, form in _forms(tasks, height, width).items():
            temporary = stack.enter_context(atomic_write(files[name]))
            maps[name] = np.lib.format.open_memmap(temporary, "w+", form.dtype, form.shape)
            with temporary.open("r+b") as file:
                _reserve(file, temporary.stat().st_size)
        yield maps
        maps.clear()
    maps.update({name: np.load(path, mmap_mode="r") for name, path in files.items()})


class _Form(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _forms(tasks: Sequence[Task], height: int, width: int) -> dict[str, _Form]:
    pixels = {task.name: decoded(task, torch.zeros(task.channels, 1, 1)) for task in tasks}
    return {name: _Form((height, width, *pixel.shape[2:]), pixel.dtype) for name, pixel in pixels.items()}


def new_array(shape: tuple[int, ...], dtype: DTypeLike, *, memory: int) -> NDArray[Any]:
    """An array in memory, or, if it takes more bytes than are allowed there, in a temporary file that goes with it.

    Raises:
        WriteError: if the disk has no room.
    """
    size = _Form(shape, np.dtype(dtype)).bytes
    if size <= memory:
        return np.empty(shape, dtype)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file, size)
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise WriteError(
            f"no room for {size / 2**30:.1f} GiB of maps in {folder}: {error.strerror}: name a larger folder in the "
            "environment variable TMPDIR"
        ) from error


def _reserve(file: IO[bytes], size: int) -> None:
    """Take the disk's blocks now, since a full disk kills a process that writes to a mapped file."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)
