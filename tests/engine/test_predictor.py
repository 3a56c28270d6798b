"""Photos in, maps out."""

import copy
import errno
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from pamm.engine.colours import decoded
from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import Predictor
from pamm.engine.sizes import enlarged, network_size
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import ALBEDO, MICRO

CLASSES = ("semseg", "human_parts")
YES_NO = ("edge", "saliency")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", **MICRO))


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (32, 48), (8, 20_000), (20_000, 1), (300, 400)])
def test_maps_have_the_size_of_the_photo_and_their_own_ranges(predictor, size):
    prediction = predictor(photo(*size))
    assert prediction.image.shape == (*size, 3)
    assert list(prediction.maps) == list(TASKS)
    for name in CLASSES:
        array = getattr(prediction, name)
        assert array.shape == size
        assert np.issubdtype(array.dtype, np.integer)
        assert array.min() >= 0
        assert array.max() < TASKS[name].channels
    for name in YES_NO:
        array = getattr(prediction, name)
        assert array.shape == size
        assert array.dtype == np.float32
        assert array.min() >= 0
        assert array.max() <= 1
    assert prediction.depth.shape == size
    assert prediction.depth.dtype == np.float32
    assert prediction.normals.shape == (*size, 3)
    np.testing.assert_allclose(np.linalg.norm(prediction.normals, axis=2), 1, atol=1e-5)


def test_path_picture_array_and_tensor_give_the_same(predictor, tmp_path):
    array = photo(20, 30)
    Image.fromarray(array).save(tmp_path / "photo.png")
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    first, *others = (
        predictor(image)
        for image in (
            array,
            tmp_path / "photo.png",
            str(tmp_path / "photo.png"),
            Image.open(tmp_path / "photo.png"),
            tensor,
        )
    )
    for other in others:
        for name, expected in first.maps.items():
            np.testing.assert_array_equal(other.maps[name], expected)


def test_photos_of_the_trained_size_go_in_as_they_are(predictor):
    array = photo(32, 48)
    config = predictor.model.config
    mean, std = (torch.tensor(values)[:, None, None] for values in (config.mean, config.std))
    tensor = (torch.from_numpy(array).permute(2, 0, 1) / 255 - mean) / std
    with torch.inference_mode():
        outputs = predictor.model.eval()(tensor[None])
    for task in predictor.tasks:
        expected = decoded(task, outputs[task.name][0])
        np.testing.assert_allclose(predictor(array).maps[task.name], expected, atol=1e-4)


def test_batch_and_single_agree(predictor):
    photos = [
        photo(*size, seed) for seed, size in enumerate([(32, 48), (70, 33), (30, 40), (64, 96), (32, 48), (9, 9)])
    ]
    together = predictor.predict_batch(photos, batch_size=3)
    for image, prediction in zip(photos, together, strict=True):
        np.testing.assert_array_equal(prediction.image, image)
        single = predictor(image)
        for name, array in prediction.maps.items():
            if name in CLASSES:
                assert (array == single.maps[name]).mean() > 0.99
            else:
                np.testing.assert_allclose(array, single.maps[name], atol=1e-4)


def test_predictions_do_not_depend_on_the_mode_of_the_network(predictor):
    before = predictor(photo(32, 48)).depth
    predictor.model.train()
    np.testing.assert_array_equal(predictor(photo(32, 48)).depth, before)


def test_native_size_is_not_resized():
    assert network_size(100, 50, trained=(32, 48), patch=8, resize=False) == ((100, 50), (104, 56))


@pytest.mark.parametrize("size", [(1, 1), (17, 900), (900, 17), (3000, 4000), (20_000, 8), (1, 1_000_000)])
def test_resized_photos_have_about_as_many_pixels_as_in_training(size):
    (height, width), canvas = network_size(*size, trained=(128, 160), patch=16, resize=True)
    assert canvas[0] % 16 == canvas[1] % 16 == 0
    assert height * width <= 1.05 * 128 * 160
    assert canvas[0] * canvas[1] <= 3 * 128 * 160
    assert 0 <= canvas[0] - height < 16
    assert 0 <= canvas[1] - width < 16
    if max(size) / min(size) < 60:
        assert height * width >= 0.95 * 128 * 160
        assert height / width == pytest.approx(size[0] / size[1], rel=0.05)


def test_photos_near_the_trained_size_are_padded_as_in_evaluation():
    assert network_size(425, 560, trained=(448, 576), patch=16, resize=True) == ((425, 560), (448, 576))


@pytest.mark.parametrize("name", ["semseg", "depth", "normals", "saliency"])
@pytest.mark.parametrize("size", [(50, 70), (51, 300), (7, 11), (31, 9)])
def test_enlarging_in_strips_equals_enlarging_at_once(name, size, monkeypatch):
    task = TASKS[name]
    output = torch.randn(task.channels, 7, 9)
    at_once = decoded(task, F.interpolate(output[None], size, mode="bilinear")[0])
    monkeypatch.setattr("pamm.engine.sizes._STRIP", 3 * size[1] * task.channels)
    np.testing.assert_allclose(enlarged(task, output, *size), at_once, atol=1e-5)


def test_a_seventh_task_is_predicted_drawn_and_saved(tmp_path):
    prediction = Predictor(create_model("pamm_tiny", tasks=["depth", ALBEDO], **MICRO))(photo(20, 30))
    assert prediction.albedo.shape == (20, 30, 3)
    prediction.save(tmp_path)
    assert (tmp_path / "albedo.png").exists()


