"""Runs that are killed or stopped end as if nothing had been."""

import pytest
import torch

from pamm.engine.survival.checkpoints import list_checkpoints
from survival_toys import assert_same_end, run, start


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of a run that nothing disturbs."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "unbroken"
    run(folder)
    return folder


@pytest.mark.parametrize("step", [1, 2, 3, 5])
@pytest.mark.parametrize("workers", [0, 1])
def test_killed_at_any_step(unbroken, tmp_path, step, workers):
    process = start(tmp_path / "run", signal_at=(step, "SIGKILL"), checkpoint_every=1, workers=workers)
    assert process.wait(120) == -9
    run(tmp_path / "run", resume=True, workers=workers)
    assert_same_end(unbroken, tmp_path / "run")


@pytest.mark.parametrize("step", [0, 2, 4])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_stopped_by_a_scheduler(unbroken, tmp_path, step, name):
    process = start(tmp_path / "run", signal_at=(step, name))
    assert process.wait(120) == 0, process.stderr.read()
    assert step + 1 in list_checkpoints(tmp_path / "run")
    run(tmp_path / "run", resume=True)
    assert_same_end(unbroken, tmp_path / "run")
