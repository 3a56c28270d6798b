"""Reading photos and label maps: many kinds of file in, one kind of array or one clear line out."""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

ImageLike = str | Path | bytes | Image.Image | NDArray[Any] | Tensor
"""What :func:`read_image` takes."""

MAX_PIXELS = 100_000_000
"""Largest number of pixels of a file that is read, unless told otherwise."""
ARRAYS = (".npy", ".npz")
"""Suffixes of arrays."""

_CHANNELS = (1, 3, 4)
_SIDEWAYS = (5, 6, 7, 8)
"""Orientations in EXIF data that swap rows and columns."""
_pillow_lock = threading.Lock()


class ImageError(ValueError):
    """Something is not a photo or map that can be read."""


class MissingFileError(ImageError):
    """A file is not there."""


def read_image(source: ImageLike, *, max_pixels: int = MAX_PIXELS, as_shown: bool = True) -> NDArray[np.uint8]:
    """Read a photo.

    Files and PIL images may be of any mode: 16 bits are scaled to 8, and of several frames the first is taken.

    Args:
        source: path of a file, its bytes, PIL image, array or tensor. Arrays are (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4), tensors (H, W), (1, H, W), (3, H, W) or (4, H, W), of whole numbers 0 to 255, of uint16 values 0
            to 65535, of bools, or of floats in [0, 1].
        max_pixels: largest number of pixels of a file, since a small file can hold a picture that fills the memory.
        as_shown: of files and PIL images, whether the orientation of the EXIF data is applied and transparent pixels
            are put on white, as viewers do, or both are passed over, as most loaders of data sets do.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if it cannot be read; the message says what, where and what to do.
    """
    if isinstance(source, str | Path | bytes):
        file, name = (BytesIO(source), "bytes") if isinstance(source, bytes) else (Path(source), str(source))
        with one_line_errors(name):
            return _rgb(_open_picture(file, max_pixels, name), name, as_shown=as_shown)
    if isinstance(source, Image.Image):
        with one_line_errors("PIL image"):
            return _rgb(source, "PIL image", as_shown=as_shown)
    if isinstance(source, Tensor):
        array = _channels_last(source)
    elif isinstance(source, np.ndarray):
        array = source
    else:
        raise ImageError(
            f"cannot read an image from a {type(source).__name__}: give a path, PIL image, array or tensor"
        )
    return _array_to_rgb(array, type(source).__name__)


def image_size(path: str | Path) -> tuple[int, int]:
    """Rows and columns of a photo as :func:`read_image` would give it, from the head of its file.

    Raises:
        ImageError: if it cannot be read.
    """
    path = Path(path)
    with one_line_errors(str(path)):
        check_file(path)
        with Image.open(path) as picture:
            turned = picture.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
            return (picture.width, picture.height) if turned else (picture.height, picture.width)


def is_indexed(path: str | Path) -> bool:
    """Whether a picture stores bits or numbers of colours, not shades, from the head of its file; arrays do not.

    Raises:
        ImageError: if it cannot be read.
    """
    path = Path(path)
    if path.suffix in ARRAYS:
        return False
    with one_line_errors(str(path)), _head(path, MAX_PIXELS, str(path)) as picture:
        return picture.mode in ("1", "P", "PA")


