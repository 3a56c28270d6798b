"""Draw how the times of the scan grow, from what benchmarks/scan.py wrote.

python benchmarks/scan_plot.py benchmarks/results/scan_scaling.json --out docs/images/scan_scaling.png
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from scan import Size

AXES = {"L": "positions L", "K": "orders K", "N": "states N"}


def letters(row: dict[str, Any]) -> dict[str, int]:
    """Sizes of a measurement by letter."""
    size = Size(**row["size"])
    return {letter: getattr(size, letter) for letter in ("E", "N", "T", "b", "L", "K")}


def series(record: list[dict[str, Any]], letter: str) -> list[tuple[int, dict[str, Any]]]:
    """Measurements that differ from the most common sizes in one letter alone."""
    sizes = [letters(row) for row in record]
    usual = {key: max((size[key] for size in sizes), key=[size[key] for size in sizes].count) for key in sizes[0]}
    alike = {
        size[letter]: row
        for size, row in zip(sizes, record, strict=True)
        if all(size[key] == usual[key] for key in usual if key != letter)
    }
    return sorted(alike.items())


def main() -> None:
    """Draw one panel for each letter that the measurements vary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path, help="JSON file of benchmarks/scan.py --scaling L K N")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    arguments = parser.parse_args()
    record = json.loads(arguments.record.read_text())
    figure, panels = pyplot.subplots(2, len(AXES), figsize=(13, 7), sharey="row", layout="constrained")
    for row, which in zip(panels, ("forward", "backward"), strict=True):
        for axes, (letter, title) in zip(row, AXES.items(), strict=True):
            points = series(record, letter)
            for name in points[0][1]["ways"]:
                times = [(value, found["ways"][name][which] or math.nan) for value, found in points]
                axes.plot(*zip(*times, strict=True), "o-", label=name)
            axes.set(xscale="log", yscale="log", xlabel=title, xticks=[value for value, _ in points])
            axes.set_xticklabels([f"{value:,}" for value, _ in points])
            axes.minorticks_off()
            axes.grid(alpha=0.3)
        row[0].set_ylabel(f"{which} [ms]")
    panels[0][0].legend(fontsize=9)
    figure.savefig(arguments.out)


if __name__ == "__main__":
    main()
