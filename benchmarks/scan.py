"""Time of the selective scan by backend, size and number of threads.

Run ``python benchmarks/scan.py`` (``--help`` lists the options). Backends are timed in turns on the same inputs, so
that a busy machine slows all of them alike; the figures are medians over the rounds.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pamm.ops import SCAN_BACKENDS, scan_orders, selective_scan


@dataclass(frozen=True)
class Size:
    """Sizes of one call: batch, tasks, rows and columns of the grid, channels, states, orders."""

    b: int
    T: int
    height: int
    width: int
    E: int
    N: int
    K: int = 4

    def __str__(self) -> str:
        """The sizes by their letters."""
        return f"b {self.b}, T {self.T}, L {self.height}×{self.width}, E {self.E}, N {self.N}, K {self.K}"

    def inputs(self) -> dict[str, Tensor]:
        """Random arguments of the scan, with decays as at the start of a training."""
        by_channel, by_state = (self.b, self.T, self.height * self.width, self.E), (self.T, self.E, self.N)
        weights = (self.b, self.T, self.height * self.width, self.N)
        tensors = {
            "x": torch.randn(by_channel),
            "delta": 0.1 * torch.randn(by_channel),
            "A": -torch.arange(1.0, self.N + 1).expand(by_state).clone(),
            "B": torch.randn(weights),
            "C": torch.randn(weights),
            "D": torch.ones(by_state[:2]),
            "delta_bias": -5 * torch.rand(by_state[:2]),
        }
        return {name: tensor.requires_grad_() for name, tensor in tensors.items()}


SIZES = {
    "tiny": Size(8, 6, 8, 10, 64, 4),
    "training": Size(8, 6, 16, 20, 64, 8),
    "large-batch": Size(16, 6, 16, 20, 64, 8),
    "wide": Size(8, 6, 16, 20, 128, 4),
    "one-image": Size(1, 6, 16, 20, 64, 8),
    "paper-384": Size(1, 1, 28, 36, 384, 16),
    "paper-1536": Size(1, 1, 28, 36, 1536, 16),
}


@dataclass(frozen=True)
class Stopwatch:
    """Wall and processor milliseconds of a block."""

    wall: list[float]
    cpu: list[float]

    def __enter__(self) -> None:
        """Start."""
        self.wall.append(-time.perf_counter())
        self.cpu.append(-time.process_time())

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.wall[-1] = 1000 * (self.wall[-1] + time.perf_counter())
        self.cpu[-1] = 1000 * (self.cpu[-1] + time.process_time())

    def __str__(self) -> str:
        """Medians, the first time left out as a warm-up."""
        wall, cpu = (statistics.median(times[1:]) for times in (self.wall, self.cpu))
        return f"{wall:.1f} ({cpu:.1f})"


def measure(size: Size, backends: list[str], rounds: int) -> dict[str, tuple[Stopwatch, Stopwatch]]:
    """Forward and backward times of the backends, taken in turns."""
    inputs = size.inputs()
    orders = scan_orders("hilbert", size.height, size.width, size.K)
    gradient = torch.randn_like(inputs["x"])
    watches = {name: (Stopwatch([], []), Stopwatch([], [])) for name in backends}
    for _ in range(rounds + 1):
        for name, (forward, backward) in watches.items():
            with forward:
                y = selective_scan(**inputs, orders=orders, backend=name)
            with backward:
                torch.autograd.grad(y, list(inputs.values()), gradient)
    return watches


def main() -> None:
    """Print one table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--backends", nargs="+", choices=SCAN_BACKENDS, default=list(SCAN_BACKENDS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    console = Console()
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        table = Table(title=f"selective scan, float32, {threads} thread(s): wall ms (CPU ms), medians")
        for column in ("size", "backend", "forward", "backward"):
            table.add_column(column)
        for name in arguments.sizes:
            watches = measure(SIZES[name], arguments.backends, arguments.rounds)
            for backend, (forward, backward) in watches.items():
                table.add_row(f"{name}: {SIZES[name]}", backend, str(forward), str(backward))
        console.print(table)


if __name__ == "__main__":
    main()