def read_map(path: str | Path, *, key: str | None = None, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """Read a label map with its values as they are stored.

    Args:
        path: a picture (palette indices are kept, 16 bits too, transparency is dropped), ``.npy`` or ``.npz``.
        key: name of the array in an ``.npz`` of several.
        max_pixels: as for :func:`read_image`.

    Returns:
        (H, W) or (H, W, C).

    Raises:
        ImageError: if it cannot be read.
    """
    path = Path(path)
    with one_line_errors(str(path)):
        if path.suffix in ARRAYS:
            values = _load_array(path, key)
        else:
            values = _stored_values(_open_picture(path, max_pixels, str(path)))
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or not values.size or values.dtype.kind not in "buif":
        raise ImageError(
            f"{path}: an array of {values.dtype} and shape {values.shape} is no map: "
            "store numbers of shape (rows, columns) or (rows, columns, channels)"
        )
    return values


def array_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in an ``.npz``, from its directory.

    Raises:
        ImageError: if it cannot be read.
    """
    with one_line_errors(str(path)):
        check_file(path)
        with ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one line, and keep its remarks on odd metadata to itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except (UnidentifiedImageError, BadZipFile) as error:
        raise ImageError(f"{name}: not a picture or array that can be read: convert it to PNG or JPEG") from error
    except PermissionError as error:
        raise ImageError(f"{name}: you may not read it: change its permissions") from error
    except Exception as error:
        # decoders raise all kinds of errors for broken files: OSError, SyntaxError, struct.error, IndexError, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: damaged or cut short ({reason}): copy or save it again") from error


@contextmanager
def pillow_opens(pixels: int) -> Iterator[None]:
    """Let Pillow open pictures of so many pixels, if that is more than it would; by itself it refuses some."""
    with _pillow_lock:
        before = Image.MAX_IMAGE_PIXELS
        if before is not None:
            Image.MAX_IMAGE_PIXELS = max(before, pixels)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def check_file(path: Path) -> None:
    """Raise an :class:`ImageError` if a file is missing or empty, or a folder that cannot be read."""
    if not path.exists():
        raise MissingFileError(f"{path}: no such file: check the name")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise ImageError(f"{path}: a folder that cannot be read: change its permissions")
    if not path.is_file():
        raise ImageError(f"{path}: not a file: give the name of a picture")
    if path.stat().st_size == 0:
        raise ImageError(f"{path}: the file is empty: copy it again")


def _open_picture(file: Path | BytesIO, max_pixels: int, name: str) -> Image.Image:
    """Decode a file, but not one of too many pixels."""
    with _head(file, max_pixels, name) as picture:
        picture.load()
    return picture


def _head(file: Path | BytesIO, max_pixels: int, name: str) -> Image.Image:
    """Open a file without decoding it, but not one of too many pixels."""
    if isinstance(file, Path):
        check_file(file)
    try:
        with pillow_opens(max_pixels):
            picture = Image.open(file)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: more pixels than Pillow opens: make the picture smaller") from error
    if picture.width * picture.height > max_pixels:
        picture.close()
        size = f"{picture.width}×{picture.height}"
        raise ImageError(f"{name}: {size} pixels are more than {max_pixels:,}: make the picture smaller")
    return picture


def _rgb(picture: Image.Image, name: str, *, as_shown: bool = True) -> NDArray[np.uint8]:
    if not picture.width or not picture.height:
        raise ImageError(f"{name}: the image is {picture.width}×{picture.height} pixels, it needs at least one")
    if as_shown:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture)
        # older Pillows open 16-bit greys as mode I, 32-bit integers
        if picture.mode == "I" and 0 <= values.min() and values.max() <= np.iinfo(np.uint16).max:
            values = values.astype(np.uint16)
        return _array_to_rgb(values, name)
    if picture.mode in ("La", "RGBa"):
        picture = picture.convert({"La": "LA", "RGBa": "RGBA"}[picture.mode])
    if as_shown and picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), coloured)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def _stored_values(picture: Image.Image) -> NDArray[Any]:
    if picture.mode in ("LA", "RGBA"):
        picture = picture.convert(picture.mode[:-1])
    values = np.array(picture)
    return values.astype(np.uint8) if values.dtype == bool else values


def _channels_last(tensor: Tensor) -> NDArray[Any]:
    if tensor.ndim not in (2, 3) or (tensor.ndim == 3 and tensor.shape[0] not in _CHANNELS):
        raise ImageError(f"a tensor of shape {tuple(tensor.shape)} is no image: give one image as (3, H, W)")
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array if tensor.ndim == 2 else array.transpose(1, 2, 0)


def _array_to_rgb(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in _CHANNELS or not array.size:
        raise ImageError(f"{name}: an array of shape {array.shape} is no image: give one image as (H, W, 3)")
    values = _to_bytes(array, name)
    if values.shape[2] == 4:
        return _rgb(Image.fromarray(values), name)
    return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values


def _to_bytes(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """A copy with values 0 to 255."""
    if array.dtype == np.uint8:
        return np.array(array, order="C")
    if array.dtype.kind not in "fbui":
        raise ImageError(f"{name}: values of type {array.dtype} are no colours: give uint8, or floats in [0, 1]")
    top = 1.0 if array.dtype.kind in "fb" else 65535.0 if array.dtype.name == "uint16" else 255.0
    low, high = float(array.min()), float(array.max())
    # resizing leaves floats a little outside of their range; NaN fails both comparisons
    if not (low >= -0.01 * top and high <= 1.01 * top):
        raise ImageError(
            f"{name}: values of {array.dtype} from {low:g} to {high:g} are no colours: bring them into 0 to {top:g}"
        )
    scaled = np.clip(array.astype(np.float32) * np.float32(255 / top), 0, 255)
    return np.asarray(np.rint(scaled), dtype=np.uint8)


def _load_array(path: Path, key: str | None) -> NDArray[Any]:
    check_file(path)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        if path.suffix == ".npz":
            raise ImageError(f"{path}: one array without a name: end its name in .npy, or save it with numpy.savez")
        return loaded
    with loaded:
        names = list(loaded)
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            raise ImageError(f"{path}: give the key of one of its arrays ({', '.join(names)}), got {key}")
        return np.asarray(loaded[key])


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture, (H, W, 3) uint8 RGB, as PNG: ten times as fast as Pillow, for a fifth more bytes."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1])
