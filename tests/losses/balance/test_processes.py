"""Balancing on several processes: the same whole batch gives the same steps as on one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

WORKER = Path(__file__).parent / "worker.py"


def train(out, *, processes):
    """Train in processes started as torchrun starts them; gives what the first one ends with."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(out)],
            env=os.environ | shared | {"RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(processes)
    ]
    try:
        said = [worker.communicate(timeout=120)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0] * processes, "\n".join(said)
    return torch.load(out, weights_only=True)


def test_two_processes_train_as_one(tmp_path):
    one, two = (train(tmp_path / f"{count}.pt", processes=count) for count in (1, 2))
    for method, state in one.items():
        assert state.keys() == two[method].keys()
        for name, tensor in state.items():
            torch.testing.assert_close(two[method][name], tensor, rtol=1e-4, atol=1e-5, msg=f"{method} {name}")
