"""Where the time of a network goes: forward and backward, by part.

Hooks on the modules at the borders between parts switch a stopwatch; the backward pass is followed through its graph,
whose nodes are known by the number that they were given when the forward pass made them.
"""

import re
import statistics
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from network_timing import PASSES, Clock, loss_of, predict
from rich.table import Table
from torch import Tensor, nn
from torch.autograd import _get_sequence_nr
from torch.autograd.graph import Node

from pamm.models import PAMM
from pamm.models.info import PARTS

REST = "rest"
"""What belongs to no part: the loss, and what the network does between its parts."""
NEVER_CALLED = (nn.ModuleList, nn.ModuleDict)
PHASES = ("forward", "training forward", "training backward")

Seconds = dict[str, float]
"""Times by part."""


class Stopwatch:
    """Always runs for one part."""

    def __init__(self, clock: Clock) -> None:
        """Start with no part.

        Args:
            clock: seconds.
        """
        self.clock = clock
        self.seconds: Seconds = dict.fromkeys((*PARTS, REST), 0.0)
        self.part = REST
        self.around: list[str] = []
        self.marks: list[tuple[int, str]] = []
        self.since = clock()

    def turn_to(self, part: str) -> None:
        """Give the time since the last turn to the part it was in, and go on with another."""
        now = self.clock()
        self.seconds[self.part] += now - self.since
        self.part, self.since = part, now
        self.marks.append((_get_sequence_nr(), part))

    def enter(self, part: str) -> None:
        """Turn to a part inside the present one."""
        self.around.append(self.part)
        self.turn_to(part)

    def leave(self) -> None:
        """Turn back to the part around the present one."""
        self.turn_to(self.around.pop())

    def take(self) -> Seconds:
        """Times so far, which start again from nothing."""
        self.turn_to(REST)
        found, self.seconds = self.seconds, dict.fromkeys(self.seconds, 0.0)
        return found

    def follow(self, loss: Tensor) -> None:
        """Turn, while a loss is differentiated, to the parts that made the nodes of its graph."""
        numbers = [number for number, _ in self.marks]
        parts = [part for _, part in self.marks]
        for node in nodes_of(loss):
            if node._sequence_nr() < 1 << 62:  # those that add to parameters' gradients have none, and follow others
                part = parts[max(bisect_right(numbers, node._sequence_nr()) - 1, 0)]
                node.register_prehook(lambda gradients, part=part: self.turn_to(part))


def nodes_of(loss: Tensor) -> Iterator[Node]:
    """All nodes of a loss's graph."""
    assert loss.grad_fn is not None
    known, waiting = {loss.grad_fn}, [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        yield node
        found = {after for after, _ in node.next_functions if after is not None} - known
        known |= found
        waiting += found


def borders(module: nn.Module, name: str = "", part: str = REST) -> Iterator[tuple[nn.Module, str]]:
    """Modules that are of another part than the module they are in, and that part."""
    for child_name, child in module.named_children():
        path = f"{name}{child_name}."
        if isinstance(child, NEVER_CALLED):
            yield from borders(child, path, part)
            continue
        own = next((key for key, pattern in PARTS.items() if re.match(pattern, path)), REST)
        if own != part:
            yield child, own
        yield from borders(child, path, own)


@contextmanager
def watched(model: nn.Module, clock: Clock) -> Iterator[Stopwatch]:
    """A stopwatch that follows the calls of a network's modules."""
    watch = Stopwatch(clock)
    with ExitStack() as hooks:
        for module, part in borders(model):
            hooks.enter_context(module.register_forward_pre_hook(lambda *_, part=part: watch.enter(part)))
            hooks.enter_context(module.register_forward_hook(lambda *_: watch.leave(), always_call=True))
        yield watch


def forward_split(model: nn.Module, image: Tensor, dtype: str, clock: Clock) -> Seconds:
    """Times of the parts in evaluation."""
    with watched(model, clock) as watch:
        predict(model, image, dtype)
        return watch.take()


def training_split(model: nn.Module, image: Tensor, dtype: str, clock: Clock) -> tuple[Seconds, Seconds]:
    """Times of the parts in training, forward and backward."""
    with watched(model, clock) as watch:
        loss = loss_of(model, image, dtype)
        forward = watch.take()
        watch.follow(loss)
        watch.take()
        loss.backward()
        backward = watch.take()
    model.zero_grad()
    return forward, backward


def split(model: PAMM, image: Tensor, dtype: str, rounds: int, clock: Clock, passes: list[str]) -> dict[str, Seconds]:
    """Median seconds of each part in each phase of some passes; first calls do not count."""
    runs: dict[str, list[Seconds]] = {phase: [] for phase in PHASES}
    for pass_ in passes:
        ready = PASSES[pass_].prepare(model)
        for _ in range(rounds + 1):
            if pass_ == "forward":
                runs[PHASES[0]].append(forward_split(ready, image, dtype, clock))
            else:
                for phase, seconds in zip(PHASES[1:], training_split(ready, image, dtype, clock), strict=True):
                    runs[phase].append(seconds)
    return {
        phase: {part: statistics.median(run[part] for run in found[1:]) for part in (*PARTS, REST)}
        for phase, found in runs.items()
        if found
    }


def parts_table(title: str, phases: dict[str, Seconds]) -> Table:
    """Milliseconds of the parts and their share of the phase."""
    table = Table("", title=title)
    for phase in phases:
        table.add_column(f"{phase} ms", justify="right", no_wrap=True)
        table.add_column("%", justify="right", no_wrap=True)
    totals = {phase: sum(seconds.values()) for phase, seconds in phases.items()}
    for part in (*PARTS, REST):
        cells = []
        for phase, seconds in phases.items():
            cells += [f"{1000 * seconds[part]:.1f}", f"{100 * seconds[part] / totals[phase]:.1f}"]
        table.add_row(part, *cells)
    ends = [cell for total in totals.values() for cell in (f"{1000 * total:.1f}", "100")]
    table.add_row("all", *ends)
    return table
