"""A small training run that a test starts in a process of its own, to be killed or stopped at a step."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from pamm.engine.balancing import BalanceConfig
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.fit import fit
from pamm.engine.module import PAMMModule
from pamm.models import create_model
from toys import MICRO, Rectangles

ROUND = 3


def run(folder, *, steps=6, data=None, optim=None, balance=BalanceConfig(), **settings):
    """Train a micro network on rectangles: rounds of three steps, every step logged."""
    data = data or Rectangles()
    torch.manual_seed(0)
    settings = {"validate_every": ROUND, "log_every": 1, "workers": 0, "pictures": 0, "accelerator": "cpu"} | settings
    return fit(
        create_model("pamm_tiny", tasks=data.tasks, **MICRO),
        data,
        data,
        optim=OptimConfig(steps=steps, batch_size=2, lr=1e-2, name="adamw", **(optim or {})),
        run=RunConfig(out=str(folder), **settings),
        augment=AugmentConfig(),
        balance=balance,
    )


def start(folder, **settings):
    """Start the run as a process, its settings as for :func:`run`, and ``signal_at=(step, name)`` besides."""
    code = f"import survival_toys; survival_toys.run_and_signal({str(folder)!r}, **{settings!r})"
    paths = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)


def run_and_signal(folder, *, signal_at, **settings):
    """Train, and send this process a signal in the middle of a step."""
    step, name = signal_at
    backward = PAMMModule.on_before_backward if hasattr(PAMMModule, "on_before_backward") else None

    def strike(self, loss):
        if self.global_step == step:
            os.kill(os.getpid(), getattr(signal, name))
        if backward is not None:
            backward(self, loss)

    PAMMModule.on_before_backward = strike
    torch.set_num_threads(1)
    run(folder, **settings)


def assert_same_end(one, other):
    """Two runs have the same weights bit for bit, and the same log."""
    for name in ("last", "best"):
        first, second = (load_file(folder / name / "model.safetensors") for folder in (one, other))
        assert first.keys() == second.keys()
        for key, tensor in first.items():
            assert torch.equal(tensor, second[key]), f"{name}: {key}"
    assert read_log(one) == read_log(other)


def read_log(folder):
    """The rows of a run's log."""
    with (folder / "log/metrics.csv").open() as file:
        return list(csv.DictReader(file))
