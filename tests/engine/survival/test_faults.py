"""Bad batches, dead readers, unreadable photos, full disks and two runs in one folder."""

import errno
import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from pamm.data.files import WriteError
from pamm.engine.balancing import BalanceConfig
from pamm.engine.module import PAMMModule
from pamm.engine.survival import bad_steps, log
from pamm.engine.survival.checkpoints import list_checkpoints
from pamm.engine.survival.lock import only_run
from pamm.engine.survival.steady_loader import ReaderError, SteadyLoader
from survival_toys import assert_same_end, read_log, run, start
from toys import Rectangles


def spoil(monkeypatch, step, how):
    """Let something befall the loss of a step."""
    training_step = PAMMModule.training_step

    def spoilt(self, batch, batch_idx):
        if self.global_step == step:
            batch["image"][:] = how
        return training_step(self, batch, batch_idx)

    monkeypatch.setattr(PAMMModule, "training_step", spoilt)


def test_a_loss_that_is_not_a_number_ends_the_run(tmp_path, monkeypatch):
    spoil(monkeypatch, 3, float("nan"))
    with pytest.raises(ValueError, match=r"step 4: loss nan.*step_0000004\.json"):
        run(tmp_path / "run")
    noted = json.loads((tmp_path / "run/bad_batches/step_0000004.json").read_text())
    assert noted["losses"] == ["nan"]
    assert len(noted["names"]) == 2
    assert all(name.startswith("rectangle ") for name in noted["names"])
    monkeypatch.undo()
    run(tmp_path / "run", resume=True)
    run(tmp_path / "other")
    assert_same_end(tmp_path / "other", tmp_path / "run")


def test_an_exploded_loss_counts_as_bad(tmp_path):
    with pytest.raises(ValueError, match="step 1: loss"):
        run(tmp_path / "run", largest_loss=1e-3)


def test_an_infinite_gradient_counts_as_bad(tmp_path, monkeypatch):
    def infinite(self):
        next(self.parameters()).grad.fill_(float("inf"))

    monkeypatch.setattr(PAMMModule, "on_after_backward", infinite, raising=False)
    with pytest.raises(ValueError, match="norm of the gradient inf"):
        run(tmp_path / "run")


def test_a_bad_step_left_out_changes_nothing(tmp_path, monkeypatch):
    spoil(monkeypatch, 2, float("nan"))
    with pytest.warns(UserWarning, match="step 3: loss nan.*left out"):
        run(tmp_path / "run", steps=3, non_finite="skip", pictures=0)
    weights = load_file(tmp_path / "run/last/model.safetensors")
    assert all(tensor.isfinite().all() for tensor in weights.values())
    rows = read_log(tmp_path / "run")
    assert [row["train/skipped"] for row in rows if row["train/skipped"]] == ["1.0"]
    monkeypatch.undo()
    run(tmp_path / "two", steps=3, checkpoint_every=2)
    (path,) = (path for step, path in list_checkpoints(tmp_path / "two") if step == 2)
    before = torch.load(path, weights_only=True)["state_dict"]
    for name, tensor in weights.items():
        assert torch.equal(tensor, before[f"model.{name}"]), name


def test_a_lost_network_ends_the_run_even_so(tmp_path, monkeypatch):
    monkeypatch.setattr(bad_steps, "LOST", 2)
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="the 2th bad step in a row"):
        run(tmp_path / "run", non_finite="skip", largest_loss=1e-3)


class Deadly(Rectangles):
    """Rectangles of which one kills the process that reads it, as often as there are files to count it with."""

    def __init__(self, lives):
        super().__init__()
        self.lives = lives

    def __getitem__(self, index):
        if index == 4:
            for life in sorted(self.lives.iterdir()):
                life.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_a_reader_that_dies_is_replaced(tmp_path):
    lives = tmp_path / "lives"
    lives.mkdir()
    (lives / "1").touch()
    data = Deadly(lives)
    whole = [batch["name"] for batch in SteadyLoader(Named(Rectangles()), range(6), batch_size=2)]
    loader = SteadyLoader(Named(data), range(6), batch_size=2, num_workers=1, persistent_workers=True)
    with pytest.warns(UserWarning, match="reading goes on with new processes"):
        assert [batch["name"] for batch in loader] == whole
    assert [batch["name"] for batch in loader] == whole
    for life in "123":
        (lives / life).touch()
    gone_on = pytest.warns(UserWarning, match="reading goes on")
    with gone_on, pytest.raises(ReaderError, match="died 3 times at the same batch"):
        list(loader)


class Named(torch.utils.data.Dataset):
    """Names of samples."""

    def __init__(self, base):
        self.base = base

    def __getitem__(self, index):
        return {"name": self.base[index].name}


class Torn(Rectangles):
    """Rectangles of which some cannot be read."""

    def __init__(self, *torn):
        super().__init__()
        self.torn = torn

    def __getitem__(self, index):
        if index in self.torn:
            raise OSError(f"{index}.png: torn")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_photo(tmp_path, workers):
    with pytest.raises(ValueError, match=r"^3\.png: torn$"):
        run(tmp_path / "stop", data=Torn(3), workers=workers)
    with pytest.warns(UserWarning, match=r"3\.png: torn: another sample stands in for it"):
        run(tmp_path / "skip", data=Torn(0, 3), workers=workers, unreadable="skip")
    assert sorted(json.loads((tmp_path / "skip/unreadable.json").read_text())) == ["0.png: torn", "3.png: torn"]
    with pytest.raises(ValueError, match="10 samples in a row cannot be read"):
        run(tmp_path / "none", data=Torn(*range(6)), workers=workers, unreadable="skip")


def test_a_full_disk_ends_the_run_and_room_lets_it_go_on(tmp_path, monkeypatch):
    def full(path):
        raise WriteError(f"cannot write {path}: {os.strerror(errno.ENOSPC)}")

    with monkeypatch.context() as patch:
        patch.setattr(log, "atomic_write", full)
        with pytest.raises(ValueError, match="No space left"):
            run(tmp_path / "run", checkpoint_every=1)
    run(tmp_path / "run", resume="auto")
    run(tmp_path / "other")
    assert_same_end(tmp_path / "other", tmp_path / "run")


def test_two_runs_in_one_folder(tmp_path):
    with only_run(tmp_path / "run"), pytest.raises(ValueError, match="another process is training in"):
        run(tmp_path / "run")
    process = start(tmp_path / "run", signal_at=(1, "SIGKILL"), workers=1)
    process.wait(600)
    assert (tmp_path / "run/run.lock").exists()
    run(tmp_path / "run")


def test_the_loss_that_is_watched_is_not_the_scalar_that_a_balancer_makes(tmp_path):
    with pytest.raises(ValueError, match=r"step 1: loss 57\."):
        run(tmp_path / "run", largest_loss=50.0, balance=BalanceConfig(name="pcgrad"))
    with pytest.warns(UserWarning, match="left out"):
        run(tmp_path / "skip", steps=3, largest_loss=50.0, non_finite="skip", balance=BalanceConfig(name="dwa"))
