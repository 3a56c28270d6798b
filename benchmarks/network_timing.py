"""How a network is run and timed: its passes, the clock, the turns, and the machine's own speed."""

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from pamm.engine.devices import arithmetic
from pamm.models import PAMM, fuse

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
"""Types of numbers by name; all but float32 are what autocast turns products into."""
PATIENCE = 30.0
"""Seconds that the rounds of one work may take together; the first is always run."""
PRODUCT = {"cpu": 2048, "cuda": 8192}
"""Sides of the matrices whose product shows how fast the machine multiplies."""

Clock = Callable[[], float]
Work = Callable[[], object]
Name = TypeVar("Name")


def clock_of(device: str) -> Clock:
    """A clock in seconds that waits for the work of a device."""

    def wait_and_read() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return wait_and_read if device == "cuda" else time.perf_counter


def in_turns(works: Mapping[Name, Work], rounds: int, clock: Clock) -> dict[Name, float]:
    """Median seconds of each work; all take turns, so that a busy machine slows all alike. First calls do not count."""
    for work in works.values():
        work()
    times: dict[Name, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            if sum(times[name]) < PATIENCE:
                start = clock()
                work()
                times[name].append(clock() - start)
    return {name: statistics.median(found) for name, found in times.items()}


def machine_name(device: str) -> str:
    """Model of the processor, or of the GPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def matrix_product(dtype: str, device: str) -> tuple[Work, float]:
    """A product of large matrices, and its multiply-adds."""
    side = PRODUCT[device]
    left, right = (torch.randn(side, side, dtype=DTYPES[dtype], device=device) for _ in range(2))
    return lambda: torch.mm(left, right), float(side) ** 3


def ready_to_predict(model: PAMM) -> nn.Module:
    """The network as it predicts: the one place to prepare it for that."""
    return fuse(model)


def ready_to_train(model: PAMM) -> nn.Module:
    """The network as it trains."""
    return model.train()


def predict(model: nn.Module, image: Tensor, dtype: str) -> None:
    """A forward pass without gradients."""
    with torch.no_grad(), arithmetic(dtype, image.device):
        model(image)


def loss_of(model: nn.Module, image: Tensor, dtype: str) -> Tensor:
    """A forward pass, and a loss that needs no labels: the sum of the outputs' mean squares."""
    with arithmetic(dtype, image.device):
        outputs = model(image)
    return torch.stack([output.float().square().mean() for output in outputs.values()]).sum()


def train_step(model: nn.Module, image: Tensor, dtype: str) -> None:
    """A forward and a backward pass, which leave no gradients behind."""
    loss_of(model, image, dtype).backward()
    model.zero_grad()


@dataclass(frozen=True)
class Pass:
    """One kind of work of a network."""

    prepare: Callable[[PAMM], nn.Module]
    """Makes the network ready; the module it returns is run."""
    run: Callable[[nn.Module, Tensor, str], None]
    """Called with the module, an image and the name of a type of numbers."""
    products: int
    """How many times the multiply-adds of a forward pass it needs."""


PASSES: dict[str, Pass] = {
    "forward": Pass(ready_to_predict, predict, 1),
    "training": Pass(ready_to_train, train_step, 3),
}
"""The passes by name; a backward pass multiplies for the gradients of inputs and of weights, so twice as much."""
