"""The gain of sharing."""

import doctest

import pytest

from pamm.metrics import gain, multi_task_gain
from pamm.tasks import TASKS, get_tasks


def test_gain_is_signed_by_the_direction_of_the_score():
    tasks = get_tasks(["semseg", "normals"])
    assert multi_task_gain({"semseg": 55, "normals": 18}, {"semseg": 50, "normals": 20}, tasks) == pytest.approx(10)


@pytest.mark.parametrize(
    ("scores", "baselines", "tasks", "message"),
    [
        ({}, {"depth": 1.0}, ["depth"], "depth: no score among none"),
        ({"depth": 1.0}, {"edge": 1.0}, ["depth"], "depth: no baseline among edge"),
        ({"depth": 1.0}, {"depth": 0.0}, ["depth"], "the baseline is 0"),
        ({}, {}, [], "no task"),
    ],
)
def test_gain_names_what_is_missing(scores, baselines, tasks, message):
    with pytest.raises(ValueError, match=message):
        multi_task_gain(scores, baselines, [TASKS[name] for name in tasks])


def test_examples():
    assert doctest.testmod(gain).failed == 0
