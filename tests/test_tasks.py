"""The table of tasks."""

import dataclasses

import pytest
import torch

from pamm.engine.prediction import Prediction
from pamm.tasks import RESERVED, TASKS, Task, UnknownTaskError, get_tasks, register
from toys import ALBEDO


def make(**fields):
    return Task(**(ALBEDO.to_dict() | fields))


@pytest.mark.parametrize("task", TASKS.values(), ids=str)
def test_round_trip_through_plain_values(task):
    assert get_tasks([task.to_dict()]) == (task,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "colour"}, "kind: got 'colour', wanted classes or binary"),
        ({"kind": "classes", "channels": 1}, "do not fit"),
        ({"kind": "binary", "channels": 3}, "do not fit"),
        ({"channels": 0}, "do not fit"),
        ({"kind": "classes", "class_names": ("a", "b")}, "2 class_names for 3 classes"),
        ({"name": "two words"}, "identifier"),
        ({"name": 3}, "name: got 3, wanted text"),
        ({"channels": "3"}, "channels: got '3', wanted a whole number"),
        ({"valid_range": 3}, "valid_range: got 3, wanted a list of 2"),
        ({"valid_range": (0, "far")}, "valid_range: got .*'far'.*each a number"),
        ({"colours": 3}, "colours: got 3, wanted a list"),
        ({"colours": [(1, 2)] * 3}, "colours: got .*wanted a list of 3"),
        ({"class_names": "abc"}, "class_names: got 'abc', wanted a list"),
        ({"loss_weight": "x"}, "loss_weight: got 'x', wanted a number"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        make(**fields)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UnknownTaskError, match="there is no task 'albedo': known: semseg, depth"):
        get_tasks(["albedo"])
    with pytest.raises(ValueError, match="listed twice"):
        get_tasks(["depth", "depth"])
    with pytest.raises(ValueError, match="no task was given"):
        get_tasks([])
    with pytest.raises(ValueError, match="got 'depth', wanted a list"):
        get_tasks("depth")
    with pytest.raises(ValueError, match="'channels' is missing"):
        get_tasks([{"name": "albedo"}])
    with pytest.raises(ValueError, match="no key 'chanels': did you mean 'channels'"):
        get_tasks([make().to_dict() | {"chanels": 3}])


def test_lists_become_tuples_and_numbers_stay_as_they_are():
    task = make(valid_range=[0, 1], ignore=-1)
    assert task.valid_range == (0, 1)
    assert isinstance(task.ignore, int)
    assert hash(task) == hash(make(valid_range=(0, 1), ignore=-1))


TAKEN = {name for name in dir(torch.nn.ModuleDict()) if name == name.lower()}
OF_PREDICTIONS = {field.name for field in dataclasses.fields(Prediction)} | {
    name for name in vars(Prediction) if not name.startswith("_")
}


@pytest.mark.parametrize("name", ["keys", "train", "type", "image", "maps", "tasks", "overview", "save", "__dict__"])
def test_names_of_parts_of_the_program_are_refused(name):
    with pytest.raises(ValueError, match=f"task name '{name}' is taken.*choose another"):
        make(name=name)


def test_reserved_names_are_those_of_the_places_that_keep_tasks_by_name():
    assert TAKEN | OF_PREDICTIONS <= RESERVED
    assert not RESERVED & set(TASKS)


def test_register(monkeypatch):
    monkeypatch.setattr("pamm.tasks.TASKS", dict(TASKS))
    task = register(make())
    assert get_tasks(["albedo"]) == (task,)
    register(make())
    with pytest.raises(ValueError, match="different task"):
        register(make(channels=1))


def test_valid_pixels():
    depth = dataclasses.replace(TASKS["depth"], valid_range=(0.0, 10.0))
    label = torch.tensor([[[0.0, 2.0, 10.0, float("nan"), float("inf")]]])
    assert depth.valid(label).tolist() == [[[False, True, False, False, False]]]
    normals = torch.tensor([[[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, -1.0]]])
    assert TASKS["normals"].valid(normals).tolist() == [[[False, True, True]]]
    assert TASKS["semseg"].valid(torch.tensor([[[0, 39, 255]]])).tolist() == [[[True, True, False]]]


def test_decode():
    assert TASKS["human_parts"].decode(torch.eye(7)[None, :, None]).tolist() == [[[0, 1, 2, 3, 4, 5, 6]]]
    assert TASKS["edge"].decode(torch.zeros(1, 1, 2, 3)).tolist() == torch.full((1, 2, 3), 0.5).tolist()
    saliency = TASKS["saliency"].decode(torch.tensor([0.0, 100.0]).view(1, 2, 1, 1))
    assert saliency.shape == (1, 1, 1)
    assert saliency.item() == 1
    assert torch.allclose(TASKS["normals"].decode(torch.rand(2, 3, 4, 5)).norm(dim=1), torch.ones(2, 4, 5))
    assert TASKS["depth"].decode(torch.tensor([[[[-1.0, 3.0, 99.0]]]])).tolist() == [[[0.0, 3.0, 80.0]]]
    assert make().decode(torch.zeros(1, 3, 2, 2)).shape == (1, 3, 2, 2)


def test_distinct_colours():
    for task in TASKS.values():
        assert len(set(task.colours)) == len(task.colours)
