"""From the bytes of a stranger's file to a photo of bounded size."""

import io
import time
from dataclasses import dataclass

from PIL import ExifTags, Image, UnidentifiedImageError

from pamm.data.images import ImageError, one_line_errors, pillow_opens, read_image
from pamm.engine.colours import Pixels

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""Formats that are tried. Pillow knows many more; some start other programs, and few photos come in them."""
_HEAVY = {"WEBP": 2, "AVIF": 2}
"""Formats whose decoders take up to twice the memory of the others, and by how much fewer pixels are taken of them."""
_SCANS = 64
"""Most scans of a JPEG. Usual ones have at most 10, and each goes over all the pixels, however few bytes it takes."""
_SECONDS = 60
"""How long a file may be read. Others wait meanwhile, and small files can ask for endless work."""
_TURNED = (5, 6, 7, 8)
"""Orientations of the EXIF data that swap width and height."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo as it is shown and predicted."""

    pixels: Pixels
    """(H, W, 3) uint8 RGB."""
    original: tuple[int, int]
    """Rows and columns of the file, as viewers show it."""
    focal: float | None = None
    """Focal length as if the film were 36 mm wide, in millimetres, if the camera wrote it down."""

    @property
    def reduced(self) -> bool:
        """Whether the file has more pixels."""
        return self.original != self.pixels.shape[:2]


def read_photo(data: bytes, *, max_pixels: int, longest: int) -> Photo:
    """Read a photo, and reduce a large one.

    The header says how many pixels there are before any is decoded. Usual JPEG is decoded at about the reduced
    size. While they are read, WebP and AVIF take up to 20 bytes a pixel, progressive JPEG 13, other formats 10.

    Args:
        data: a file in one of :data:`FORMATS`.
        max_pixels: most pixels of the file; half of it of WebP and AVIF, whose decoders take twice the memory.
        longest: bound on both sides of the photo, pixels.

    Raises:
        ImageError: if it is not a picture, is damaged, has too many pixels, or takes too long.
    """
    if not data:
        raise ImageError("the file is empty: choose another")
    with one_line_errors("this file"):
        try:
            with pillow_opens(max_pixels):
                picture = Image.open(_TimedFile(data), formats=_known_formats())
        except UnidentifiedImageError as error:
            raise ImageError("this is not a picture that can be read here: choose a JPEG, PNG or WebP file") from error
        except Image.DecompressionBombError as error:
            raise ImageError("the picture has more pixels than can be opened here: make it smaller") from error
        with picture:
            columns, rows = picture.size
            most = max_pixels // _HEAVY.get(picture.format or "", 1)
            if columns * rows > most:
                raise ImageError(
                    f"the picture has {columns:,} × {rows:,} pixels, more than the {most / 1e6:g} million that are "
                    f"taken here of {picture.format}: make it smaller"
                )
            # within a scan 0xFF is followed by zero
            if picture.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > _SCANS:
                raise ImageError(f"the picture is made of more than {_SCANS} scans: save it again as a usual JPEG")
            orientation, focal = _camera_notes(picture)
            original = (columns, rows) if orientation in _TURNED else (rows, columns)
            pixels = read_image(_reduced(picture, longest))
    return Photo(pixels, original, focal)


class _TimedFile(io.BytesIO):
    """A file that says no after a while; decoders ask for it in small parts."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._end = time.monotonic() + _SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._end:
            raise ImageError("the picture takes too long to read: save it again as a usual JPEG or PNG")
        return super().read(size)


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _reduced(picture: Image.Image, longest: int) -> Image.Image:
    if max(picture.size) <= longest:
        return picture
    if picture.mode in ("P", "1"):
        # palettes cannot be mixed, and what is left must stay turned as the EXIF data says
        notes = picture.getexif()
        picture = picture.convert("RGBA" if picture.mode == "P" else "L")
        picture.info["exif"] = notes.tobytes()
    # Pillow averages whole blocks first, which saves most of the work, but not of 16 bits
    picture.thumbnail((longest, longest), reducing_gap=None if picture.mode.startswith("I;") else 2.0)
    return picture


def _camera_notes(picture: Image.Image) -> tuple[int, float | None]:
    """Orientation, and the focal length on film of 36 mm width; metadata that makes no sense says nothing."""
    try:
        notes = picture.getexif()
        focal = float(notes.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm, 0))
        return int(notes.get(ExifTags.Base.Orientation, 1)), focal if 5 <= focal <= 1000 else None
    except Exception:
        # damaged metadata raises all kinds of errors, and the picture is good without it
        return 1, None
