"""The recipe of four data sets, its evaluation and the linear probe beside it, on stand-ins of a few pixels."""

import importlib.util
import json
import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file

from mixed_trees import write_encoder, write_mixed
from pamm.cli import main
from pamm.models import create_model

TASKS = {
    "bsds": {"edge", "saliency"},
    "office": {"semseg", "depth", "normals", "edge"},
    "people": {"human_parts"},
    "street": {"street_semseg"},
}
SIZE = {"height": 42, "width": 42}
SMALL = (
    "--run.devices 1 --run.workers 0 --run.validate_every 2 --optim.steps 2 --optim.batch_size 4 --data.height 42 "
    "--data.width 42 --val.height 42 --val.width 42"
).split()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_mixed(tmp_path_factory.mktemp("sets"))


def test_one_network_learns_from_four_sets(root, data, encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    run = tmp_path / "run"
    options = ["--model.encoder_weights", str(encoder), "--data.root", str(data), *SMALL]
    recipes = ["--config", "configs/mixed/train.yaml"]
    assert main(["train", *recipes, "--run.out", str(tmp_path / "first"), *options]) == 0
    recipes += ["--config", "configs/mixed/whole.yaml", "--model.init", str(tmp_path / "first/best")]
    assert main(["train", *recipes, "--run.out", str(run), *options]) == 0
    scored = ["--weights", str(run / "best"), "--data.root", str(data), "--json", str(tmp_path / "scores.json")]
    assert main(["eval", "--config", "configs/mixed/eval.yaml", *scored, "--workers", "0"]) == 0
    sets = json.loads((tmp_path / "scores.json").read_text())["sets"]
    assert {name: set(result["tasks"]) for name, result in sets.items()} == TASKS
    assert {name: result["images"] for name, result in sets.items()} == {
        "bsds": 2,
        "office": 12,
        "people": 40,
        "street": 2,
    }


def test_the_probe_leaves_the_encoder_as_it_is(root, data, encoder, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    spec = importlib.util.spec_from_file_location("mixed_probe", root / "benchmarks/mixed_probe.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    quick = {"data": SIZE, "val": SIZE, "optim": {"steps": 2}, "run": {"devices": 1, "workers": 0, "validate_every": 2}}
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(quick))
    recipes = ["configs/mixed/train.yaml", str(tmp_path / "quick.yaml")]
    recipes.insert(1, "configs/mixed/whole.yaml")
    for recipe, more in ((recipes[::2], []), (recipes, ["--init", str(tmp_path / "probe")])):
        options = ["--encoder", str(encoder), "--root", str(data), *more]
        out = tmp_path / ("whole" if more else "probe")
        monkeypatch.setattr(sys, "argv", ["mixed_probe.py", *recipe, *options, "--out", str(out)])
        script.main()
    learnt = load_file(tmp_path / "whole/best/model.safetensors")
    for name, value in create_model("pamm_small", tasks=["depth"], pretrained=str(encoder)).encoder.named_parameters():
        assert torch.equal(learnt[f"encoder.{name}"], value), name
    sets = json.loads((tmp_path / "whole/scores.json").read_text())["sets"]
    assert {name: set(result["tasks"]) for name, result in sets.items()} == TASKS
