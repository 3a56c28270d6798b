"""The limits of this machine that the times of the scan are compared with, measured by compiled loops."""

import ctypes
import os
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("limits.c")
FLAGS = ("-std=gnu11", "-O3", "-fPIC", "-shared", "-march=native", "-ffp-contract=fast", "-Wno-psabi")
READ = 1 << 26
"""Numbers that a thread reads from memory, more than caches hold."""


@dataclass(frozen=True)
class Limits:
    """What a number of threads does in a second, at best."""

    threads: int
    exponentials: float
    """float32 exponentials, by the polynomial of the compiled scan."""
    multiply_adds: float
    """float32 multiply-adds, from registers."""
    bytes_read: float
    """Bytes read in order from memory."""

    def forward_floor(self, exponentials: float, updates: float) -> float:
        """Least seconds of a forward pass, given its exponentials and its updates of a state."""
        return exponentials / self.exponentials + 3 * updates / self.multiply_adds

    def backward_floor(self, exponentials: float, updates: float) -> float:
        """Least seconds of a backward pass's arithmetic: three operations to recompute, seven for the gradients."""
        return exponentials / self.exponentials + 10 * updates / self.multiply_adds


@contextmanager
def compiled() -> Iterator[ctypes.CDLL]:
    """The compiled loops.

    Raises:
        OSError: if there is no compiler.
        subprocess.CalledProcessError: if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "limits.so"
        subprocess.run([*shlex.split(os.environ.get("CC", "cc")), *FLAGS, SOURCE, "-o", target, "-lm"], check=True)
        library = ctypes.CDLL(str(target))
        for name in ("exponentials", "multiply_adds", "bytes_read"):
            getattr(library, name).restype = ctypes.c_double
        yield library


def rate(work: Callable[[int], float], threads: int, rounds: int) -> float:
    """Units a second of all threads together, the best of some rounds."""
    best = 0.0
    for _ in range(rounds):
        units, gate = [0.0] * threads, threading.Barrier(threads + 1)

        def one(number: int, units: list[float] = units, gate: threading.Barrier = gate) -> None:
            gate.wait()
            units[number] = work(number)
            gate.wait()

        workers = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        gate.wait()
        start = time.perf_counter()
        gate.wait()
        best = max(best, sum(units) / (time.perf_counter() - start))
    return best


def measure_limits(threads: int, rounds: int = 15) -> Limits:
    """Measure what some threads do at best; see :func:`compiled` for the errors."""
    memory = [np.full(READ, 0.5, dtype=np.float32) for _ in range(threads)]
    address = [ctypes.c_void_p(array.ctypes.data) for array in memory]
    with compiled() as library:
        return Limits(
            threads=threads,
            exponentials=rate(lambda number: library.exponentials(address[number]), threads, rounds),
            multiply_adds=rate(lambda number: library.multiply_adds(address[number]), threads, rounds),
            bytes_read=rate(
                lambda number: library.bytes_read(address[number], ctypes.c_int64(READ)), threads, min(rounds, 5)
            ),
        )
