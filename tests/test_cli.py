"""The command line: every command through the real entry point, every mistake in one line."""

import errno
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import pamm
from cli_checks import fails
from pamm.cli import main
from pamm.cli.registry import COMMANDS
from pamm.data.scenes import SCENES_TASKS
from pamm.engine.weights import save_weights
from pamm.ops import SCAN_BACKENDS
from toys import MICRO

SIZE = ["--data.height", "32", "--data.width", "48"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Untrained weights of a micro network for scenes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_weights(pamm.create_model("pamm_tiny", tasks=SCENES_TASKS, **MICRO), folder)
    return str(folder)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([*command.split(), "--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    for block in text.split("\n  --")[1:]:
        name, _, words = block.partition(" ")
        assert "(type: " not in words or words.split("(type: ")[0].strip().count(" ") > 1, f"--{name} is not explained"


def test_predict(weights, photo, tmp_path, capsys):
    out = tmp_path / "maps"
    assert main(["predict", str(photo), "-o", str(out), "--weights", weights]) == 0
    written = {path.name for path in (out / "photo").iterdir()}
    assert {"overview.png", "values.npz", "depth.png", "human_parts.png"} <= written
    with np.load(out / "photo/values.npz") as values:
        assert values["depth"].shape == (40, 60)
    assert str(out / "photo") in capsys.readouterr().out


def test_one_bad_photo_does_not_stop_the_others(weights, photo, tmp_path, capsys):
    bad = tmp_path / "bad.jpg"
    bad.write_text("not a photo")
    text = fails(capsys, "predict", bad, photo, "--out", tmp_path / "maps", "--weights", weights)
    assert "bad.jpg: not a picture" in text
    assert (tmp_path / "maps/photo/overview.png").exists()


def test_a_full_disk_leaves_nothing_behind(weights, photo, tmp_path, capsys, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    text = fails(capsys, "predict", photo, "--out", tmp_path / "maps", "--weights", weights)
    assert "No space left on device" in text
    assert not [path for path in (tmp_path / "maps").rglob("*") if path.is_file()]


def test_eval_prints_a_table_and_writes_json(weights, tmp_path, capsys):
    out = tmp_path / "scores.json"
    args = ["eval", "--weights", weights, "--data", "scenes", "--data.seed", "7", "--data.length", "3", *SIZE]
    assert main([*args, "--workers", "0", "--json", str(out)]) == 0
    scores = json.loads(out.read_text())
    assert list(scores["tasks"]) == [task.name for task in SCENES_TASKS]
    assert scores["images"] == 3
    text = capsys.readouterr().out
    assert all(task.name in text for task in SCENES_TASKS)
    assert main([*args, "--workers", "1", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["tasks"] == scores["tasks"]


def test_train_resume_and_refuse(weights, tmp_path, capsys):
    config = tmp_path / "config.yaml"
    sizes = {key: value for key, value in MICRO.items() if key != "image_size"}
    settings = {
        "model": {"preset": "pamm_tiny", "overrides": sizes},
        "data": {"name": "scenes", "length": 4, "height": 32, "width": 48},
        "val": {"name": "scenes", "seed": 1, "length": 2, "height": 32, "width": 48},
        "optim": {"steps": 4, "batch_size": 2},
        "run": {"out": str(tmp_path / "run"), "validate_every": 2, "workers": 0},
    }
    config.write_text(yaml.safe_dump(settings))
    assert main(["train", "--config", str(config), "--optim.steps", "2"]) == 0
    assert f"Best weights: {tmp_path / 'run/best'}" in capsys.readouterr().out
    assert "already holds a run" in fails(capsys, "train", "--config", config)
    assert main(["train", "--config", str(config), "--run.resume", "true"]) == 0
    assert pamm.load(tmp_path / "run/last").model.config.d_model == MICRO["d_model"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--optim.stepz", "3"], "optim.stepz"),
        (["--optim.steps", "many"], "optim.steps.*'int'"),
        (["--optim.lr", "0"], "lr must be greater than 0"),
        (["--model.preset", "pamm_tinny"], "no preset 'pamm_tinny': did you mean 'pamm_tiny'"),
        (["--model.overrides.d_modle", "8"], "no model setting 'd_modle': did you mean 'd_model'"),
        (["--model.overrides", "{d_modle: 8}"], "no model setting 'd_modle': did you mean 'd_model'"),
        (["--modle", "{preset: pamm_tiny}"], "modle"),
        (["--model.overrides", "{d_model: 8"], "overrides"),
        (["--model.overrides", str({f"no_such_setting_{place}": 1 for place in range(300)})], "no model setting"),
        (["--model.overrides.d_model", "wide"], "d_model: got 'wide', wanted a whole number"),
        (["--tasks", "[deph]"], "no task with labels in the data 'deph': did you mean 'depth'"),
        (["--tasks", "deph", "edge"], "no task with labels in the data 'deph': did you mean 'depth'"),
        (["--data", "folder"], "needs a manifest"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--run.resume", "true", "--run.out", "missing"], "no checkpoint to resume"),
    ],
)
def test_mistakes_in_a_training_config(args, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.search(message, fails(capsys, "train", *args))
    assert not list(tmp_path.iterdir())


def test_an_unknown_key_in_a_file(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("optim: {stepz: 3}\n")
    assert "optim.stepz" in fails(capsys, "train", "--config", config)


def test_weights_that_do_not_fit(weights, tmp_path, capsys, photo):
    assert "no weights" in fails(capsys, "predict", photo, "--weights", tmp_path / "none")
    other = tmp_path / "other"
    other.mkdir()
    wider = pamm.create_model("pamm_tiny", tasks=SCENES_TASKS, **(MICRO | {"d_model": 32}))
    save_weights(wider, other)
    config = json.loads((other / "config.json").read_text()) | {"d_model": 16}
    (other / "config.json").write_text(json.dumps(config))
    assert "model.safetensors" in fails(capsys, "predict", photo, "--weights", other)


def test_info(capsys):
    assert main(["info", "--preset", "pamm_tiny", "--tasks", "[depth, edge]"]) == 0
    text = capsys.readouterr().out
    assert "encoder" in text
    assert "multiply-adds" in text


@pytest.fixture
def recipes(tmp_path):
    """A recipe and two overlays."""
    base, one, two = (tmp_path / f"{name}.yaml" for name in ("base", "one", "two"))
    sizes = {key: value for key, value in MICRO.items() if key != "image_size"}
    base.write_text(yaml.safe_dump({"model": {"overrides": sizes}, "data": {"height": 32, "width": 48}}))
    one.write_text("model: {overrides: {scan: false}}")
    two.write_text("model: {overrides: {d_model: 32}}")
    return [str(path) for path in (base, one, two)]


def counted(text: str) -> list[str]:
    """The numbers of a printed table that have thousands."""
    return re.findall(r"[0-9]+,[0-9,]+", text)


def test_info_about_a_recipe_and_its_overlays(recipes, capsys, monkeypatch):
    monkeypatch.setattr("pamm.cli.commands.console.width", 200)
    alone = []
    for files in (recipes[:1], ["--merge", *recipes[:2]], ["--merge", recipes[0], recipes[2]]):
        assert main(["info", *files]) == 0
        text = capsys.readouterr().out
        assert ("routers" in text) == ("one" not in files[-1])
        alone.append(counted(text[text.index("all") :])[0])
    assert len(set(alone)) == 3
    assert main(["info", *recipes]) == 0
    text = capsys.readouterr().out
    rows = [counted(line)[0] for line in text.splitlines() if "32×48" in line]
    assert rows == alone
    assert "scan: false" in text


def test_info_changes_recipes(recipes, capsys):
    assert main(["info", recipes[0], "--tasks", "[depth]", "--overrides", "{scan: false}"]) == 0
    text = capsys.readouterr().out
    assert "base.yaml: depth" in " ".join(text.split())
    assert "routers" not in text
    assert "leave one of both out" in fails(capsys, "info", recipes[0], "--preset", "pamm_tiny")
    assert "no task with labels in the data 'dept'" in fails(capsys, "info", *recipes, "--tasks", "[dept]")


def test_files_of_options_are_laid_over_each_other(recipes, tmp_path):
    more = tmp_path / "more.yaml"
    more.write_text("loss_weights: {edge: 3}\nmodel: {overrides: {scan_kind: z}}\nrun: {workers: 0, pictures: 0}")
    files = [word for path in (*recipes, more) for word in ("--config", str(path))]
    small = ["--optim.steps", "1", "--run.validate_every", "1", "--data.length", "1", "--val.length", "1"]
    options = [*small, "--run.out", str(tmp_path / "run"), "--model.overrides.d_state", "3"]
    assert main(["train", *files, *options]) == 0
    kept = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    overrides = kept["model"]["overrides"]
    assert overrides["encoder_width"] == MICRO["encoder_width"]
    assert (overrides["scan"], overrides["d_model"], overrides["scan_kind"]) == (False, 32, "z")
    assert (overrides["d_state"], kept["loss_weights"]) == (3, {"edge": 3})


@pytest.mark.parametrize(
    "options",
    [
        ["--model.overrides", "{d_state: 3}"],
        ["--model.overrides={d_state: 3}"],
        ["--model", "{overrides: {d_state: 3}}"],
        ["--model.overrides", "{d_state: 2, scan_kind: z}", "--model.overrides", "{d_state: 3}"],
        ["--model.overrides", "{d_state: 2}", "--model.overrides.d_state", "3"],
    ],
)
def test_mappings_join_the_file(options, recipes, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr("pamm.cli.commands.train_command", lambda **settings: seen.update(settings) or 0)
    files = [word for path in recipes for word in ("--config", path)]
    assert main(["train", *files, *options, "--losses", "{edge: bce}", "--optim", "{lr: 1e-5}"]) == 0
    overrides = seen["model"].overrides
    assert (overrides["scan"], overrides["d_model"], overrides["d_state"]) == (False, 32, 3)
    assert (seen["losses"], seen["optim"].lr) == ({"edge": "bce"}, 1e-5)
    assert (seen["data"].height, seen["data"].width) == (32, 48)


@pytest.mark.parametrize("flag", [["--scan"], ["--scan", "true"], ["--scan=true", "--tasks", "[depth]"]])
def test_info_about_the_scan(flag, capsys):
    assert main(["info", *flag]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in SCAN_BACKENDS)
    assert "serves" in text
    assert "PAMM_SCAN_BACKEND" in text


def test_no_command(capsys):
    assert "subcommand" in fails(capsys)
    assert "bogus" in fails(capsys, "bogus")


def test_the_list_of_commands_waits_for_no_library():
    check = "import sys; from pamm.cli import build_parser; build_parser([]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], timeout=120).returncode == 0


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_summaries_are_those_of_the_functions(command):
    assert command.signature.__doc__.partition("\n")[0] == command.summary
