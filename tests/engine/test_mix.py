"""Training on several data sets with different labels, and the scores of each."""

import csv
import json

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import pamm
from folder_toys import put
from pamm.cli import main
from pamm.data.mix import Member, MixDataset
from pamm.data.sample import Sample
from pamm.engine.check import check
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig, MixedSet
from pamm.engine.datasets import open_dataset
from pamm.engine.fit import fit
from pamm.engine.module import PAMMModule
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import MICRO, Rectangles

SIZES = {key: value for key, value in MICRO.items() if key != "image_size"}


def write_set(folder, name, labels):
    """Three images to learn from and one to validate on, with some labels and a manifest."""
    data = Rectangles()
    for number in range(4):
        sample = data[number]
        put(folder / name / f"images/{number}.png", sample.image)
        for task in labels:
            put(folder / name / f"{task}/{number}.png", data[0].labels[task])
    entries = {task: {"path": f"{task}/{{id}}.png"} | more for task, more in labels.items()}
    manifest = {
        "root": name,
        "images": "images/{id}.png",
        "splits": {"train": {"first": 3}, "val": {"last": 1}},
        "labels": entries,
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest))


@pytest.fixture
def recipe(tmp_path):
    """A recipe over three sets: one of other classes, one whose labels never show in validation."""
    write_set(tmp_path, "home", {"semseg": {"classes": ["grey", "shape"]}})
    write_set(tmp_path, "street", {"semseg": {"classes": ["road", "car", "sky"]}, "saliency": {}})
    write_set(tmp_path, "lines", {"edge": {}})
    for number in range(4):
        put(tmp_path / f"lines/edge/{number}.png", np.full((32, 48), 255 if number == 3 else number % 2, np.uint8))
    lines = yaml.safe_load((tmp_path / "lines.yaml").read_text())
    lines["labels"]["edge"]["ignore"] = [255]
    (tmp_path / "lines.yaml").write_text(yaml.safe_dump(lines))
    sets = {
        "home": {"manifest": str(tmp_path / "home.yaml")},
        "street": {"manifest": str(tmp_path / "street.yaml"), "root": "street", "heads": {"semseg": "street_semseg"}},
        "lines": {"manifest": str(tmp_path / "lines.yaml"), "weight": 9},
    }
    settings = {
        "model": {"preset": "pamm_tiny", "overrides": SIZES},
        "data": {"name": "mix", "split": "train", "root": str(tmp_path), "height": 32, "width": 48, "sets": sets},
        "val": {"name": "mix", "split": "val"},
        "optim": {"steps": 2, "batch_size": 2, "lr": 1e-3},
        "run": {"out": str(tmp_path / "run"), "validate_every": 2, "workers": 0, "pictures": 1},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


def logged(folder):
    with next((folder / "run/log").rglob("metrics.csv")).open() as file:
        return {key: value for row in csv.DictReader(file) for key, value in row.items() if value}


def test_training_and_scoring_by_set(recipe, tmp_path, capsys):
    assert main(["train", "--config", str(recipe)]) == 0
    best = tmp_path / "run/best"
    tasks = {task.name: task.channels for task in pamm.load(best).model.config.tasks}
    assert tasks == {"semseg": 2, "street_semseg": 3, "saliency": 2, "edge": 1}
    seen = logged(tmp_path)
    assert "val/loss/street_semseg" in seen
    assert not [key for key in seen if key.startswith(("val/loss/edge", "val/edge"))], "no pixel was labelled"
    assert all(np.isfinite(float(value)) for value in seen.values())

    (tmp_path / "data.yaml").write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text())["data"]))
    scores, table = tmp_path / "scores.json", tmp_path / "table.md"
    data = ["--data", str(tmp_path / "data.yaml"), "--data.split", "val", "--workers", "0"]
    # without the set whose validation image has no label
    sets = yaml.safe_load((tmp_path / "data.yaml").read_text())["sets"]
    assert main(["eval", "--weights", str(best), *data]) == 2
    assert "none of 1 images has a label of edge" in " ".join(capsys.readouterr().err.split())
    del sets["lines"]
    plain = yaml.safe_load((tmp_path / "data.yaml").read_text()) | {"sets": sets}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(plain))
    assert main(["eval", "--weights", str(best), *data, "--json", str(scores), "--table", str(table)]) == 0
    found = json.loads(scores.read_text())["sets"]
    assert {name: sorted(result["tasks"]) for name, result in found.items()} == {
        "home": ["semseg"],
        "street": ["saliency", "street_semseg"],
    }
    assert found["street"]["run"]["source"] == "street.yaml"
    assert "street, 1 images" in capsys.readouterr().out
    assert table.read_text().count("| method |") == 2
    assert main(["compare", str(scores), str(scores)]) == 2
    assert "holds scores on a mix of data sets (home, street)" in " ".join(capsys.readouterr().err.split())