def test_unknown_maps_are_named(predictor):
    prediction = predictor(photo(8, 8))
    with pytest.raises(AttributeError, match="no 'albedo'; maps: semseg, depth"):
        _ = prediction.albedo
    assert "depth" in dir(prediction)
    assert "8×8" in repr(prediction)


def test_predictions_can_be_copied_and_pickled(predictor):
    prediction = predictor(photo(8, 8))
    for other in (copy.deepcopy(prediction), pickle.loads(pickle.dumps(prediction))):
        np.testing.assert_array_equal(other.depth, prediction.depth)


def test_saved_files_are_pictures_and_the_very_values(predictor, tmp_path):
    prediction = predictor(photo(20, 30))
    written = prediction.save(tmp_path / "new" / "folder")
    assert {path.name for path in written} == {"values.npz", "overview.png", *(f"{name}.png" for name in TASKS)}
    assert set(written) == set((tmp_path / "new" / "folder").iterdir())
    with np.load(tmp_path / "new/folder/values.npz") as values:
        for name, array in prediction.maps.items():
            np.testing.assert_array_equal(values[name], array)
            assert values[name].dtype == array.dtype
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                assert min(picture.size) >= 200


def test_a_full_disk_leaves_earlier_files_as_they_were(predictor, tmp_path, monkeypatch):
    predictor(photo(20, 30)).save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls = []

    def full(draw, file):
        calls.append(file)
        file.write(b"half")
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pamm.engine.prediction._write_picture", full)
    with pytest.raises((ValueError, OSError), match="No space left"):
        predictor(photo(20, 30, seed=1)).save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_bad_file_among_many(predictor, tmp_path):
    for name in ("a.png", "c.jpg"):
        Image.fromarray(photo(20, 30)).save(tmp_path / name)
    (tmp_path / "b.png").write_text("not an image")
    (tmp_path / "empty.png").touch()
    paths = [tmp_path / name for name in ("a.png", "b.png", "empty.png", "missing.png", "c.jpg")]
    steps = []
    result = predict_files(predictor, paths, tmp_path / "out", progress=lambda *counts: steps.append(counts))
    assert result.done == [tmp_path / "out/a", tmp_path / "out/c"]
    assert list(result.failed) == paths[1:4]
    for path, message in result.failed.items():
        assert path.name in message
        assert "\n" not in message
    assert steps == [(count, 5) for count in range(1, 6)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "c"]


def pictures(folder, count):
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(photo(10, 12)).save(path)
    return paths


def test_a_photo_that_cannot_be_written_does_not_stop_the_others(predictor, tmp_path):
    paths = pictures(tmp_path, 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/1").write_text("a file where a folder should be")
    result = predict_files(predictor, paths, tmp_path / "out")
    assert result.done == [tmp_path / "out/0", tmp_path / "out/2"]
    assert list(result.failed) == [paths[1]]
    assert "cannot write" in result.failed[paths[1]]


@pytest.mark.parametrize("error", [RuntimeError("out of\nmemory"), MemoryError()])
def test_a_photo_that_cannot_be_predicted_does_not_stop_the_others(predictor, tmp_path, monkeypatch, error):
    paths = pictures(tmp_path, 3)
    calls = []

    def fail_once(self, *args):
        calls.append(args)
        if len(calls) == 2:
            raise error
        return original(self, *args)

    original = Predictor.finish
    monkeypatch.setattr(Predictor, "finish", fail_once)
    result = predict_files(predictor, paths, tmp_path / "out")
    assert [folder.name for folder in result.done] == ["0", "2"]
    assert result.failed == {paths[1]: f"{paths[1]}: {'out of memory' if error.args else 'MemoryError'}"}


def test_a_full_disk_ends_it_early_with_what_is_done(predictor, tmp_path, monkeypatch):
    paths = pictures(tmp_path, 4)

    def full(draw, file):
        if Path(file.name).parent.name != "0":
            raise OSError(errno.ENOSPC, "No space left on device")
        file.write(b"picture")

    monkeypatch.setattr("pamm.engine.prediction._write_picture", full)
    result = predict_files(predictor, paths, tmp_path / "out")
    assert result.done == [tmp_path / "out/0"]
    assert list(result.failed) == [paths[1]]
    assert "No space left" in result.failed[paths[1]]


def test_a_folder_that_cannot_be_made_is_an_error(predictor, tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(ValueError, match=r"cannot write to .*out"):
        predict_files(predictor, pictures(tmp_path, 1), tmp_path / "out")


def test_photos_of_one_name_do_not_overwrite_each_other(predictor, tmp_path):
    paths = [tmp_path / name for name in ("x/cat.png", "y/cat.jpg", "cat-2.png", "Cat.png")]
    for seed, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photo(10, 10 + seed)).save(path)
    result = predict_files(predictor, paths, tmp_path / "out")
    assert [folder.name for folder in result.done] == ["cat", "cat-2", "cat-2-2", "Cat-3"]
    for seed, folder in enumerate(result.done):
        with np.load(folder / "values.npz") as values:
            assert values["depth"].shape == (10, 10 + seed)


def test_no_photo_is_an_error(predictor, tmp_path):
    with pytest.raises(ValueError, match="no photo"):
        predict_files(predictor, [], tmp_path)
    with pytest.raises(ValueError, match="batch_size is 0"):
        predictor.predict_batch([photo(4, 4)], batch_size=0)
