"""Every kind of picture gives the same photo, and every bad one a single clear line."""

import io
import struct
import warnings
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from pamm.data.images import ImageError, read_image, read_map


def photo(height=12, width=20):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 12, rows * 20, (rows + columns) * 6 + 30], axis=-1).astype(np.uint8)


def saved(path, picture, **options):
    picture.save(path, **options)
    return path


PHOTO = photo()
GREY = np.array(Image.fromarray(PHOTO).convert("L"))
GREY3 = np.repeat(GREY[..., None], 3, axis=2)


def test_rgb_files(tmp_path):
    for suffix in ("png", "bmp", "tiff", "webp"):
        options = {"lossless": True} if suffix == "webp" else {}
        path = saved(tmp_path / f"a.{suffix}", Image.fromarray(PHOTO), **options)
        assert (read_image(path) == PHOTO).all()
        assert (read_image(str(path)) == PHOTO).all()
        assert (read_image(path.read_bytes()) == PHOTO).all()
    jpeg = read_image(saved(tmp_path / "a.jpg", Image.fromarray(PHOTO), quality=98))
    assert np.abs(jpeg.astype(int) - PHOTO).mean() < 6
    assert jpeg.dtype == np.uint8


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr", "HSV", "RGBX", "LAB"])
def test_other_modes_show_what_a_viewer_shows(mode):
    picture = Image.fromarray(PHOTO).convert(mode)
    assert np.abs(read_image(picture).astype(int) - np.asarray(picture.convert("RGB"))).max() == 0


def test_cmyk_jpeg(tmp_path):
    path = saved(tmp_path / "a.jpg", Image.fromarray(np.full((16, 16, 3), (200, 40, 90), np.uint8)).convert("CMYK"))
    assert read_image(path)[8, 8].astype(int) == pytest.approx([200, 40, 90], abs=4)


def test_transparent_pixels_lie_on_white(tmp_path):
    alpha = np.zeros(PHOTO.shape[:2], np.uint8)
    alpha[:, 10:] = 255
    for base, mode in ((PHOTO, "RGBA"), (GREY, "LA")):
        picture = Image.fromarray(base)
        picture.putalpha(Image.fromarray(alpha))
        assert picture.mode == mode
        image = read_image(saved(tmp_path / "a.png", picture))
        assert (image[:, :10] == 255).all()
        assert (image[:, 10:] == (PHOTO if mode == "RGBA" else GREY3)[:, 10:]).all()


def test_transparent_palette(tmp_path):
    picture = Image.fromarray(np.tile(np.uint8([0, 1]), (4, 4)), "P")
    picture.putpalette([10, 20, 30, 200, 100, 50])
    image = read_image(saved(tmp_path / "a.png", picture, transparency=0))
    assert image[0, 0].tolist() == [255, 255, 255]
    assert image[0, 1].tolist() == [200, 100, 50]


def test_sixteen_bits(tmp_path):
    assert (read_image(saved(tmp_path / "a.png", Image.fromarray(GREY.astype(np.uint16) * 257))) == GREY3).all()
    assert (read_image(saved(tmp_path / "a.tif", Image.fromarray(GREY.astype(np.uint16) * 257))) == GREY3).all()
    for channels in (PHOTO, np.dstack([PHOTO, np.full(GREY.shape, 255, np.uint8)])):
        swapped = channels[..., [2, 1, 0, 3][: channels.shape[2]]]
        cv2.imwrite(str(tmp_path / "b.png"), swapped.astype(np.uint16) * 257)
        assert np.abs(read_image(tmp_path / "b.png").astype(int) - PHOTO).max() <= 1
    assert (read_image(Image.fromarray(GREY.astype(np.int32) * 257)) == GREY3).all()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, suffix, orientation):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = (250, 0, 0)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    image = read_image(path)
    assert image.shape == upright.shape
    assert np.abs(image[8, 12].astype(int) - (250, 0, 0)).max() < 12
    assert image[24, 36].max() < 12


