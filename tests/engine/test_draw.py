"""Pictures with titles and legends."""

import numpy as np
import pytest
import torch
from PIL import Image

from pamm.engine.colours import decoded
from pamm.engine.draw import contact_sheet, map_picture, overview
from pamm.tasks import TASKS

ALL = tuple(TASKS.values())


def example_maps(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {task.name: decoded(task, torch.randn(task.channels, height, width, generator=generator)) for task in ALL}


def share(picture: Image.Image, colour) -> float:
    return float((np.asarray(picture) == colour).all(axis=2).mean())


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (4, 3000), (3000, 4), (600, 800)])
def test_overview_of_any_shape_stays_a_picture_one_can_open(size):
    photo = np.full((*size, 3), (250, 0, 250), dtype=np.uint8)
    picture = overview(photo, example_maps(*size), ALL)
    assert max(picture.size) < 4000
    assert min(picture.size) > 200
    assert share(picture, (250, 0, 250)) > 0


def test_overview_shows_truth_in_addition():
    photo, maps = np.zeros((48, 64, 3), np.uint8), {"saliency": example_maps(48, 64)["saliency"]}
    truth = {"saliency": np.full((48, 64), 255, np.uint8)}
    alone, both = overview(photo, maps, ALL), overview(photo, maps, ALL, truth=truth)
    assert share(alone, (128, 128, 128)) < 0.001
    assert share(both, (128, 128, 128)) > 0.1


def test_overview_leaves_out_tasks_without_a_map():
    photo, maps = np.zeros((48, 64, 3), np.uint8), example_maps(48, 64)
    fewer = overview(photo, {"depth": maps["depth"]}, ALL)
    assert fewer.size[0] * fewer.size[1] < 0.6 * np.prod(overview(photo, maps, ALL).size)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_map_picture_enlarges_small_maps_and_bounds_large_ones(task):
    assert map_picture(task, example_maps(8, 8)[task.name]).width >= 320
    assert map_picture(task, example_maps(50, 3000)[task.name], longest=1000).width <= 1100


def test_contact_sheet_has_a_row_each_and_bears_missing_maps():
    maps = example_maps(32, 40)
    row = (np.zeros((32, 40, 3), np.uint8), {"depth": maps["depth"]}, maps)
    one, three = contact_sheet([row], ALL), contact_sheet([row] * 3, ALL)
    assert one.width == three.width
    assert three.height > one.height + 2 * 128


def test_contact_sheet_without_predictions_shows_the_truth_alone():
    maps = example_maps(32, 40)
    photo = np.zeros((32, 40, 3), np.uint8)
    alone, both = contact_sheet([(photo, maps, {})], ALL), contact_sheet([(photo, maps, maps)], ALL)
    assert alone.width < 0.65 * both.width
    mixed = contact_sheet([(photo, maps, {}), (photo, maps, maps)], ALL)
    assert mixed.width == both.width
