"""Files of others run no code, and nothing is fetched that was not asked for."""

import os
import socket

import pytest
import torch
import yaml

from cli_checks import fails
from pamm.cli import main
from pamm.engine.run_folder import find_checkpoint, keep_record
from pamm.engine.survival.checkpoints import AtomicCheckpoints
from toys import MICRO

SIZES = {key: value for key, value in MICRO.items() if key != "image_size"}
TRAIN = {
    "model": {"preset": "pamm_tiny", "overrides": SIZES},
    "data": {"length": 2, "height": 32, "width": 48},
    "val": {"seed": 1, "length": 1},
    "optim": {"steps": 1, "batch_size": 1},
}


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors"])
def test_foreign_weights(tmp_path, capsys, suffix):
    path, ran = tmp_path / f"foreign{suffix}", tmp_path / "ran"
    torch.save({"model": Payload(ran)}, path)
    assert path.name in fails(capsys, "convert", path, "--out", tmp_path / "out")
    text = fails(capsys, "train", "--model.init", path, "--run.out", tmp_path / "run")
    assert f"pamm convert {path} FOLDER" in text
    assert path.name in fails(capsys, "train", "--model.encoder_weights", path, "--run.out", tmp_path / "run")
    assert path.name in fails(capsys, "eval", "--weights", path)
    assert not ran.exists()


@pytest.mark.parametrize(
    "text",
    [
        "optim: !!python/object/apply:os.mkdir ['{ran}']",
        "run: {{out: !!python/object/apply:os.mkdir ['{ran}']}}",
        "optim: {{class_path: os.mkdir, init_args: {{path: '{ran}'}}}}",
        "model: {{preset: pamm_tiny, overrides: {{d_model: !!python/object/new:os.mkdir ['{ran}']}}}}",
        "model: {{encoder_weights: !!python/name:os.mkdir ''}}",
    ],
)
def test_configs(tmp_path, capsys, text):
    path, ran = tmp_path / "config.yaml", tmp_path / "ran"
    path.write_text(text.format(ran=ran))
    fails(capsys, "train", "--config", path, "--run.out", tmp_path / "run")
    fails(capsys, "data", "check", path)
    inline = text.format(ran=ran).partition(": ")
    if inline[2].startswith("{"):
        fails(capsys, "train", f"--{inline[0]}", inline[2], "--run.out", tmp_path / "run")
    assert not ran.exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text",
    [
        "model: {{overrides: {{d_model: {{class_path: {name}.Made}}}}}}",
        "model: {{overrides: {{class_path: {name}.Made}}}}",
        "loss_weights: {{class_path: {name}.Made}}",
        "augment: {{class_path: {name}.Made, init_args: {{}}}}",
    ],
)
def test_classes_that_a_config_names_are_neither_imported_nor_built(tmp_path, capsys, monkeypatch, text):
    name = f"{tmp_path.name}_evil".replace("-", "_")
    ran, path = tmp_path / "ran", tmp_path / "config.yaml"
    (tmp_path / f"{name}.py").write_text(f"import os\nos.mkdir({str(ran)!r})\nclass Made(dict): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    path.write_text(text.format(name=name))
    fails(capsys, "train", "--config", path, "--run.out", tmp_path / "run")
    assert not ran.exists()


def test_the_settings_of_a_run_that_is_resumed(tmp_path):
    keep_record(tmp_path, {})
    AtomicCheckpoints().save_checkpoint({}, tmp_path / "checkpoints/step_0000001.ckpt")
    (tmp_path / "config.yaml").write_text(f"optim: !!python/object/apply:os.mkdir ['{tmp_path / 'ran'}']")
    with pytest.raises(ValueError, match="cannot read the settings of the run"):
        find_checkpoint(tmp_path, {}, resume=True)
    assert not (tmp_path / "ran").exists()


def test_nothing_is_fetched_unless_asked(tmp_path, monkeypatch):
    def refuse(self, address):
        raise AssertionError(f"something wants to connect to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: refuse(None, address))
    config = tmp_path / "config.yaml"
    run = {"out": str(tmp_path / "run"), "validate_every": 1, "workers": 0, "pictures": 1}
    config.write_text(yaml.safe_dump({**TRAIN, "run": run}))
    assert main(["train", "--config", str(config)]) == 0
    assert main(["eval", "--weights", str(tmp_path / "run/best"), "--data.length", "1", "--workers", "0"]) == 0
    assert main(["info", str(config)]) == 0