def test_arrays_and_tensors():
    for same in (
        PHOTO,
        PHOTO.astype(np.int64),
        PHOTO.astype(np.uint16) * 257,
        PHOTO / 255,
        (PHOTO / 255).astype(np.float32),
        np.dstack([PHOTO, np.full(GREY.shape, 255, np.uint8)]),
        torch.from_numpy(PHOTO).permute(2, 0, 1),
        torch.from_numpy(PHOTO / 255).permute(2, 0, 1).requires_grad_(),
        np.asfortranarray(PHOTO),
    ):
        image = read_image(same)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert (image == PHOTO).all()
    for same in (GREY, GREY[..., None], GREY / 255, torch.tensor(GREY), torch.tensor(GREY)[None]):
        assert (read_image(same) == GREY3).all()
    assert (read_image(torch.from_numpy(PHOTO / 255).permute(2, 0, 1).bfloat16()) - PHOTO.astype(int)).max() <= 1
    assert read_image(np.array([[True, False]]))[0, :, 0].tolist() == [255, 0]
    clear = np.zeros((2, 2, 4))
    clear[0, 0] = (1, 0, 0, 1)
    assert read_image(clear)[:, :, 1].tolist() == [[0, 255], [255, 255]]


def test_the_source_array_is_not_shared():
    array = PHOTO.copy()
    read_image(array)[:] = 0
    assert (array == PHOTO).all()


def test_one_pixel_and_very_wide_pictures(tmp_path):
    assert read_image(saved(tmp_path / "one.png", Image.new("RGB", (1, 1), "red"))).tolist() == [[[255, 0, 0]]]
    assert read_image(saved(tmp_path / "wide.png", Image.new("L", (20_000, 3)))).shape == (3, 20_000, 3)
    assert read_image(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1, 3)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("side", [9_600, 10_500, 20_000, 60_000])
def test_pictures_that_would_fill_the_memory(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(side, side) + b"\x00\x00\x00\x00IDAT")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refused(path)
    assert ("make the picture smaller" in message) == (side > 10_000)


def test_the_limit_can_be_chosen(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(PHOTO))
    with pytest.raises(ImageError, match=r"a\.png: 20×12 pixels are more than 100: make the picture smaller"):
        read_image(path, max_pixels=100)


def refused(source, reader=read_image):
    with pytest.raises(ImageError) as caught:
        reader(source)
    message = str(caught.value)
    assert "\n" not in message
    if not isinstance(source, np.ndarray | torch.Tensor | Image.Image | dict):
        assert str(source) in message
    return message


@pytest.mark.parametrize("reader", [read_image, read_map])
def test_files_that_are_no_pictures(tmp_path, reader):
    assert "no such file" in refused(tmp_path / "missing.png", reader)
    assert "not a file" in refused(tmp_path, reader)
    (tmp_path / "empty.jpg").write_bytes(b"")
    assert "the file is empty" in refused(tmp_path / "empty.jpg", reader)
    (tmp_path / "text.png").write_text("not a picture at all")
    assert "convert it to PNG or JPEG" in refused(tmp_path / "text.png", reader)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
def test_cut_short_at_any_place(tmp_path, suffix):
    path = saved(
        tmp_path / f"a.{suffix}", Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), "u1"))
    )
    whole = path.read_bytes()
    for share in (0.002, 0.01, 0.05, 0.2, 0.5, 0.9):
        path.write_bytes(whole[: max(1, int(len(whole) * share))])
        refused(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "gif", "bmp"])
def test_flipped_bytes_never_end_in_a_traceback(tmp_path, suffix):
    buffer = io.BytesIO()
    Image.fromarray(PHOTO).save(buffer, {"jpg": "jpeg"}.get(suffix, suffix))
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(buffer.getvalue())
        for place in rng.integers(0, len(data), 3):
            data[place] = int(rng.integers(256))
        (tmp_path / "a").write_bytes(data)
        with suppress(ImageError):
            assert read_image(tmp_path / "a").dtype == np.uint8


