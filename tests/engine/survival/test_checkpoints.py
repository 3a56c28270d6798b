"""What is kept of checkpoints, and what is noticed of their damages."""

import os
import random
import subprocess
import sys

import pytest
import torch

from pamm.engine.module import PAMMModule
from pamm.engine.survival.checkpoints import AtomicCheckpoints, damage, list_checkpoints
from survival_toys import run

CONTENT = {"weights": torch.arange(2000.0), "step": 7}


def test_the_last_two_and_the_best_are_kept(tmp_path, monkeypatch):
    losses = iter([5.0, 1.0, 4.0, 2.0, 3.0, 6.0])

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.loss, batch_size=1)

    def on_validation_start(self):
        self.loss = next(losses)

    monkeypatch.setattr(PAMMModule, "validation_step", validation_step)
    monkeypatch.setattr(PAMMModule, "on_validation_start", on_validation_start)
    monkeypatch.setattr(PAMMModule, "on_validation_epoch_end", lambda self: None)
    run(tmp_path / "run", validate_every=1, keep=2)
    assert [step for step, _ in list_checkpoints(tmp_path / "run")] == [6, 5, 4, 2]


def save(content, folder):
    AtomicCheckpoints().save_checkpoint(content, folder / "checkpoints/step_0000007.ckpt")
    return list_checkpoints(folder)[0][1]


def test_every_damage_is_noticed(tmp_path):
    path = save(CONTENT, tmp_path)
    whole = path.read_bytes()
    assert damage(path) is None
    for place in random.Random(0).sample(range(len(whole)), 50):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert damage(path)
        path.write_bytes(whole[:place])
        assert damage(path)


FULL = """
import resource, sys, torch
from pamm.engine.survival.checkpoints import AtomicCheckpoints
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    AtomicCheckpoints().save_checkpoint({"weights": torch.zeros(200_000)}, sys.argv[1])
except ValueError as error:
    print(error)
"""


def test_a_disk_that_is_full_while_torch_writes(tmp_path):
    path = save(CONTENT, tmp_path)
    name = path.with_name("step_0000007.ckpt")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FULL, str(name)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert f"cannot write {name}: " in done.stdout
    assert damage(path) is None
    assert list(path.parent.iterdir()) == [path]


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    run(tmp_path / "run", steps=3)
    list_checkpoints(tmp_path / "run")[0][1].unlink()
    save({"state_dict": Payload(tmp_path / "ran")}, tmp_path / "run")
    with pytest.raises(ValueError, match="damaged or of another network"):
        run(tmp_path / "run", resume=True)
    assert not (tmp_path / "ran").exists()


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
