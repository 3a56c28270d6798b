"""Rendered scenes: the same everywhere, and labels that agree with each other and with geometry."""

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from pamm.data.render.rooms import build
from pamm.data.scenes import SCENES_TASKS, ScenesDataset, render_scene

HEIGHT, WIDTH = 64, 80
TASK = {task.name: task for task in SCENES_TASKS}
NAMES = TASK["semseg"].class_names
PERSON = NAMES.index("person")


@pytest.fixture(scope="module")
def samples():
    scenes = ScenesDataset(seed=5, length=60, height=HEIGHT, width=WIDTH)
    return [scenes[index] for index in range(len(scenes))]


def digest(sample):
    code = hashlib.sha256(sample.image.tobytes())
    for name in sorted(sample.labels):
        code.update(np.ascontiguousarray(sample.labels[name]).tobytes())
    return code.hexdigest()


def test_same_scene_in_any_order_set_and_length():
    first, second = ScenesDataset(height=48, width=60), ScenesDataset(length=7, height=48, width=60)
    forwards = [digest(first[index]) for index in range(4)]
    backwards = [digest(second[index]) for index in reversed(range(4))]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 4
    assert digest(first[-1]) == digest(first[999])
    assert digest(ScenesDataset(seed=1, height=48, width=60)[0]) != forwards[0]


