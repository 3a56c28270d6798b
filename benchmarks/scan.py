"""Time and memory of the selective scan: this package's backends, others' scans, and what the machine allows.

Run ``python benchmarks/scan.py`` (``--help`` lists the options; it needs a C compiler and, for one of the others, ``pip
install mambapy``). All is measured in one run on the same inputs, in turns, so that a busy machine slows all alike;
times are medians over the rounds, in wall milliseconds. A floor is the time that the exponentials and multiply-adds of
a pass take when nothing else does: one exponential for each channel, state and position, shared by the orders; three
multiply-adds forward and ten backward for each of these and each order.
"""

import argparse
import ctypes
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from limits import Limits, measure_limits
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from ways import Way, ways_here

from pamm.ops import scan_orders

PATIENCE = 5000
"""Milliseconds after which a way has had rounds enough."""
MOST_SQUARE = 1 << 16
"""Positions times channels beyond which a backward pass whose time is quadratic is left out."""
MOST_KEPT = 500_000_000
"""States beyond which those that keep them all would fill the memory: only their forward pass is measured, alone."""


@dataclass(frozen=True)
class Size:
    """Sizes of one call: channels, states, tasks, batch, rows and columns of the grid, orders."""

    E: int
    N: int
    T: int = 1
    b: int = 1
    height: int = 28
    width: int = 36
    K: int = 4

    @property
    def L(self) -> int:
        """Positions."""
        return self.height * self.width

    @property
    def exponentials(self) -> float:
        """How many a pass needs."""
        return float(self.b * self.T * self.L * self.E * self.N)

    @property
    def updates(self) -> float:
        """How many states a pass computes."""
        return self.exponentials * self.K

    def __str__(self) -> str:
        """The sizes by their letters."""
        return f"E {self.E}, N {self.N}, L {self.L}, T {self.T}, b {self.b}, K {self.K}"

    def inputs(self, device: str) -> dict[str, Tensor]:
        """Random arguments of the scan, with decays as at the start of a training."""
        by_channel, by_state = (self.b, self.T, self.L, self.E), (self.T, self.E, self.N)
        weights = (self.b, self.T, self.L, self.N)
        tensors = {
            "x": torch.randn(by_channel),
            "delta": 0.1 * torch.randn(by_channel),
            "A": -torch.arange(1.0, self.N + 1).expand(by_state).clone(),
            "B": torch.randn(weights),
            "C": torch.randn(weights),
            "D": torch.ones(by_state[:2]),
            "delta_bias": -5 * torch.rand(by_state[:2]),
        }
        return {name: tensor.to(device).requires_grad_() for name, tensor in tensors.items()}


SIZES = {
    "small": Size(384, 16),
    "large": Size(1536, 16),
    "tasks-384": Size(384, 16, T=4),
    "tasks-1536": Size(1536, 16, T=4),
    "batch-1536": Size(1536, 16, T=4, b=4),
    "states-2048": Size(2048, 64, T=5, height=32, width=32),
    "tiny": Size(64, 4, T=6, b=8, height=16, width=20),
}
SCALING = {
    "L": [replace(SIZES["small"], height=14 * scale, width=18 * scale) for scale in (1, 2, 4, 8)],
    "K": [replace(SIZES["small"], K=orders) for orders in (1, 2, 4, 8)],
    "N": [replace(SIZES["small"], N=states) for states in (1, 4, 16, 64)],
}


@dataclass
class Result:
    """What a way took for a size: medians in milliseconds, and bytes beyond what was there before."""

    forward: float | None
    backward: float | None
    memory: int | None


