"""Photos of strangers, read within bounds."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from pamm.data.images import ImageError, read_image
from pamm.page import uploads
from pamm.page.uploads import FORMATS, read_photo

BOUNDS = {"max_pixels": 1_000_000, "longest": 128}


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def gradient(height, width):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


def test_a_small_photo_is_as_any_reader_gives_it():
    data = encoded(gradient(60, 100), "PNG")
    photo = read_photo(data, **BOUNDS)
    np.testing.assert_array_equal(photo.pixels, read_image(data))
    assert photo.original == (60, 100)
    assert not photo.reduced


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_large_photo_is_reduced(kind):
    photo = read_photo(encoded(gradient(600, 1000), kind), **BOUNDS)
    assert photo.pixels.shape == (77, 128, 3)
    assert photo.original == (600, 1000)
    assert photo.reduced
    wanted = np.asarray(gradient(600, 1000).resize((128, 77), Image.Resampling.BOX)).astype(int)
    assert np.abs(photo.pixels.astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(
    ("mode", "kind"), [("P", "PNG"), ("1", "PNG"), ("L", "JPEG"), ("RGBA", "PNG"), ("CMYK", "JPEG")]
)
@pytest.mark.parametrize("size", [(60, 100), (600, 1000)])
def test_photos_of_any_mode(mode, kind, size):
    picture = gradient(*size)
    photo = read_photo(encoded(picture.convert(mode), kind), **BOUNDS)
    grey, wanted = (
        np.asarray(image.convert("L").resize((16, 10))) for image in (Image.fromarray(photo.pixels), picture)
    )
    assert np.abs(grey.astype(int) - wanted).mean() < 12


def test_sixteen_bits_keep_their_range_when_they_are_reduced():
    pixels = np.linspace(0, 65535, 600 * 1000).reshape(600, 1000).astype(np.uint16)
    photo = read_photo(encoded(Image.fromarray(pixels), "PNG"), **BOUNDS)
    assert photo.pixels.shape == (77, 128, 3)
    assert photo.pixels.min() < 5
    assert photo.pixels.max() > 250


@pytest.mark.parametrize("size", [(60, 100), (600, 1000)])
@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("PNG", "P"), ("PNG", "RGB")])
def test_a_turned_photo_is_shown_upright(size, kind, mode):
    notes = Image.Exif()
    notes[0x0112] = 6
    photo = read_photo(encoded(gradient(*size).convert(mode), kind, exif=notes), **BOUNDS)
    height, width = size
    assert photo.original == (width, height)
    assert photo.pixels.shape[0] > photo.pixels.shape[1]
    # red grew to the right, so it grows downwards
    assert photo.pixels[-5, :, 0].mean() > photo.pixels[5, :, 0].mean() + 100


def test_transparent_pixels_are_white():
    picture = Image.new("RGBA", (1000, 600), (255, 0, 0, 0))
    assert read_photo(encoded(picture, "PNG"), **BOUNDS).pixels.min() == 255


def test_the_focal_length_is_read_if_it_makes_sense():
    for written, found in ((26, 26.0), (0, None), (60_000, None)):
        notes = Image.Exif()
        notes.get_ifd(0x8769)[0xA405] = written
        assert read_photo(encoded(gradient(30, 40), "JPEG", exif=notes), **BOUNDS).focal == found
    assert read_photo(encoded(gradient(30, 40), "JPEG", exif=b"Exif\0\0MM\0*nonsense"), **BOUNDS).focal is None


def test_pixels_are_counted_before_they_are_decoded():
    bomb = bytearray(encoded(gradient(10, 10), "BMP"))
    bomb[18:26] = struct.pack("<ii", 30_000, 30_000)
    with pytest.raises(ImageError, match=r"30,000 × 30,000 pixels, more than the 1 million|more pixels than can be"):
        read_photo(bytes(bomb), **BOUNDS)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not a picture"),
        (encoded(gradient(300, 400), "JPEG")[:700], "damaged or cut short"),
        (encoded(gradient(300, 400), "PNG")[:400], "damaged or cut short"),
    ],
)
def test_what_is_no_photo_is_explained_in_a_line(data, words):
    with pytest.raises(ImageError, match=words) as caught:
        read_photo(data, **BOUNDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["WEBP", "AVIF"])
def test_of_heavy_formats_half_as_many_pixels_are_taken(kind):
    assert read_photo(encoded(gradient(700, 1000), "PNG"), **BOUNDS).reduced
    if kind not in Image.registered_extensions().values():
        pytest.skip(f"this Pillow reads no {kind}")
    with pytest.raises(ImageError, match=rf"more than the 0\.5 million that are taken here of {kind}"):
        read_photo(encoded(gradient(700, 1000), kind), **BOUNDS)


def test_a_jpeg_that_repeats_its_scans_is_refused():
    data = encoded(gradient(60, 100), "JPEG", progressive=True)
    assert read_photo(data, **BOUNDS).original == (60, 100)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="more than 64 scans"):
        read_photo(data[:-2] + 64 * last + data[-2:], **BOUNDS)


def test_endless_work_ends(monkeypatch):
    monkeypatch.setattr(uploads, "_SECONDS", -1)
    for kind in ("JPEG", "PNG", "TIFF"):
        with pytest.raises(ImageError, match="takes too long to read"):
            read_photo(encoded(gradient(60, 100), kind), **BOUNDS)


def test_pillow_opens_as_many_pixels_as_are_taken(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_photo(encoded(gradient(600, 1000), "PNG"), **BOUNDS).original == (600, 1000)


def test_formats_that_start_programs_are_not_tried():
    assert not {"EPS", "PDF", "WMF", "PSD", "ICNS", "FPX"} & set(FORMATS)