def test_same_scene_in_another_process(samples):
    code = f"""
import hashlib
import numpy as np
from pamm.data.render.rooms import build
from pamm.data.scenes import render_scene
sample = render_scene(5, 3, height={HEIGHT}, width={WIDTH})
code = hashlib.sha256(sample.image.tobytes())
for name in sorted(sample.labels):
    code.update(np.ascontiguousarray(sample.labels[name]).tobytes())
print(code.hexdigest())
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == digest(samples[3])


def test_another_size_shows_the_same_room():
    small, large = (render_scene(0, 2, height=60 * scale, width=80 * scale) for scale in (1, 2))
    near = np.abs(cv2.resize(large.labels["depth"], (80, 60)) - small.labels["depth"]) < 0.1
    assert near.mean() > 0.9


@pytest.mark.parametrize(("height", "width"), [(33, 70), (1, 1), (90, 20), (20, 150), (2, 3)])
def test_any_size(height, width):
    sample = render_scene(2, 1, height=height, width=width)
    assert sample.image.shape == (height, width, 3)
    assert {label.shape[:2] for label in sample.labels.values()} == {(height, width)}


def test_shapes_types_and_ranges(samples):
    assert set(TASK) == set(samples[0].labels)
    for sample in samples:
        assert sample.image.dtype == np.uint8
        assert sample.image.shape == (HEIGHT, WIDTH, 3)
        assert sample.image.std() > 10
        for name, task in TASK.items():
            label = sample.labels[name]
            assert label.dtype == (np.float32 if task.kind in ("regression", "direction") else np.uint8), name
            assert label.shape == ((HEIGHT, WIDTH, 3) if name == "normals" else (HEIGHT, WIDTH)), name
            channels = label if label.ndim == 3 else label[..., None]
            assert task.valid(torch.from_numpy(np.moveaxis(channels, -1, 0).copy())).all(), name
            if task.classes:
                assert label.max() < task.classes, name
        assert 0.3 < sample.labels["depth"].min()
        assert sample.labels["depth"].max() < 12


def test_normals_are_unit_and_face_the_camera(samples):
    y, x = np.indices((HEIGHT, WIDTH))
    for index, sample in enumerate(samples):
        normal = sample.labels["normals"]
        np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=1e-4)
        focal = focal_length(index)
        ray = np.stack([(x + 0.5 - WIDTH / 2) / focal, (HEIGHT / 2 - y - 0.5) / focal, -np.ones_like(x)], axis=-1)
        assert ((normal * ray).sum(axis=-1) < 1e-3).all()


def points(sample, focal):
    y, x = np.indices((HEIGHT, WIDTH))
    depth = sample.labels["depth"].astype(np.float64)
    return np.stack(
        [depth * (x + 0.5 - WIDTH / 2) / focal, depth * (HEIGHT / 2 - y - 0.5) / focal, -depth],
        axis=-1,
    )


def planar(sample):
    """Pixels whose 3x3 surroundings share one instance, class and normal."""
    normal = sample.labels["normals"]
    same = np.ones((HEIGHT - 2, WIDTH - 2), bool)
    middle = normal[1:-1, 1:-1]
    for row in range(3):
        for column in range(3):
            window = np.s_[row : HEIGHT - 2 + row, column : WIDTH - 2 + column]
            same &= (normal[window] * middle).sum(axis=-1) > 0.99999
            same &= sample.labels["edge"][window] == 0
            same &= sample.labels["semseg"][window] == sample.labels["semseg"][1:-1, 1:-1]
    out = np.zeros((HEIGHT, WIDTH), bool)
    out[1:-1, 1:-1] = same
    return out


def numeric_normals(sample, focal):
    point = points(sample, focal)
    across, down = np.zeros_like(point), np.zeros_like(point)
    across[:, 1:-1] = point[:, 2:] - point[:, :-2]
    down[1:-1] = point[:-2] - point[2:]
    cross = np.cross(across, down)
    return cross / np.maximum(np.linalg.norm(cross, axis=-1, keepdims=True), 1e-12)


def focal_length(index):
    """The focal length [px] of scene ``index`` of the samples."""
    view = build(np.random.default_rng([5, index]), height=HEIGHT, width=WIDTH).view
    return 0.5 / (view.u[1] - view.u[0])


def test_depth_and_normals_agree(samples):
    for index, sample in enumerate(samples[:20]):
        flat = planar(sample)
        assert flat.mean() > 0.2
        cosine = (numeric_normals(sample, focal_length(index))[flat] * sample.labels["normals"][flat]).sum(axis=-1)
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        assert np.median(angle) < 0.5
        room = np.isin(sample.labels["semseg"][flat], [NAMES.index(name) for name in ("wall", "ceiling")])
        assert (angle[room] > 1).sum() <= 0.01 * room.sum()


def test_floor_is_level_and_ceiling_looks_down(samples):
    floor, ceiling = [], []
    for sample in samples:
        up = sample.labels["normals"][..., 1]
        floor += up[sample.labels["semseg"] == NAMES.index("floor")].tolist()
        ceiling += up[sample.labels["semseg"] == NAMES.index("ceiling")].tolist()
    assert np.quantile(floor, 0.05) > 0.9
    assert np.max(ceiling) < -0.9


def test_boundaries_are_thin_and_where_labels_or_depth_change(samples):
    for sample in samples:
        edge = sample.labels["edge"].astype(bool)
        assert 0.01 < edge.mean() < 0.25
        blocks = edge[:-1, :-1] & edge[1:, :-1] & edge[:-1, 1:] & edge[1:, 1:]
        assert blocks.sum() <= 0.01 * edge.sum()
        near = cv2.dilate(sample.labels["edge"], np.ones((3, 3), np.uint8)) > 0
        kind, depth = sample.labels["semseg"], sample.labels["depth"]
        for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
            beside = near[first] | near[second]
            assert beside[kind[first] != kind[second]].mean() > 0.98
            jump = np.abs(depth[first] - depth[second])
            large = (jump > 0.5) & (jump > 0.25 * depth[first])
            assert (large & ~beside).sum() <= 0.05 * large.sum()


def test_smooth_planes_have_no_boundary(samples):
    for sample in samples[:20]:
        kind = np.pad(sample.labels["semseg"], 1, mode="edge")
        around = np.stack([kind[1:-1, 2:], kind[1:-1, :-2], kind[2:, 1:-1], kind[:-2, 1:-1]])
        inside = (around == kind[1:-1, 1:-1]).all(axis=0) & (sample.labels["semseg"] == NAMES.index("ceiling"))
        assert not sample.labels["edge"][inside].any()


def test_exactly_one_salient_thing(samples):
    person = 0
    for sample in samples:
        salient = sample.labels["saliency"].astype(bool)
        assert 0.01 < salient.mean() < 0.5
        parts = sample.labels["human_parts"] > 0
        if parts.any():
            person += 1
            assert parts[salient].all()
            assert parts[salient].sum() >= parts[~salient].sum()
        else:
            assert len(np.unique(sample.labels["semseg"][salient])) == 1
        _, _, sizes, _ = cv2.connectedComponentsWithStats(salient.astype(np.uint8), connectivity=8)
        assert sizes[1:, cv2.CC_STAT_AREA].max() > 0.8 * salient.sum()
    assert 0.5 < person / len(samples) < 0.8


def test_parts_only_on_people(samples):
    for sample in samples:
        np.testing.assert_array_equal(sample.labels["human_parts"] > 0, sample.labels["semseg"] == PERSON)


def test_every_class_and_part_occurs(samples):
    kinds, parts = np.zeros(len(NAMES)), np.zeros(7)
    for sample in samples:
        kinds[np.unique(sample.labels["semseg"])] += 1
        parts[np.unique(sample.labels["human_parts"])] += 1
    assert (kinds >= 4).all(), dict(zip(NAMES, kinds, strict=True))
    assert (parts >= 20).all()


def test_depth_varies_enough_to_be_worth_learning(samples):
    depth = np.stack([sample.labels["depth"] for sample in samples])
    assert depth.std() > 0.9
    assert depth.mean(axis=(1, 2)).std() > 0.3


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"length": 0}, {"height": 0}, {"width": -3}])
def test_senseless_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        ScenesDataset(**wrong)


def test_index_out_of_range_and_iteration_ends():
    scenes = ScenesDataset(length=2, height=8, width=8)
    with pytest.raises(IndexError):
        scenes[2]
    assert len(list(scenes)) == 2
    with pytest.raises(ValueError, match="index -1"):
        render_scene(0, -1, height=8, width=8)
