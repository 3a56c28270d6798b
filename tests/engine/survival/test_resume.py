"""Runs that are killed or stopped end as if nothing had been."""

import random

import pytest
import torch

from pamm.engine.module import PAMMModule
from pamm.engine.survival.checkpoints import list_checkpoints
from survival_toys import assert_same_end, run, start

KILLED = -9


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of a run that nothing disturbs."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("unbroken")
    run(folder)
    return folder


@pytest.mark.parametrize("workers", [0, 1])
def test_killed_at_a_random_step(unbroken, tmp_path, workers):
    step = random.randint(1, 5)
    process = start(tmp_path / "run", signal_at=(step, "SIGKILL"), checkpoint_every=1, workers=workers)
    assert process.wait(600) == KILLED, process.stderr.read()
    run(tmp_path / "run", resume=True, workers=workers)
    assert_same_end(unbroken, tmp_path / "run")


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_broken_off_at_any_step(unbroken, tmp_path, step, monkeypatch):
    def strike(self, loss):
        if self.global_step == step:
            raise RuntimeError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(PAMMModule, "on_before_backward", strike)
        with pytest.raises(RuntimeError, match="power"):
            run(tmp_path / "run", checkpoint_every=2)
    run(tmp_path / "run", resume="auto")
    assert_same_end(unbroken, tmp_path / "run")


@pytest.mark.parametrize(("step", "name"), [(1, "SIGTERM"), (2, "SIGTERM"), (4, "SIGUSR1")])
def test_stopped_by_a_scheduler(unbroken, tmp_path, step, name):
    process = start(tmp_path / "run", signal_at=(step, name))
    assert process.wait(600) == 0, process.stderr.read()
    assert list_checkpoints(tmp_path / "run")[0][0] == step + 1
    run(tmp_path / "run", resume=True)
    assert_same_end(unbroken, tmp_path / "run")


def test_from_the_checkpoint_before_a_damaged_one(unbroken, tmp_path):
    folder = tmp_path / "run"
    run(folder, steps=6, checkpoint_every=1)
    _, last = list_checkpoints(folder)[0]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    with pytest.warns(UserWarning, match=r"step_0000006-\w+\.ckpt is damaged"):
        run(folder, resume=True)
    assert_same_end(unbroken, folder)
    for _, path in list_checkpoints(folder):
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.warns(UserWarning, match="is damaged"), pytest.raises(ValueError, match="no whole checkpoint"):
        run(folder, resume=True)


def test_broken_off_between_steps_of_several_batches(tmp_path, monkeypatch):
    def strike(self, loss):
        if self.global_step == 2 and self.trainer.fit_loop.batch_idx % 2:
            raise RuntimeError("the power went")

    settings = {"optim": {"accumulate": 2}, "steps": 3}
    with monkeypatch.context() as patch:
        patch.setattr(PAMMModule, "on_before_backward", strike)
        with pytest.raises(RuntimeError, match="power"):
            run(tmp_path / "run", checkpoint_every=1, **settings)
    assert list_checkpoints(tmp_path / "run")[0][0] == 2
    run(tmp_path / "run", resume=True, **settings)
    run(tmp_path / "other", **settings)
    assert_same_end(tmp_path / "other", tmp_path / "run")
