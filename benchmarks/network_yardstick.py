"""What was published of the released code, carried over to the machine at hand.

The released code spent a known share of its time in Mamba's reference scan. That scan, run here at the network's sizes
for one task and one stage, times tasks and stages, is what that share would take here: the quotient of the two scales
the published times.
"""

from dataclasses import dataclass

import torch
from network_sizes import SIZES
from network_timing import Work
from scan import Size
from ways import by_order, textbook

from pamm.models.config import STAGES
from pamm.ops import scan_orders


@dataclass(frozen=True)
class Published:
    """What the released code took on two CPU cores for one image."""

    seconds: float
    """Time of the pass; in training with the quadratic backward pass of its scan repaired."""
    memory: float | None = None
    """Bytes at the peak, if they were measured."""


PUBLISHED: dict[str, dict[str, Published]] = {
    "small": {"forward": Published(2.5), "training": Published(7.8, 2.1e9)},
    "medium": {"forward": Published(29.0), "training": Published(88.0, 13.9e9)},
    "nyud-L": {"forward": Published(82.0)},
    "pascal-L": {"forward": Published(309.0)},
}
"""What was measured of the released form, by size and pass."""

SCAN_SHARES = {"small": 0.62, "medium": 0.62, "nyud-L": 0.59, "pascal-L": 0.83}
"""Part of the published forward time that the scan took."""


@dataclass(frozen=True)
class Comparison:
    """A measurement beside the published one."""

    seconds: float
    """Published time."""
    scale: float
    """How many times as long the machine at hand takes."""
    here: float
    """Seconds that the released code would take here."""
    factor: float
    """How many times as fast ours is."""
    memory: float | None
    """Published bytes at the peak."""
    memory_ratio: float | None
    """Our bytes over them."""


def published(size: str, pass_: str) -> Published | None:
    """What was published of a size and a pass, if anything was."""
    return PUBLISHED.get(size, {}).get(pass_)


def textbook_scan(size: str) -> Work:
    """Mamba's reference in all orders, for one task and one stage of a network, on the CPU."""
    config = SIZES[size]
    height, width = config.grid
    one = Size(config.inner_width, config.d_state, height=height, width=width, K=config.scan_directions)
    inputs, scan = one.inputs("cpu"), by_order(textbook)
    orders = scan_orders(config.scan_kind, height, width, one.K)

    def work() -> None:
        with torch.no_grad():
            scan(**inputs, orders=orders)

    return work


def compare(size: str, pass_: str, textbook_seconds: float, seconds: float, memory: float | None) -> Comparison:
    """Compare our time and memory of a pass with the published, given the time of :func:`textbook_scan` here."""
    there = PUBLISHED[size][pass_]
    scans_there = SCAN_SHARES[size] * PUBLISHED[size]["forward"].seconds
    scans_here = textbook_seconds * len(SIZES[size].tasks) * STAGES
    scale = scans_here / scans_there
    return Comparison(
        seconds=there.seconds,
        scale=scale,
        here=scale * there.seconds,
        factor=scale * there.seconds / seconds,
        memory=there.memory,
        memory_ratio=None if there.memory is None or memory is None else memory / there.memory,
    )
