"""Photos larger than a tile."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as photos

from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import Predictor, load
from pamm.engine.tiles.grid import Grid, Tiling
from pamm.engine.tiles.guide import Guide
from pamm.engine.tiles.predictor import TiledPredictor
from pamm.engine.tiles.run import predict_tiles
from pamm.engine.tiles.storage import new_maps
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import ALBEDO, MICRO


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", **MICRO))


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def assert_same(maps, others):
    assert list(maps) == list(others)
    for name, array in maps.items():
        np.testing.assert_array_equal(array, others[name])
        assert array.dtype == others[name].dtype


@pytest.mark.parametrize("resize", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (17, 48), (32, 48)])
def test_a_photo_no_larger_than_a_tile_is_predicted_as_without_tiles(predictor, size, resize):
    plain = Predictor(predictor.model, resize=resize)
    tiled = TiledPredictor(plain)(photo(*size))
    assert_same(tiled.maps, plain(photo(*size)).maps)


@pytest.mark.parametrize("size", [(1, 1), (17, 50), (64, 64)])
def test_one_tile_that_shows_everything_equals_the_photo_at_its_own_size_bit_for_bit(predictor, size):
    plain = Predictor(predictor.model, resize=False)
    tiling = Tiling(side=64, guided=False)
    maps = new_maps(predictor.tasks, *size, memory=tiling.memory)
    predict_tiles(
        photo(*size),
        maps,
        grid=Grid.over(*size, tiling, trained=(32, 48), patch=8),
        tasks=predictor.tasks,
        network=TiledPredictor(plain, tiling)._raw,
        guide=None,
        batch_size=1,
    )
    assert_same(maps, plain(photo(*size)).maps)


@pytest.mark.parametrize("size", [(33, 48), (1, 200), (200, 1), (97, 101), (5, 149)])
@pytest.mark.parametrize("guided", [True, False])
def test_awkward_sizes(predictor, size, guided):
    prediction = TiledPredictor(predictor, Tiling(guided=guided))(photo(*size))
    assert list(prediction.maps) == list(TASKS)
    np.testing.assert_array_equal(prediction.image, photo(*size))
    for array in prediction.maps.values():
        assert array.shape[:2] == size
        assert np.isfinite(array).all()
    np.testing.assert_allclose(np.linalg.norm(prediction.normals, axis=2), 1, atol=1e-5)


@pytest.mark.parametrize("guided", [True, False])
def test_a_network_that_looks_at_single_pixels_gives_the_same_with_tiles_and_without(guided):
    """Any difference would be the tiles' own: places mixed up, weights that do not sum to one, a guide that bends."""
    image = photo(97, 101)

    def network(tiles):
        return [torch.from_numpy(tile).permute(2, 0, 1) / 255 for tile in tiles]

    tiling = Tiling(side=32)
    maps = new_maps([ALBEDO], 97, 101, memory=tiling.memory)
    guide = Guide(network([image])[0], 97, 101, cell=4)
    predict_tiles(
        image,
        maps,
        grid=Grid.over(97, 101, tiling, trained=(8, 8), patch=8),
        tasks=[ALBEDO],
        network=network,
        guide=guide if guided else None,
        batch_size=3,
    )
    np.testing.assert_allclose(maps["albedo"], image.astype(np.float32) / 255, atol=1e-5)


def worst_seam(array, grid):
    """Largest mean step over a line where tiles begin or end, over the largest over any other line."""
    worst = 0.0
    for axis, along in ((0, grid.down), (1, grid.across)):
        steps = np.abs(np.diff(array, axis=axis)).mean(axis=1 - axis)
        lines = [start - 1 for start in along.starts[1:]] + [start + along.length - 1 for start in along.starts[:-1]]
        worst = max(worst, steps[lines].max() / np.delete(steps, lines).max())
    return worst


@pytest.mark.parametrize("guided", [True, False])
def test_no_seam_is_left(guided):
    image = np.ascontiguousarray(photos.chelsea()[:256, :448])
    plain = load("pamm-tiny-scenes", tasks=["depth"])
    seams = {}
    for overlap in (0, 16):
        tiled = TiledPredictor(plain, Tiling(side=64, overlap=overlap, guided=guided))
        seams[overlap] = worst_seam(tiled(image).depth, tiled._grid(*image.shape[:2]))
    assert seams[0] > 1.5, "photo and tiles would have seams"
    assert seams[16] < 1


def test_files_hold_the_very_values(predictor, tmp_path):
    tiled = TiledPredictor(predictor)
    steps = []
    for size, name in (((97, 101), "large"), ((20, 30), "small")):
        written = tiled.predict_to_files(photo(*size), tmp_path / name, progress=lambda *counts: steps.append(counts))
        assert_same(written.maps, tiled(photo(*size)).maps)
        for task, array in written.maps.items():
            np.testing.assert_array_equal(np.load(tmp_path / name / f"{task}.npy"), array)
    assert steps[-1][0] == steps[-1][1] == len(tiled._grid(97, 101))
    assert written.overview().size[0] > 100