def test_the_data_of_a_mix_is_checked(recipe, tmp_path):
    data = yaml.safe_load(recipe.read_text())["data"]
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    report, sheet = check(path)
    assert [(split.name, split.photos, sorted(split.tasks)) for split in report.splits] == [
        ("home", 3, ["semseg"]),
        ("street", 3, ["saliency", "semseg"]),
        ("lines", 3, ["edge"]),
    ]
    assert report.sound
    assert sheet is not None
    assert "lines: 60% of the images in training" in report.notes()
    path.write_text(yaml.safe_dump(data | {"sets": data["sets"] | {"street": {"manifest": "none.yaml"}}}))
    with pytest.raises(ValueError, match=r"set street: .*none\.yaml"):
        check(path)


def test_a_subset_of_the_tasks_draws_from_the_sets_that_have_them(recipe, tmp_path, monkeypatch):
    drawn = []
    read = MixDataset.__getitem__
    monkeypatch.setattr(MixDataset, "__getitem__", lambda self, index: drawn.append(self) or read(self, index))
    assert main(["train", "--config", str(recipe), "--tasks", "saliency"]) == 0
    assert list(drawn[0].members) == ["street"]


def test_validation_takes_over_what_is_left_out(tmp_path):
    training = DataConfig(
        name="mix",
        root="photos",
        split="train",
        sets={
            "a": MixedSet(manifest="a.yaml", root="a", split="most", heads={"semseg": "a_semseg"}),
            "b": MixedSet(name="nyud", root="b", classes={"semseg": {"wall": None}}),
            "c": MixedSet(name="scenes", seed=7, length=3),
        },
    )
    whole = DataConfig(name="mix", seed=1, split="val").filled(training).members()
    assert [config.split for config in whole.values()] == ["val", "val", None]
    assert [config.root for config in whole.values()] == ["photos/a", "photos/b", None]
    assert (whole["c"].seed, whole["c"].length) == (1, 3)
    some = DataConfig(name="mix", sets={"a": MixedSet(manifest="other.yaml"), "b": MixedSet()}).filled(training)
    assert list(some.sets) == ["a", "b"]
    assert (some.sets["a"].manifest, some.sets["a"].heads) == ("other.yaml", {"semseg": "a_semseg"})
    assert some.sets["b"].classes == {"semseg": {"wall": None}}
    assert some.members()["b"].name == "nyud"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "mix"}, "a mix needs data sets"),
        ({"name": "mix", "manifest": "a.yaml"}, "each set of a mix has a manifest of its own"),
        ({"name": "mix", "resize": 0.5}, "resize is for folders with a manifest, .*: give it to its sets"),
        ({"name": "scenes", "resize": 0.5}, "resize is for folders with a manifest, not for data 'scenes': leave it"),
        ({"name": "scenes", "sets": {"a": MixedSet()}}, "data 'scenes' has no sets"),
        ({"name": "mix", "sets": {"a": MixedSet()}}, "set a: data 'folder' needs a manifest"),
    ],
)
def test_fields_that_do_not_suit(settings, message):
    with pytest.raises(ValueError, match=message):
        open_dataset(DataConfig(**settings), canvas=(32, 48))


class Bare(Rectangles):
    """Photos without any label."""

    def __getitem__(self, index):
        return Sample(super().__getitem__(index).image, {}, "bare")


def test_a_resumed_mix_ends_with_the_same_weights(tmp_path, monkeypatch):
    tasks = [TASKS["depth"], TASKS["normals"], TASKS["saliency"]]
    mix = MixDataset(
        {
            "one": Member(source=Rectangles(tasks[:2], length=4)),
            "two": Member(source=Rectangles(tasks[2:], length=5), weight=1),
            "bare": Member(source=Bare(tasks[:1], length=3)),
        }
    )

    def run(name, *, resume=False):
        torch.manual_seed(0)
        return fit(
            create_model("pamm_tiny", tasks=mix.tasks, **MICRO),
            mix,
            mix,
            optim=OptimConfig(steps=6, batch_size=2, lr=1e-3),
            run=RunConfig(out=str(tmp_path / name), validate_every=3, workers=0, pictures=0, resume=resume),
            augment=AugmentConfig(),
        )

    def stop(self, batch, batch_idx):
        if self.global_step == 4:
            raise RuntimeError("the power went")
        return step(self, batch, batch_idx)

    run("whole")
    step = PAMMModule.training_step
    with monkeypatch.context() as patch:
        patch.setattr(PAMMModule, "training_step", stop)
        with pytest.raises(RuntimeError, match="power"):
            run("parts")
    run("parts", resume=True)
    whole, parts = (load_file(tmp_path / name / "last/model.safetensors") for name in ("whole", "parts"))
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name
        assert tensor.isfinite().all(), name
