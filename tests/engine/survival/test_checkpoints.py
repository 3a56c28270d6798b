"""What is kept of checkpoints, and what is noticed of their damages."""

import os
import random
import resource
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
    assert list(list_checkpoints(tmp_path / "run")) == [6, 5, 4, 2]


def test_every_damage_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "step_0000007.ckpt"
    AtomicCheckpoints().save_checkpoint(CONTENT, path)
    whole = path.read_bytes()
    assert damage(path) is None
    for place in random.Random(0).sample(range(len(whole)), 300):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        if damage(path) is None:
            loaded = torch.load(path, weights_only=True)
            assert loaded["step"] == 7
            assert torch.equal(loaded["weights"], CONTENT["weights"])
        path.write_bytes(whole[:place])
        assert damage(path)


FULL = """
import resource, signal, sys, torch
from pamm.engine.survival.checkpoints import AtomicCheckpoints
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    AtomicCheckpoints().save_checkpoint({"weights": torch.zeros(200_000)}, sys.argv[1])
except ValueError as error:
    print(error)
"""


def test_a_disk_that_is_full_while_torch_writes(tmp_path):
    path = tmp_path / "step_0000007.ckpt"
    AtomicCheckpoints().save_checkpoint(CONTENT, path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"cannot write {path}: " in done.stdout
    assert damage(path) is None
    assert list(tmp_path.iterdir()) == [path]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    run(tmp_path / "run", steps=3)
    (path,) = list_checkpoints(tmp_path / "run").values()
    torch.save({"state_dict": Payload(tmp_path / "ran")}, path)
    with pytest.raises(ValueError, match="damaged or of another network"):
        run(tmp_path / "run", resume=True)
    assert not (tmp_path / "ran").exists()


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
