"""Packing on the command line, and what is done with shards there."""

import json

import pytest
import yaml

import pamm
from cli_checks import fails
from folder_toys import grid, put, write
from pamm.cli import main
from pamm.data.scenes import SCENES_TASKS
from pamm.engine.weights import save_weights
from toys import MICRO

SIZE = ["--data.height", "32", "--data.width", "48"]
TINY = ["--data.name", "scenes", "--data.length", "3", *SIZE]


@pytest.fixture
def packed(tmp_path):
    """Three scenes to learn from and two to score on."""
    out = str(tmp_path / "shards")
    assert main(["data", "pack", *TINY, "-o", out, "--split", "train", "--photos", "2", "--workers", "0"]) == 0
    scenes = ["--data", "scenes", "--data.seed", "1", "--data.length", "2", *SIZE]
    assert main(["data", "pack", *scenes, "--out", out, "--split", "val", "--workers", "0"]) == 0
    return out


def test_pack_says_what_it_wrote(tmp_path, capsys):
    out = tmp_path / "shards"
    assert main(["data", "pack", *TINY, "--out", str(out), "--photos", "2", "--workers", "1"]) == 0
    assert "2 shards" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [f"all-0000{number}-of-00002.parquet" for number in (0, 1)]


def test_another_manifest_is_another_set(tmp_path, capsys):
    put(tmp_path / "images/a.png", grid(channels=(3,)))
    put(tmp_path / "depth/a.png", grid(2))

    def command(scale):
        manifest = write(tmp_path, splits={}, labels={"depth": {"path": "depth/{id}.png", "scale": scale}})
        data = ["--data", "folder", "--data.manifest", str(manifest)]
        return ["data", "pack", *data, "-o", str(tmp_path / "out"), "--workers", "0"]

    assert main(command(1)) == main(command(1)) == 0
    assert "of another set or another packing" in fails(capsys, *command(2))


def test_what_changed_in_a_mix_makes_it_another_set(tmp_path, capsys):
    def describe(name, **changes):
        return write(tmp_path / name, splits={}, labels={"depth": {"path": "depth/{id}.png"} | changes})

    for name in ("one", "two"):
        put(tmp_path / name / "images/a.png", grid(channels=(3,)))
        put(tmp_path / name / "depth/a.png", grid(2))
    sets = {name: {"manifest": str(describe(name))} for name in ("one", "two")}
    command = ["data", "pack", "--data", str(tmp_path / "mix.yaml"), "-o", str(tmp_path / "out"), "--workers", "0"]

    def order(*names):
        plain = {"name": "mix", "sets": {name: sets[name] for name in names}}
        (tmp_path / "mix.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))

    order("one", "two")
    assert main(command) == main(command) == 0
    order("two", "one")
    assert "of another set or another packing" in fails(capsys, *command)
    order("one", "two")
    describe("two", scale=2)
    assert "of another set or another packing" in fails(capsys, *command)
    describe("two")
    assert main(command) == 0
    for folder in ("images", "depth"):
        (tmp_path / f"one/{folder}/a.png").rename(tmp_path / f"one/{folder}/b.png")
    assert "of another set or another packing" in fails(capsys, *command)


def test_shards_packed_again_keep_the_name_of_their_split(packed, tmp_path):
    assert (
        main(["data", "pack", "--data", "shards", "--data.root", packed, "-o", str(tmp_path / "o"), "--workers", "0"])
        == 0
    )
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["train-00000-of-00001.parquet"]


def test_check(packed, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["data", "check", packed, "--json", str(report), "-o", str(tmp_path / "a.png"), "--workers", "0"]) == 0
    assert "Parquet shards" in capsys.readouterr().out
    assert {name: split["photos"] for name, split in json.loads(report.read_text())["splits"].items()} == {
        "train": 3,
        "val": 2,
    }
    assert "where nothing is written" in fails(capsys, "data", "check", packed, "-o", f"{packed}/a.png")
    assert "a root belongs to a manifest" in fails(capsys, "data", "check", packed, "--root", packed)


def test_scores_are_those_of_the_set_itself(packed, tmp_path):
    save_weights(pamm.create_model("pamm_tiny", tasks=SCENES_TASKS, **MICRO), tmp_path / "weights")
    scores = []
    for data in (["--data", "shards", "--data.root", packed], ["--data.seed", "1", "--data.length", "2"]):
        file = tmp_path / "scores.json"
        options = ["--weights", str(tmp_path / "weights"), "--json", str(file), "--workers", "0"]
        assert main(["eval", *data, *SIZE, *options]) == 0
        scores.append(json.loads(file.read_text()))
    assert scores[0]["tasks"] == scores[1]["tasks"]
    assert (scores[0]["run"]["data"], scores[0]["run"]["source"]) == ("shards", "shards")


def test_training(packed, tmp_path):
    config = {
        "model": {"overrides": MICRO | {"image_size": [32, 48]}},
        "data": {"name": "shards", "root": packed},
        "val": {"name": "shards"},
        "optim": {"steps": 1, "batch_size": 1},
        "run": {"out": str(tmp_path / "run"), "validate_every": 1, "pictures": 1, "workers": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["train", "--config", str(tmp_path / "config.yaml")]) == 0
    assert pamm.load(tmp_path / "run/best").tasks[0].class_names == SCENES_TASKS[0].class_names


def test_mistakes(capsys, tmp_path):
    assert "data 'shards' needs their place: give --data.root" in fails(capsys, "eval", "--data", "shards")
    message = fails(capsys, "eval", "--data", "shards", "--data.root", tmp_path, "--data.manifest", "a.yaml")
    assert "data 'shards' needs no manifest" in message
    assert "no shards are there" in fails(capsys, "eval", "--data", "shards", "--data.root", tmp_path)