def peak_of(work: Callable[[], object], device: str) -> int | None:
    """Bytes that were used at once, beyond those in use before; None where the system does not say."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    ctypes.CDLL(None).malloc_trim(0)  # what others left to the allocator would hide what is used now
    Path("/proc/self/clear_refs").write_text("5")  # the peak is the present from here on

    def kilobytes(key: str) -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(key))

    before = kilobytes("VmRSS")
    work()
    return 1024 * (kilobytes("VmHWM") - before)


def measure(size: Size, ways: list[Way], device: str, rounds: int, *, in_a_row: bool) -> dict[str, Result]:
    """Times of the ways, taken in turns, and their memory; the first calls of all do not count."""
    inputs = size.inputs(device)
    orders = scan_orders("hilbert", size.height, size.width, size.K).to(device)
    weight = torch.randn_like(inputs["x"])

    def clock() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return 1000 * time.perf_counter()

    def both(way: Way) -> tuple[float, float | None]:
        fits = size.updates <= MOST_KEPT or not way.keeps_states
        start = clock()
        with torch.set_grad_enabled(fits):
            y = way.scan(**inputs, orders=orders)
        forward = clock() - start
        if not fits or (way.quadratic and size.L * size.E > MOST_SQUARE):
            return forward, None
        start = clock()
        torch.autograd.grad(y, list(inputs.values()), weight)
        return forward, clock() - start

    first = {way.name: sum(filter(None, both(way))) for way in ways}
    times: dict[str, list[tuple[float, float | None]]] = {way.name: [] for way in ways}
    memory = {way.name: peak_of(lambda way=way: times[way.name].append(both(way)), device) for way in ways}
    for round_ in range(rounds):
        for way in ways:
            if round_ < PATIENCE / first[way.name]:
                if in_a_row:
                    both(way)
                times[way.name].append(both(way))

    def median(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.median(known) if known else None

    return {
        name: Result(*(median(column) for column in zip(*pairs, strict=True)), memory[name])
        for name, pairs in times.items()
    }


def table_of(title: str, size: Size, results: dict[str, Result], limits: Limits | None) -> Table:
    """Times, how many times the fastest's and the floor's they are, and memory."""
    table = Table(title=title)
    columns = ("", "forward", "× best", "× floor", "backward", "× best", "× floor", "MiB")
    for column in columns:
        table.add_column(column, justify="left" if column == "way" else "right", no_wrap=True)
    floors = (None, None)
    if limits is not None:
        amounts = size.exponentials, size.updates
        floors = (1000 * limits.forward_floor(*amounts), 1000 * limits.backward_floor(*amounts))
        table.add_row("floor", f"{floors[0]:.2f}", "", "", f"{floors[1]:.2f}", "", "", "")

    def cells(value: float | None, values: list[float], floor: float | None) -> tuple[str, str, str]:
        if value is None:
            return "", "", ""
        return f"{value:.2f}", f"{value / min(values):.1f}", f"{value / floor:.1f}" if floor else ""

    forwards, backwards = (
        [value for value in column if value is not None]
        for column in zip(*((result.forward, result.backward) for result in results.values()), strict=True)
    )
    for name, result in results.items():
        forward = cells(result.forward, forwards, floors[0])
        backward = cells(result.backward, backwards, floors[1])
        memory = "" if result.memory is None else f"{result.memory / 2**20:.1f}"
        table.add_row(name, *forward, *backward, memory)
    return table


def main() -> None:
    """Print the tables, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--scaling", nargs="*", choices=SCALING, default=[], help="series of sizes to measure too")
    parser.add_argument("--ways", nargs="+", help="names of the scans to compare; all that are here if left out")
    parser.add_argument("--threads", nargs="+", type=int, default=[torch.get_num_threads()])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--in-a-row", action="store_true", help="time the second of two calls in a row")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    arguments = parser.parse_args()
    console = Console()
    here = ways_here(arguments.device)
    unknown = set(arguments.ways or ()) - set(here)
    if unknown:
        parser.error(f"no such scan here: {', '.join(sorted(unknown))}; there are {', '.join(here)}")
    ways = [here[name] for name in arguments.ways or here]
    sizes = [SIZES[name] for name in arguments.sizes] + [size for key in arguments.scaling for size in SCALING[key]]
    record: list[dict[str, object]] = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        limits = measure_limits(threads) if arguments.device == "cpu" else None
        if limits is not None:
            console.print(
                f"{threads} thread(s), {platform.machine()}: {limits.exponentials / 1e9:.1f} G exponentials/s, "
                f"{limits.multiply_adds / 1e9:.1f} G multiply-adds/s, {limits.bytes_read / 1e9:.1f} GB/s from memory"
            )
        for size in track(sizes, description="measuring", transient=True, console=console):
            results = measure(size, ways, arguments.device, arguments.rounds, in_a_row=arguments.in_a_row)
            console.print(table_of(f"{size}; {threads} thread(s)", size, results, limits))
            rows = {name: asdict(result) for name, result in results.items()}
            machine = asdict(limits) if limits else torch.cuda.get_device_name()
            record.append({"size": asdict(size), "threads": threads, "machine": machine, "ways": rows})
    if arguments.json:
        arguments.json.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
