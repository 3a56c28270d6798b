"""Training on several processes: the same global batch gives the same losses and weights as on one."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

WORKER = Path(__file__).parent / "worker.py"


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def train(folder, *, processes=1, optim, balance="fixed", **run):
    """Train in processes started as torchrun starts them; gives losses by step, and the last weights."""
    settings = {"optim": optim, "balance": {"name": balance}, "run": {"out": str(folder), "devices": processes, **run}}
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    shared |= {"LOCAL_WORLD_SIZE": str(processes), "TORCHELASTIC_RUN_ID": "test"} if processes > 1 else {}
    paths = [str(WORKER.parents[1]), os.environ.get("PYTHONPATH", "")]
    workers = []
    for rank in range(processes):
        env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"} | shared
        env |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"} if processes > 1 else {}
        command = [sys.executable, str(WORKER), json.dumps(settings)]
        workers.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    try:
        said = [worker.communicate(timeout=240)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * processes, "\n".join(said)
    with next((Path(folder) / "log").rglob("metrics.csv")).open() as file:
        rows = list(csv.DictReader(file))
    keys = [key for key in rows[0] if key.startswith(("train/", "val/loss"))]
    losses = {key: torch.tensor([float(row[key]) for row in rows if row[key]]) for key in keys}
    return losses, load_file(Path(folder) / "last/model.safetensors")


def assert_same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return train(tmp_path_factory.mktemp("alone") / "run", optim={"batch_size": 4})


def test_two_processes_train_as_one(alone, tmp_path):
    losses, _ = alone
    assert len(losses["val/loss"]) == 2
    assert (losses["train/loss/depth"] == 0).any()
    assert (losses["train/loss/depth"] > 0).any()
    assert_same(train(tmp_path / "run", processes=2, optim={"batch_size": 2}), alone)


def test_weights_shared_out_train_as_whole_ones(alone, tmp_path):
    settings = {"processes": 2, "strategy": "fsdp", "pictures": 1}
    train(tmp_path / "run", optim={"batch_size": 2, "steps": 2}, **settings)
    _, weights = train(tmp_path / "run", optim={"batch_size": 2}, resume=True, **settings)
    assert_same([weights], alone[1:])


def test_gradients_of_tasks_are_those_of_the_whole_batch(tmp_path):
    settings = {"balance": "gradnorm", "recompute": True}
    one = train(tmp_path / "one", optim={"batch_size": 4, "steps": 2}, **settings)
    assert_same(train(tmp_path / "two", processes=2, optim={"batch_size": 2, "steps": 2}, **settings), one)
