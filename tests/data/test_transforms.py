"""Image and labels stay in register under every transform, and values follow the geometry."""

import dataclasses

import numpy as np
import pytest

from pamm.data.photometric import PhotometricDistortion
from pamm.data.sample import Sample
from pamm.data.transforms import CentrePad, RandomView, TestTransform, TrainTransform
from pamm.tasks import TASKS, Task, get_tasks
from toys import ALBEDO

PLACE = Task(name="place", channels=2, kind="regression", loss="l1", score="rmse", ignore=-1)
FLOW = Task(name="flow", channels=2, kind="direction", loss="l1", score="angle", ignore=0)
ALL = (*get_tasks(["semseg", "depth", "normals", "edge", "saliency", "human_parts"]), ALBEDO, FLOW)


def rng(seed=0):
    return np.random.default_rng(seed)


def painted(height=40, width=60):
    """Red is the column, green the row; so is the label of a task with two values."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([columns, rows, np.full_like(rows, 77)], axis=-1).astype(np.uint8)
    place = np.stack([columns, rows], axis=-1).astype(np.float32)
    return Sample(image, {"place": place}, "painted")


def full(height=40, width=60, seed=0):
    draw = rng(seed)
    labels = {
        "semseg": draw.integers(0, 40, (height, width)).astype(np.uint8),
        "depth": draw.uniform(1, 5, (height, width)).astype(np.float32),
        "normals": np.tile(np.float32([0.6, 0.0, 0.8]), (height, width, 1)),
        "edge": draw.integers(0, 2, (height, width)).astype(np.uint8),
        "saliency": draw.integers(0, 2, (height, width)).astype(np.uint8),
        "human_parts": draw.integers(0, 7, (height, width)).astype(np.uint8),
        "albedo": draw.uniform(0, 1, (height, width, 3)).astype(np.float32),
        "flow": np.tile(np.float32([-1.0, 0.0]), (height, width, 1)),
    }
    labels["depth"][0, 0] = 0
    labels["normals"][0, 0] = 0
    return Sample(draw.integers(0, 256, (height, width, 3)).astype(np.uint8), labels, "full")


def scaled(factor, **settings):
    """Only scales, unless told otherwise."""
    return RandomView(ALL, (200, 200), (factor, factor), **{"flip": 0.0, "task": None, **settings})


def mirror():
    """Only mirrors."""
    return scaled(1.0, flip=1.0)


def crop(canvas, task=None):
    """Only crops."""
    return RandomView((*ALL, PLACE), canvas, (1.0, 1.0), 0.0, task)


def inside(sample):
    top, bottom, left, right = sample.padding
    height, width = sample.image.shape[:2]
    return slice(top, height - bottom), slice(left, width - right)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("canvas", [(32, 48), (96, 64), (130, 130)])
def test_image_and_labels_stay_in_register(seed, canvas):
    transform = TrainTransform(canvas, (PLACE,), distort=False)
    out = transform(painted(), rng(seed))
    assert out.image.shape == (*canvas, 3)
    assert out.labels["place"].shape == (*canvas, 2)
    area = inside(out)
    image, place = out.image[area].astype(float), out.labels["place"][area]
    # nearest takes one of the pixels that bilinear mixes: less than one source pixel apart, not biased to one side
    difference = image[..., :2] - place
    assert np.abs(difference).max() <= 1
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3
    outside = np.ones(canvas, bool)
    outside[area] = False
    assert (out.labels["place"][outside] == -1).all()


@pytest.mark.parametrize("factor", [0.5, 0.77, 1.0, 1.6, 2.0])
def test_scale_resizes_everything_and_divides_distances(factor):
    sample = full()
    out = scaled(factor)(sample, rng())
    size = (round(40 * factor), round(60 * factor))
    assert out.image.shape[:2] == size
    assert {label.shape[:2] for label in out.labels.values()} == {size}
    assert {name: label.dtype for name, label in out.labels.items()} == {
        name: label.dtype for name, label in sample.labels.items()
    }
    before, after = sample.labels["depth"], out.labels["depth"]
    assert np.isin((after * np.float32(factor)).round(4), before.round(4)).mean() > 0.999
    if factor > 1:
        assert after[0, 0] == 0
    for name in ("semseg", "albedo", "normals"):
        assert np.isin(out.labels[name], sample.labels[name]).all(), "labels must not be mixed"


def test_flip_mirrors_everything_and_negates_x_of_directions_only():
    sample = full()
    out = mirror()(sample, rng())
    assert (out.image == sample.image[:, ::-1]).all()
    for name in ("semseg", "depth", "edge", "albedo"):
        assert (out.labels[name] == sample.labels[name][:, ::-1]).all()
    assert out.labels["normals"][5, 5] == pytest.approx([-0.6, 0, 0.8])
    assert (out.labels["normals"][0, -1] == 0).all()
    assert out.labels["flow"][5, 5] == pytest.approx([1, 0])
    again = mirror()(out, rng())
    assert all((again.labels[name] == sample.labels[name]).all() for name in sample.labels)


def test_flip_happens_half_the_time():
    sample = painted(2, 2)
    flips = sum(scaled(1.0, flip=0.5)(sample, rng(seed)).image[0, 0, 0] == 1 for seed in range(400))
    assert 160 < flips < 240


def lopsided():
    """Left nine tenths one class, and a varied strip at the right."""
    semseg = np.zeros((20, 200), np.uint8)
    semseg[:, 180:] = np.arange(20) % 4
    columns = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None], (20, 200, 3))
    return Sample(columns.copy(), {"semseg": semseg}, "lopsided")


def varied(sample):
    return len(np.unique(sample.labels["semseg"])) > 1


def test_crop_prefers_windows_that_no_class_fills():
    guided = sum(varied(crop((20, 20), "semseg")(lopsided(), rng(seed))) for seed in range(200))
    blind = sum(varied(crop((20, 20))(lopsided(), rng(seed))) for seed in range(200))
    assert guided > 2 * blind


def test_crop_is_guided_by_classes_that_are_not_learnt():
    def strip(seed):
        left = RandomView((PLACE,), (20, 20), (1.0, 1.0), 0.0)(dataclasses.replace(lopsided()), rng(seed))
        assert left.labels == {}
        return left.image[0, 0, 0]

    assert sum(strip(seed) > 160 for seed in range(200)) > 60


def test_crop_guided_by_a_label_that_is_missing_takes_any_window():
    out = crop((8, 8), "semseg")(painted(), rng())
    assert out.image.shape == (8, 8, 3)


def test_crop_gives_up_after_its_tries():
    semseg = np.zeros((20, 20), np.uint8)
    out = crop((8, 8), "semseg")(Sample(np.zeros((20, 20, 3), np.uint8), {"semseg": semseg}), rng())
    assert out.image.shape == (8, 8, 3)


def test_crop_reaches_every_window():
    corners = {tuple(crop((2, 3))(painted(3, 5), rng(s)).labels["place"][0, 0]) for s in range(200)}
    assert corners == {(x, y) for x in range(3) for y in range(2)}


def test_photometric_changes_colours_only_and_not_the_source():
    sample = full()
    kept = sample.image.copy()
    outs = [PhotometricDistortion()(sample, rng(seed)) for seed in range(40)]
    assert (sample.image == kept).all()
    assert all(out.labels is sample.labels for out in outs)
    unchanged = sum((out.image == kept).all() for out in outs)
    assert 0 < unchanged < 12
    assert all(out.image.dtype == np.uint8 for out in outs)


def test_photometric_amounts_are_bounded():
    grey = Sample(np.full((4, 4, 3), 100, np.uint8))
    values = [int(PhotometricDistortion()(grey, rng(seed)).image[0, 0, 0]) for seed in range(300)]
    assert 30 <= min(values) < 60
    assert 150 < max(values) <= 198


def test_hue_turns_and_wraps():
    red = Sample(np.tile(np.uint8([200, 20, 20]), (2, 2, 1)))
    step = PhotometricDistortion(brightness=0, contrast=(1, 1), saturation=(1, 1), probability=1)
    hues = np.array([step(red, rng(seed)).image[0, 0] for seed in range(50)], int)
    assert (hues[:, 0] >= 198).all(), "red stays the strongest within 36 degrees"
    assert hues[:, 1].max() > 60
    assert hues[:, 2].max() > 60


def test_pad_centres_and_fills_with_each_tasks_ignore():
    out = CentrePad(ALL, (48, 75))(full())
    assert out.padding == (4, 4, 7, 8)
    corner = {name: np.unique(label[0, 0]).tolist() for name, label in out.labels.items()}
    assert corner == {
        "semseg": [255],
        "edge": [255],
        "saliency": [255],
        "human_parts": [255],
        "depth": [0],
        "normals": [0],
        "albedo": [-1],
        "flow": [0],
    }
    assert (out.image[4:-4, 7:-8] == full().image).all()


def test_nyud_is_padded_as_its_loader_pads():
    out = TestTransform((448, 576), ALL)(Sample(np.ones((425, 560, 3), np.uint8)))
    assert out.padding == (11, 12, 8, 8)


def test_an_image_larger_than_the_test_canvas_is_refused():
    with pytest.raises(ValueError, match=r"painted: the image is 40×60, the canvas 32×64: give a canvas"):
        TestTransform((32, 64), (PLACE,))(painted())


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 1)])
def test_an_impossible_scale_range_is_refused(low, high):
    with pytest.raises(ValueError, match="two positive factors"):
        RandomView(ALL, (32, 32), (low, high))


def test_same_generator_same_result_and_scaling_can_be_off():
    transform = TrainTransform((32, 32), ALL, scale=(1, 1))
    first, second = transform(full(), rng(3)), transform(full(), rng(3))
    assert (first.image == second.image).all()
    assert all((first.labels[name] == second.labels[name]).all() for name in first.labels)
    assert np.isin(first.labels["depth"], full().labels["depth"]).all()


def test_labels_of_other_tasks_are_left_out():
    out = TrainTransform((32, 32), (TASKS["depth"],))(full(), rng(1))
    assert set(out.labels) == {"depth"}
    partial = dataclasses.replace(full(), labels={"depth": full().labels["depth"]})
    assert set(TrainTransform((32, 32), ALL)(partial, rng(1)).labels) == {"depth"}
