"""Draw how the cost of the decoder grows, from what benchmarks/network.py wrote.

python benchmarks/network_plot.py benchmarks/results/network_growth.json --out docs/images/network_growth.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from network_growth import STEADY, per_added, per_pixel, seconds_of

SPREAD = 0.15
"""Part by which it may differ from that at the first of :data:`STEADY`."""
MOST_ADDED = 0.6
"""What an added task may cost of the first."""


def draw_resolution(axes: Axes, series: dict[str, Any], colour: str) -> None:
    """Draw the cost per pixel, and the band that it is to stay in."""
    costs = per_pixel(seconds_of(series))
    axes.plot(*zip(*costs.items(), strict=True), "o-", color=colour, label=label_of(series))
    first = costs[STEADY[0]]
    axes.fill_between(STEADY, first * (1 - SPREAD), first * (1 + SPREAD), color=colour, alpha=0.15, linewidth=0)
    axes.set(xscale="log", xticks=list(costs), xlabel="side of the image [pixels]", ylabel="time per pixel [ns]")
    axes.set_xticklabels([f"{side}²" for side in costs])
    axes.set_title(f"resolution (band: {STEADY[0]}² ± {SPREAD:.0%})", fontsize=10)


def draw_tasks(axes: Axes, series: dict[str, Any], colour: str) -> None:
    """Draw the time, what each task adds to it, and the most that tasks may add."""
    seconds = seconds_of(series)
    times = {count: 1000 * found for count, found in seconds.items()}
    axes.plot(*zip(*times.items(), strict=True), "o-", color=colour, label=label_of(series))
    most = [times[1] * (1 + MOST_ADDED * (count - 1)) for count in times]
    axes.plot(list(times), most, "--", color=colour, alpha=0.5)
    for count, part in per_added(seconds).items():
        axes.annotate(f"{part:+.0%}", (count, times[count]), (4, -10), textcoords="offset points", fontsize=8)
    axes.set(xticks=list(times), xlim=(0.7, max(times) + 0.7), xlabel="tasks", ylabel="time [ms]")
    axes.set_title(f"tasks (dashed: each adds {MOST_ADDED:.0%} of the first)", fontsize=10)


PANELS = {"resolution": draw_resolution, "tasks": draw_tasks}


def label_of(series: dict[str, Any]) -> str:
    """Which network it is, and how it was run."""
    return f"{series['size']}, {series['form']}, {series['dtype']}, {series['pass_']}"


def main() -> None:
    """Draw one panel for each axis that was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="JSON file of benchmarks/network.py --growth resolution tasks")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    arguments = parser.parse_args()
    growth = json.loads(arguments.record.read_text())["growth"]
    drawn = [axis for axis in PANELS if any(series["axis"] == axis for series in growth)]
    if not drawn:
        parser.error(f"{arguments.record} has no growth: measure it with --growth {' '.join(PANELS)}")
    figure, panels = pyplot.subplots(1, len(drawn), figsize=(5.5 * len(drawn), 4), layout="constrained", squeeze=False)
    for axes, axis in zip(panels[0], drawn, strict=True):
        for number, series in enumerate(series for series in growth if series["axis"] == axis):
            PANELS[axis](axes, series, f"C{number}")
        axes.set_ylim(bottom=0)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    figure.savefig(arguments.out)


if __name__ == "__main__":
    main()
