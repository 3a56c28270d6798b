"""From a data config to a data set: benchmarks, their splits and their canvases."""

import pytest

from benchmark_trees import NYUD_IDS, PASCAL_IDS, write_nyud, write_pascal
from pamm.engine.data_config import DataConfig, MixedSet
from pamm.engine.datasets import open_dataset, usual_canvas

CANVAS = (32, 48)


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trees")
    write_nyud(folder / "NYUDv2")
    write_pascal(folder / "PASCALContext")
    return folder


@pytest.mark.parametrize(("name", "ids"), [("nyud", NYUD_IDS), ("pascal_context", PASCAL_IDS)])
def test_benchmarks_by_name(trees, name, ids):
    config = DataConfig(name=name, root=str(trees))
    assert open_dataset(config, canvas=CANVAS, split="train").ids == ids["train"]
    assert open_dataset(config, canvas=CANVAS).ids == ids["val"]
    chosen = DataConfig(name=name, root=str(trees), split="train")
    assert open_dataset(chosen, canvas=CANVAS).ids == ids["train"], "the config's split wins"
    scores = [
        {task.name: task.score for task in open_dataset(config, canvas=CANVAS, scoring=scoring).tasks}["edge"]
        for scoring in (False, True)
    ]
    assert scores == ["boundary", f"odsf_{name}"]


@pytest.mark.parametrize(
    ("name", "patch", "wanted"),
    [("nyud", 16, (448, 576)), ("nyud", 14, (448, 588)), ("pascal_context", 14, (518, 518)), ("scenes", 8, CANVAS)],
)
def test_usual_canvas_has_whole_patches(name, patch, wanted):
    assert usual_canvas(DataConfig(name=name), CANVAS, patch=patch) == wanted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "nyud"}, "data 'nyud' needs its folder: give --data.root"),
        ({"name": "nyud", "manifest": "a.yaml", "root": "."}, "data 'nyud' needs no manifest"),
        ({"name": "scenes", "root": "."}, "belong to data on the disk: set --data.name folder, nyud"),
    ],
)
def test_fields_that_do_not_suit_the_set(settings, message):
    with pytest.raises(ValueError, match=message):
        open_dataset(DataConfig(**settings), canvas=CANVAS)


@pytest.mark.parametrize(
    ("root", "place", "joined"),
    [
        ("s3://bucket/sets/", "rooms", "s3://bucket/sets/rooms"),
        ("s3://bucket", "hf://datasets/rooms", "hf://datasets/rooms"),
        ("/data", "s3://bucket/rooms", "s3://bucket/rooms"),
        ("/data", "rooms", "/data/rooms"),
        ("/data", "/other/rooms", "/other/rooms"),
    ],
)
def test_sets_of_a_mix_lie_below_its_root(root, place, joined):
    mix = DataConfig(
        name="mix", root=root, sets={"a": MixedSet(name="shards", root=place)}, storage_options={"anon": True}
    )
    assert mix.members()["a"].root == joined
    assert mix.members()["a"].storage_options == {"anon": True}
