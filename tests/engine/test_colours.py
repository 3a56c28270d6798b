"""Colours of maps and their legends."""

import dataclasses

import numpy as np
import pytest
import torch

from pamm.engine.colours import NEUTRAL, colour_map, decoded, legend, thumbnail, value_span
from pamm.tasks import PART_COLOURS, TASKS, Task
from toys import ALBEDO

FLOW = Task(name="flow", channels=2, kind="direction", loss="unit_l1", score="angle", ignore=0.0)


def example_map(task: Task, height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    return decoded(task, torch.randn(task.channels, height, width, generator=generator))


@pytest.mark.parametrize("task", [*TASKS.values(), ALBEDO, FLOW], ids=lambda task: task.name)
@pytest.mark.parametrize("size", [(1, 1), (5, 3)])
def test_every_kind_of_map_has_colours(task, size):
    coloured = colour_map(task, example_map(task, *size))
    assert coloured.shape == (*size, 3)
    assert coloured.dtype == np.uint8


@pytest.mark.parametrize(
    ("task", "swatches", "bar"),
    [
        (TASKS["semseg"], 11, 0),
        (TASKS["human_parts"], 7, 0),
        (TASKS["depth"], 0, 3),
        (TASKS["edge"], 0, 2),
        (TASKS["saliency"], 0, 2),
        (TASKS["normals"], 5, 0),
        # colours of a free meaning need no words
        (ALBEDO, 0, 0),
        (FLOW, 0, 0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_every_kind_of_map_has_its_legend(task, swatches, bar):
    array = example_map(task, 20, 30)
    note = legend(task, array)
    assert len(note.swatches) == swatches
    assert len(note.ticks) == bar
    assert bool(note.bar) == bool(bar)
    assert all(text for _, text in note.swatches)
    shown = {tuple(map(int, colour)) for colour in colour_map(task, array).reshape(-1, 3)}
    if task.kind == "classes":
        assert {colour for colour, text in note.swatches if not text.endswith("more")} <= shown


def test_decoded_maps_have_the_promised_types():
    assert example_map(TASKS["semseg"], 4, 6).dtype == np.int32
    assert example_map(TASKS["saliency"], 4, 6).dtype == np.float32
    normals = example_map(TASKS["normals"], 4, 6)
    assert normals.shape == (4, 6, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, rtol=1e-5)


def test_classes_get_their_colours_and_the_rest_is_neutral():
    coloured = colour_map(TASKS["human_parts"], np.array([[0, 1, 255, 7]], dtype=np.uint8))
    assert [tuple(map(int, colour)) for colour in coloured[0]] == [*PART_COLOURS[:2], NEUTRAL, NEUTRAL]


def test_pixels_without_a_value_are_neutral():
    depth = np.array([[0.0, 1.0, np.nan, 2.0]], dtype=np.float32)
    coloured = colour_map(TASKS["depth"], depth)
    grey = (coloured == NEUTRAL).all(axis=2)
    assert grey.tolist() == [[True, False, True, False]]
    normals = np.array([[[0, 0, 0], [0, 0, 1]]], dtype=np.float32)
    assert colour_map(TASKS["normals"], normals).tolist() == [[list(NEUTRAL), [128, 128, 255]]]
    saliency = np.array([[255, 1]], dtype=np.uint8)
    assert tuple(colour_map(TASKS["saliency"], saliency)[0, 0]) == NEUTRAL


def test_shared_span_gives_equal_values_equal_colours():
    near, far = np.array([[1.0, 2.0]], np.float32), np.array([[2.0, 9.0]], np.float32)
    span = value_span(TASKS["depth"], near, far)
    first, second = (colour_map(TASKS["depth"], array, span=span) for array in (near, far))
    assert (first[0, 1] == second[0, 0]).all()


def test_span_of_nothing_and_of_one_value():
    assert value_span(TASKS["depth"]) == (0, 1)
    assert value_span(TASKS["depth"], np.zeros((2, 2), np.float32)) == (0, 1)
    assert value_span(TASKS["depth"], np.full((2, 2), 3.0, np.float32)) == (2.5, 3.5)


def test_legend_names_classes_that_occur_largest_first():
    note = legend(TASKS["human_parts"], np.array([[2, 2, 1, 255]], dtype=np.uint8))
    assert [name for _, name in note.swatches] == ["torso", "head"]
    assert [colour for colour, _ in note.swatches] == [PART_COLOURS[2], PART_COLOURS[1]]


def test_legend_counts_the_classes_it_leaves_out():
    note = legend(TASKS["semseg"], np.arange(40)[None], most=5)
    assert len(note.swatches) == 6
    assert note.swatches[-1] == (NEUTRAL, "35 more")
    assert len(legend(TASKS["semseg"], np.arange(6)[None], most=5).swatches) == 6


def test_depth_legend_is_a_bar_in_metres():
    note = legend(TASKS["depth"], np.linspace(1, 5, 101, dtype=np.float32)[None], span=(1, 5))
    assert note.ticks == ("1.0 m", "3.0 m", "5.0 m")
    assert len(note.bar) == 16


def test_classes_without_names_or_colours():
    task = dataclasses.replace(TASKS["human_parts"], class_names=(), colours=())
    note = legend(task, np.array([[3]], dtype=np.uint8))
    assert note.swatches[0][1] == "class 3"


def test_thumbnail_keeps_values_and_bounds_sides():
    array = np.arange(7 * 900).reshape(7, 900)
    small = thumbnail(array, 30)
    assert small.shape == (7, 30)
    assert np.isin(small, array).all()
    assert thumbnail(array, 900) is array


def test_a_flat_array_is_refused():
    with pytest.raises(ValueError, match=r"depth: a map has shape \(H, W\)"):
        colour_map(TASKS["depth"], np.zeros(4, np.float32))
