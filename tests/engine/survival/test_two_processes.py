"""Two processes that train together are stopped together and go on as one run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pamm.engine.survival.checkpoints import list_checkpoints
from survival_toys import assert_same_end
from toys import MICRO

SIZES = {key: value for key, value in MICRO.items() if key != "image_size"}
STRIKE = """
import os, signal, sys
from pamm.cli import main
from pamm.engine.module import PAMMModule
def strike(self, loss):
    if self.global_step == 1 and self.global_rank == {rank}:
        os.kill(os.getpid(), signal.SIGTERM)
PAMMModule.on_before_backward = strike
sys.exit(main())
"""


def train(tmp_path, name, *options, rank=-1):
    config, script = tmp_path / f"{name}.yaml", tmp_path / f"strike_{rank}.py"
    settings = {
        "model": {"preset": "pamm_tiny", "overrides": SIZES},
        "data": {"length": 4, "height": 32, "width": 48},
        "val": {"seed": 1, "length": 2},
        "optim": {"steps": 4, "batch_size": 1, "lr": 0.01},
        "run": {"out": str(tmp_path / name), "validate_every": 4, "workers": 0, "pictures": 0, "log_every": 1}
        | {"devices": 2, "accelerator": "cpu"},
    }
    config.write_text(yaml.safe_dump(settings))
    script.write_text(STRIKE.format(rank=rank))
    paths = [str(Path(__file__).parents[2]), *sys.path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PAMM_SCAN_BACKEND": "chunked"}
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, str(script), "train", "--config", str(config), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of a run of two processes that nothing disturbs."""
    folder = tmp_path_factory.mktemp("two")
    train(folder, "run")
    return folder / "run"


@pytest.mark.parametrize("rank", [0, 1])
def test_a_stop_told_to_either_process(unbroken, tmp_path, rank):
    said = train(tmp_path, "run", rank=rank)
    assert said.count("stopped as asked after step 2") == 1
    assert [step for step, _ in list_checkpoints(tmp_path / "run")] == [2]
    train(tmp_path, "run", "--run.resume", "auto")
    assert_same_end(unbroken, tmp_path / "run")