def test_a_picture_from_pil_that_is_cut_short(tmp_path):
    path = saved(tmp_path / "a.png", Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), "u1")))
    path.write_bytes(path.read_bytes()[:2000])
    assert "PIL image: damaged or cut short" in refused(Image.open(path))


@pytest.mark.parametrize(
    ("source", "part"),
    [
        (np.zeros((3, 4, 5)), "(3, 4, 5) is no image: give one image as (H, W, 3)"),
        (np.zeros((2, 4, 5, 3)), "one image"),
        (np.zeros((0, 4, 3)), "is no image"),
        (np.full((4, 4, 3), np.nan), "are no colours"),
        (np.full((4, 4, 3), 200.0), "from 200 to 200 are no colours: bring them into 0 to 1"),
        (np.full((4, 4, 3), -5), "bring them into 0 to 255"),
        (np.zeros((4, 4, 3), complex), "type complex128"),
        (torch.zeros(1, 3, 4, 4), "give one image as (3, H, W)"),
        (torch.zeros(9, 5, 3), "give one image as (3, H, W)"),
        ({"image": 3}, "from a dict"),
        (Image.new("RGB", (0, 2)), "0×2"),
        (Image.fromarray(np.full((2, 2), 70_000, np.int32)), "bring them into 0 to 255"),
    ],
)
def test_arrays_that_are_no_image(source, part):
    assert part in refused(source)


def test_maps_keep_what_is_stored(tmp_path):
    indices = np.uint8([[0, 1], [2, 255]])
    palette = Image.fromarray(indices, "P")
    palette.putpalette([7, 8, 9] * 256)
    assert (read_map(saved(tmp_path / "p.png", palette)) == indices).all()
    assert (read_map(saved(tmp_path / "l.png", Image.fromarray(indices))) == indices).all()
    deep = np.uint16([[0, 1], [3000, 65535]])
    assert (read_map(saved(tmp_path / "d.png", Image.fromarray(deep))) == deep).all()
    assert (read_map(saved(tmp_path / "n.png", Image.fromarray(PHOTO))) == PHOTO).all()
    bits = Image.fromarray(np.uint8([[0, 255]])).convert("1")
    assert read_map(saved(tmp_path / "b.png", bits)).tolist() == [[0, 1]]
    np.save(tmp_path / "d.npy", deep / 7)
    assert (read_map(tmp_path / "d.npy") == deep / 7).all()
    np.save(tmp_path / "c.npy", indices[..., None])
    assert (read_map(tmp_path / "c.npy") == indices).all()
    np.savez(tmp_path / "one.npz", whatever=deep)
    assert (read_map(tmp_path / "one.npz") == deep).all()
    np.savez(tmp_path / "two.npz", depth=deep, other=indices)
    assert (read_map(tmp_path / "two.npz", key="depth") == deep).all()


def test_maps_that_cannot_be_read(tmp_path):
    np.savez(tmp_path / "two.npz", depth=PHOTO, other=PHOTO)
    assert "one of its arrays (depth, other), got None" in refused(tmp_path / "two.npz", read_map)
    np.save(tmp_path / "line.npy", np.zeros(5))
    assert "shape (5,) is no map" in refused(tmp_path / "line.npy", read_map)
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    assert "is no map" in refused(tmp_path / "words.npy", read_map)
    np.save(tmp_path / "code.npy", np.array([{"a": 1}]), allow_pickle=True)
    assert "Object arrays cannot be loaded" in refused(tmp_path / "code.npy", read_map)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 nothing")
    refused(tmp_path / "bad.npz", read_map)
    np.save(tmp_path / "cut.npy", np.zeros((50, 50)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:500])
    assert "cut short" in refused(tmp_path / "cut.npy", read_map)
