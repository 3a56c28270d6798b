"""Several data sets as one."""

import dataclasses

import numpy as np
import pytest

from pamm.data.mix import Member, MixDataset
from pamm.data.sample import Sample
from pamm.tasks import TASKS, Task
from toys import Rectangles


def classes(*names, colours=(), **changes):
    return dataclasses.replace(TASKS["semseg"], channels=len(names), class_names=names, colours=colours, **changes)


class Stripes(Rectangles):
    """A column of each class, and one of none."""

    def __getitem__(self, index):
        (task,) = self.tasks
        row = np.array([*range(task.channels), 255], np.uint8)
        image = np.zeros((2, len(row), 3), np.uint8)
        return Sample(image, {task.name: np.tile(row, (2, 1))}, str(index))


HOME = Member(source=Stripes([classes("wall", "floor", "thing", colours=((1, 0, 0), (2, 0, 0), (3, 0, 0)))], length=2))
STREET = Stripes([classes("road", "wall", "car", "sky")], length=3)
MAPPING = {"road": "floor", "car": "thing", "sky": None}


def test_samples_follow_each_other_with_the_labels_they_have():
    mix = MixDataset(
        {
            "deep": Member(source=Rectangles([TASKS["depth"]], length=2)),
            "both": Member(source=Rectangles([TASKS["edge"], TASKS["depth"]], length=3), weight=0.5),
        }
    )
    assert [task.name for task in mix.tasks] == ["depth", "edge"]
    assert [mix[index].name for index in (0, 1, 2, 4)] == [
        "deep/rectangle 0",
        "deep/rectangle 1",
        "both/rectangle 0",
        "both/rectangle 2",
    ]
    assert [sorted(mix[index].labels) for index in (1, 2, 4)] == [["depth"], ["depth", "edge"], ["edge"]]
    assert [(part.size, part.weight) for part in mix.parts] == [(2, 2), (3, 0.5)]
    for index in (-1, 5):
        with pytest.raises(IndexError, match="the mix has 5"):
            mix[index]


def test_a_label_space_has_a_head_of_its_own():
    mix = MixDataset({"home": HOME, "street": Member(source=STREET, heads={"semseg": "street_semseg"})})
    home, street = mix.tasks
    assert (home.name, home.channels, street.name, street.channels) == ("semseg", 3, "street_semseg", 4)
    assert street.title == "Semantic segmentation (street)"
    assert list(mix[2].labels) == ["street_semseg"]
    assert mix[2].labels["street_semseg"][0].tolist() == [0, 1, 2, 3, 255]


def test_classes_are_mapped_to_those_of_the_first_set():
    mix = MixDataset({"home": HOME, "street": Member(source=STREET, classes={"semseg": MAPPING})})
    (task,) = mix.tasks
    assert task.class_names == ("wall", "floor", "thing")
    assert mix[0].labels["semseg"][0].tolist() == [0, 1, 2, 255]
    assert mix[2].labels["semseg"][0].tolist() == [1, 0, 2, 255, 255]


def test_a_mapped_set_alone_keeps_the_order_of_its_names_or_that_of_given_tasks():
    members = {"street": Member(source=STREET, classes={"semseg": MAPPING})}
    (alone,) = MixDataset(members).tasks
    assert alone.class_names == ("floor", "wall", "thing")
    given = MixDataset(members, tasks=HOME.source.tasks)
    assert given.tasks[0].class_names == ("wall", "floor", "thing")
    assert given[0].labels["semseg"][0].tolist() == [1, 0, 2, 255, 255]
    joined = Member(source=HOME.source, classes={"semseg": {"thing": "wall"}})
    assert MixDataset({"home": joined}).tasks[0].colours == ((1, 0, 0), (2, 0, 0))


def test_the_same_classes_in_another_order_are_matched_by_name():
    turned = Stripes([classes("thing", "wall", "floor")], length=1)
    mix = MixDataset({"home": HOME, "other": Member(source=turned, classes={"semseg": {}})})
    assert mix[2].labels["semseg"][0].tolist() == [2, 0, 1, 255]


def test_sets_that_teach_nothing_are_left_out():
    mix = MixDataset(
        {
            "home": HOME,
            "street": Member(source=STREET, classes={"semseg": MAPPING}, weight=9),
            "deep": Member(source=Rectangles([TASKS["depth"]])),
        }
    )
    kept = mix.with_labels_of(["semseg"])
    assert list(kept.members) == ["home", "street"]
    assert [part.weight for part in kept.parts] == [2, 9]
    assert mix.with_labels_of(["depth"])[0].name == "deep/rectangle 0"


def test_a_shared_list_outlives_the_set_that_gave_it():
    both = Rectangles([classes("road", "car"), TASKS["edge"]])
    street = Member(source=both, classes={"semseg": {"road": "floor", "car": "thing"}})
    kept = MixDataset({"home": HOME, "street": street}).with_labels_of(["edge"])
    assert list(kept.members) == ["street"]
    assert kept.tasks[0].class_names == ("wall", "floor", "thing")


def test_each_set_has_its_own_valid_range():
    near = dataclasses.replace(TASKS["depth"], valid_range=(0.0, 3.0))
    mix = MixDataset(
        {"near": Member(source=Rectangles([near])), "far": Member(source=Rectangles([TASKS["depth"], TASKS["edge"]]))}
    )
    assert mix.tasks[0].valid_range == (0.0, 80.0)
    assert set(np.unique(mix[0].labels["depth"])) == {0.0, 1.5}
    assert set(np.unique(mix[6].labels["depth"])) == {1.5, 4.0}


class Unreadable(Rectangles):
    def __getitem__(self, index):
        raise ValueError("3.png: the file is empty: copy it again")


def test_an_unreadable_sample_names_its_set():
    mix = MixDataset({"bad": Member(source=Unreadable([TASKS["depth"]]))})
    with pytest.raises(ValueError, match=r"set bad: 3\.png: the file is empty"):
        mix[0]


def member(task, **settings):
    return Member(source=Rectangles([task]), **settings)


def two(first: Task, second: Task):
    return {"one": member(first), "two": member(second)}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "a mix needs data sets"),
        (
            {"home": HOME, "street": Member(source=STREET)},
            r"set street: task semseg has channels 4, .* has 3: .* heads: \{semseg: street_semseg\}.*OWN: SHARED",
        ),
        (two(classes("a", "b"), classes("a", "c")), "class_names a, c, the same task elsewhere has a, b"),
        (two(TASKS["depth"], dataclasses.replace(TASKS["depth"], unit="cm")), "depth has unit cm, .* elsewhere has m"),
        (two(TASKS["depth"], dataclasses.replace(TASKS["depth"], ignore=-1.0)), "ignore -1.0, .* has 0.0"),
        ({"a": member(TASKS["depth"], heads={"dept": "x"})}, "set a: there is no task 'dept': did you mean 'depth'"),
        ({"a": member(classes("x", "y"), classes={"semseg": {"z": "x"}})}, "task semseg: there is no class 'z'"),
        ({"a": member(TASKS["depth"], classes={"depth": {}})}, "depth has no named classes to map"),
        (
            {"home": HOME, "street": Member(source=STREET, classes={"semseg": {"road": "floor"}})},
            "class 'car' has no place in the shared list: .* one of wall, floor, thing, or null",
        ),
        (
            {"a": Member(source=Rectangles([TASKS["depth"], TASKS["edge"]]), heads={"edge": "depth"})},
            "two of its tasks are called depth",
        ),
    ],
)
def test_contradictions_are_refused(members, message):
    with pytest.raises(ValueError, match=message):
        MixDataset(members)
