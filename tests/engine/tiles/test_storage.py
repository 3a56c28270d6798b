"""Photos and maps on the disk instead of in memory."""

import errno
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from pamm.data.files import WriteError
from pamm.data.images import ImageError, read_image
from pamm.engine.tiles import storage
from pamm.engine.tiles.storage import new_array, new_files, new_maps, open_photo
from pamm.tasks import TASKS

ROOM = 1 << 20


def photo(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


def test_arrays_and_plain_files_are_not_read_before_they_are_wanted(tmp_path):
    array = photo(20, 30, 3)
    assert open_photo(array, memory=ROOM) is array
    np.save(tmp_path / "photo.npy", array)
    tifffile.imwrite(tmp_path / "photo.tif", array)
    for name in ("photo.npy", "photo.tif"):
        pixels = open_photo(tmp_path / name, memory=ROOM)
        assert isinstance(pixels, np.memmap)
        np.testing.assert_array_equal(pixels, array)


@pytest.mark.parametrize("options", [{"compression": "deflate"}, {"planarconfig": "separate"}])
def test_other_tiffs_are_decoded(tmp_path, options):
    array = photo(20, 30, 3)
    stored = array.transpose(2, 0, 1) if "planarconfig" in options else array
    tifffile.imwrite(tmp_path / "photo.tif", stored, photometric="rgb", **options)
    pixels = open_photo(tmp_path / "photo.tif", memory=ROOM)
    assert not isinstance(pixels, np.memmap)
    np.testing.assert_array_equal(pixels, array)


def test_a_turned_tiff_is_turned_back(tmp_path):
    picture = Image.fromarray(photo(20, 30, 3))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.tif", exif=exif)
    pixels = open_photo(tmp_path / "turned.tif", memory=ROOM)
    np.testing.assert_array_equal(pixels, read_image(tmp_path / "turned.tif"))
    assert pixels.shape == (30, 20, 3)


@pytest.mark.parametrize("kind", ["grey", "alpha", "deep", "jpeg"])
@pytest.mark.parametrize("memory", [ROOM, 0])
def test_every_kind_of_photo_becomes_the_same_as_elsewhere(tmp_path, monkeypatch, kind, memory):
    monkeypatch.setattr(storage, "_STRIP", 100)
    if kind == "jpeg":
        source = tmp_path / "photo.jpg"
        Image.fromarray(photo(20, 30, 3)).save(source)
    else:
        source = {
            "grey": photo(20, 30),
            "alpha": photo(20, 30, 4),
            "deep": photo(20, 30, 3, dtype=np.uint16),
        }[kind]
    pixels = open_photo(source, memory=memory)
    np.testing.assert_array_equal(pixels, read_image(source))
    assert isinstance(pixels, np.memmap) == (memory == 0 and kind != "jpeg")


def test_large_pictures_are_read_though_pillow_by_itself_refuses_them(tmp_path, monkeypatch):
    Image.fromarray(photo(20, 30, 3)).save(tmp_path / "photo.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert open_photo(tmp_path / "photo.png", memory=ROOM).shape == (20, 30, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setattr(storage, "MOST_PIXELS", 599)
    with pytest.raises(ImageError, match="30×20 pixels are more than 599"):
        open_photo(tmp_path / "photo.png", memory=ROOM)


@pytest.mark.parametrize("name", ["missing.npy", "missing.tif", "cut.npy", "cut.tif", "objects.npy", "cube.npy"])
def test_what_is_no_photo_is_said_in_a_line(tmp_path, name):
    if name.startswith("cut"):
        np.save(tmp_path / "cut.npy", photo(20, 30, 3))
        tifffile.imwrite(tmp_path / "cut.tif", photo(20, 30, 3))
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "cube.npy", photo(3, 4, 5, 6))
    with pytest.raises(ImageError) as caught:
        open_photo(tmp_path / name, memory=ROOM)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value) or "(3, 4, 5, 6)" in str(caught.value)


def test_maps_lie_in_memory_or_in_files_that_go_with_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    tasks = [TASKS["semseg"], TASKS["normals"]]
    small = new_maps(tasks, 10, 20, memory=10 * 20 * 16)
    large = new_maps(tasks, 10, 20, memory=10 * 20 * 16 - 1)
    for maps in (small, large):
        assert maps["semseg"].shape == (10, 20)
        assert maps["semseg"].dtype == np.int32
        assert maps["normals"].shape == (10, 20, 3)
        assert maps["normals"].dtype == np.float32
    assert not any(isinstance(array, np.memmap) for array in small.values())
    assert all(isinstance(array, np.memmap) for array in large.values())
    large["normals"][:] = 1
    assert (large["normals"] == 1).all()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(WriteError, match=r"no room for .*TMPDIR"):
        new_array((10, 10), np.float32, memory=0)
    (tmp_path / "depth.npy").write_text("of an earlier run")
    with (
        pytest.raises(WriteError, match="No space left"),
        new_files([TASKS["depth"]], 10, 20, folder=tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["depth.npy"]
    assert (tmp_path / "depth.npy").read_text() == "of an earlier run"


def test_files_take_their_names_once_all_are_filled(tmp_path):
    with pytest.raises(KeyboardInterrupt), new_files([TASKS["depth"]], 10, 20, folder=tmp_path / "new") as maps:
        raise KeyboardInterrupt
    assert not list((tmp_path / "new").iterdir())
    with new_files([TASKS["depth"]], 10, 20, folder=tmp_path / "new") as maps:
        assert not (tmp_path / "new/depth.npy").exists()
        maps["depth"][:] = 3
    np.testing.assert_array_equal(np.load(tmp_path / "new/depth.npy"), np.full((10, 20), 3, np.float32))
    np.testing.assert_array_equal(maps["depth"], 3)