def test_maps_in_temporary_files_are_saved_like_others(predictor, tmp_path):
    prediction = TiledPredictor(predictor, Tiling(memory=0))(photo(97, 101))
    assert isinstance(prediction.depth, np.memmap)
    prediction.save(tmp_path)
    with np.load(tmp_path / "values.npz") as values:
        assert_same(prediction.maps, {name: values[name] for name in prediction.maps})


def test_only_the_maps_that_are_wanted(predictor):
    some = Predictor(predictor.model, tasks=["normals", "edge"])
    prediction, whole = (TiledPredictor(each)(photo(97, 101)) for each in (some, predictor))
    assert list(prediction.maps) == ["normals", "edge"]
    for name, array in prediction.maps.items():
        np.testing.assert_allclose(array, whole.maps[name], atol=1e-5)


def test_photos_of_all_sizes_in_one_batch(predictor):
    tiled = TiledPredictor(predictor)
    sizes = [(97, 101), (20, 30), (97, 101), (32, 48)]
    for size, prediction in zip(sizes, tiled.predict_batch([photo(*size) for size in sizes]), strict=True):
        assert prediction.depth.shape == size
        np.testing.assert_allclose(prediction.depth, tiled(photo(*size)).depth, atol=1e-4)


def test_it_is_made_of_a_predictor(predictor):
    with pytest.raises(ValueError, match=r"got a PAMM, wanted a predictor"):
        TiledPredictor(predictor.model)
    with pytest.raises(ValueError, match=r"cannot overlap by 100000"):
        TiledPredictor(predictor, Tiling(overlap=100_000))


def test_settings_tell_tilings_apart(predictor):
    settings = [
        TiledPredictor(predictor, tiling).settings() for tiling in (Tiling(), Tiling(memory=1), Tiling(guided=False))
    ]
    assert settings[0] == settings[1] != settings[2]
    assert settings[0] != predictor.settings()


MEASURE = r"""
import re, sys, threading
import numpy as np
import torch
from pamm.engine.predictor import Predictor
from pamm.engine.tiles.grid import Tiling
from pamm.engine.tiles.predictor import TiledPredictor
from pamm.models import create_model
from toys import MICRO

torch.set_num_threads(1)
torch.manual_seed(0)
predictor = TiledPredictor(
    Predictor(create_model("pamm_tiny", tasks=["semseg"], **MICRO)), Tiling(side=128, overlap=16, memory=0)
)
peak, done = 0, threading.Event()

def held():
    return int(re.search(r"RssAnon:\s+(\d+)", open("/proc/self/status").read())[1]) * 1024

def watch():
    global peak
    while not done.wait(0.01):
        peak = max(peak, held())

# the first one finds out what is there once and for all
for name in sys.argv[1:2] + sys.argv[1:]:
    peak, before = 0, held()
    done.clear()
    watcher = threading.Thread(target=watch)
    watcher.start()
    prediction = predictor(name)
    done.set()
    watcher.join()
    assert prediction.semseg.shape == np.load(name, mmap_mode="r").shape[:2]
    del prediction
    print(peak - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured by what Linux says")
def test_memory_grows_with_the_width_and_not_with_the_area(tmp_path, root):
    names = []
    for height in (256, 2048):
        names.append(str(tmp_path / f"{height}.npy"))
        np.save(names[-1], np.zeros((height, 256, 3), np.uint8))
    path = os.pathsep.join([str(root / "src"), str(root / "tests")])
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, *names],
        capture_output=True,
        text=True,
        check=True,
        # freed tensors go back to the system at once
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONPATH": path},
    )
    _, short, long = (int(line) for line in result.stdout.split())
    raw = 2048 * 256 * 40 * 4
    assert long - short < raw / 4


def test_many_photos_come_out_as_each_alone(predictor, tmp_path):
    """Maps are finished by threads that write, which have fewer threads for the network than this one."""
    tiled = TiledPredictor(predictor, Tiling(guided=False))
    np.save(tmp_path / "array.npy", photo(97, 101))
    for number, size in enumerate([(97, 101), (20, 30), (64, 96)]):
        Image.fromarray(photo(*size)).save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.glob("*.*"))
    result = predict_files(tiled, paths, tmp_path / "out", write=["values"], workers=2, batch_size=1)
    assert not result.failed
    for path, folder in zip(paths, result.done, strict=True):
        with np.load(folder / "values.npz") as values:
            assert_same(tiled(path).maps, {name: values[name] for name in TASKS})
