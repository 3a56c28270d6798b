"""Resuming, refusing and interrupting runs."""

import errno
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch
import yaml
from safetensors.torch import load_file

from cli_checks import fails
from pamm.cli import main
from pamm.data.files import WriteError
from pamm.engine.callbacks import KeepWeights
from pamm.engine.config import OptimConfig, RunConfig
from pamm.engine.fit import fit
from pamm.engine.recipe import Recipe
from pamm.engine.run_folder import check_folder, find_checkpoint, keep_record
from pamm.engine.survival.checkpoints import AtomicCheckpoints
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import MICRO, Rectangles

SIZES = {key: value for key, value in MICRO.items() if key != "image_size"}


@pytest.fixture
def config(tmp_path):
    """A config of a micro run on scenes."""
    path = tmp_path / "config.yaml"
    settings = {
        "model": {"preset": "pamm_tiny", "overrides": SIZES},
        "data": {"name": "scenes", "length": 4, "height": 32, "width": 48},
        "val": {"name": "scenes", "seed": 1, "length": 3},
        "optim": {"steps": 2, "batch_size": 1},
        "run": {"out": str(tmp_path / "run"), "validate_every": 1, "workers": 0, "pictures": 1},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def test_a_run_is_resumed_with_its_own_settings_only(config, tmp_path, capsys):
    assert main(["train", "--config", str(config)]) == 0
    resume = ("--config", config, "--run.resume", "true", "--optim.steps", "4")
    record = (tmp_path / "run/config.yaml").read_text()
    text = fails(capsys, "train", *resume, "--model.overrides.d_model", "32")
    assert "model.overrides.d_model = 16, now it is 32" in text
    assert "optim.lr = 1e-05, now it is 0.5" in fails(capsys, "train", *resume, "--optim.lr", "0.5")
    assert (tmp_path / "run/config.yaml").read_text() == record
    assert main(["train", *map(str, resume)]) == 0


def test_a_mix_is_resumed_with_its_sets_in_their_order(tmp_path, monkeypatch):
    def mix(*names):
        return {"data": {"name": "mix", "sets": {name: {"weight": 1.0} for name in names}}}

    keep_record(tmp_path, mix("rooms", "street"))
    monkeypatch.setattr("pamm.engine.run_folder.list_checkpoints", lambda folder: [(1, folder)])
    assert check_folder(tmp_path, mix("rooms", "street"), resume=True)
    with pytest.raises(ValueError, match=r"data\.sets = \['rooms', 'street'\], now it is \['street', 'rooms'\]"):
        check_folder(tmp_path, mix("street", "rooms"), resume=True)


def test_mistakes_leave_no_folder(config, tmp_path, capsys):
    for options, message in (
        (["--data.height", "36"], "image_size is (36, 48), must be multiples of patch_size = 8"),
        (["--val.height", "36"], "val.height is 36"),
        (["--augment.scale", "[2, 1]"], "the smaller first"),
        (["--augment.crop_task", "semsge"], "no task to crop by 'semsge': did you mean 'semseg'"),
        (["--run.threads", "0"], "threads must be greater than 0"),
        (["--run.workers", "-1"], "workers must be 0 or more"),
        (["--run.accelerator", "tpu"], "run.accelerator 'tpu'"),
        (["--model.overrides.tasks", "[depth]"], "cannot hold tasks"),
    ):
        assert message in fails(capsys, "train", "--config", config, *options)
        assert not (tmp_path / "run").exists(), options


def test_validation_on_other_classes_is_refused(tmp_path):
    network = create_model("pamm_tiny", **MICRO)
    other = Rectangles([create_other("semseg")])
    with pytest.raises(ValueError, match="semseg: the network predicts 40 channels"):
        fit(
            network,
            Rectangles(),
            other,
            optim=OptimConfig(steps=1),
            run=RunConfig(out=str(tmp_path / "run"), validate_every=1),
        )
    assert not (tmp_path / "run").exists()


def create_other(name):
    from dataclasses import replace

    return replace(TASKS[name], channels=3, class_names=("a", "b", "c"), colours=())


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "step_0000001.ckpt"
    AtomicCheckpoints().save_checkpoint({"step": torch.ones(3)}, path)
    before = list(tmp_path.iterdir())

    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(WriteError, match=r"cannot write .*step_0000001\.ckpt: No space left"):
        AtomicCheckpoints().save_checkpoint({"step": torch.zeros(3)}, path)
    assert list(tmp_path.iterdir()) == before


def test_ctrl_c_is_an_interruption(config, monkeypatch, capsys):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(KeepWeights, "on_train_batch_start", interrupt)
    assert main(["train", "--config", str(config)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_settings_of_a_python_run(tmp_path):
    record = {"a": {"b": (1, 2)}}
    assert find_checkpoint(tmp_path / "run", record, resume=False) == (0, None)
    assert not (tmp_path / "run").exists()
    keep_record(tmp_path / "run", record)
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text()) == {"a": {"b": [1, 2]}}


def test_two_processes_train_one_network(config, tmp_path):
    command = [sys.executable, "-m", "pamm", "train", "--config", str(config), "--run.devices", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PAMM_SCAN_BACKEND": "chunked"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("Best weights:") == 1
    assert "Warning" not in done.stderr
    weights = load_file(tmp_path / "run/last/model.safetensors")
    assert all(tensor.isfinite().all() for tensor in weights.values() if tensor.is_floating_point())


def test_settings_that_are_new_were_as_they_are_by_default(tmp_path, monkeypatch):
    monkeypatch.setattr("pamm.engine.run_folder.list_checkpoints", lambda folder: [(1, folder)])
    record = asdict(Recipe(optim=OptimConfig(lr=0.5)))
    keep_record(tmp_path, {"optim": {"lr": 0.5}})
    assert check_folder(tmp_path, record, resume=True)
    with pytest.raises(ValueError, match=r"optim\.layer_decay = 1\.0, now it is 0\.5"):
        check_folder(tmp_path, record | {"optim": asdict(OptimConfig(lr=0.5, layer_decay=0.5))}, resume=True)
