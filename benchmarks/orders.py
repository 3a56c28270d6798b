"""Draw the orders of visit, and measure how far apart on the grid successive positions lie.

python benchmarks/orders.py --out docs/images/scan_orders.png
"""

import argparse
from pathlib import Path
from typing import get_args

import matplotlib

matplotlib.use("Agg")
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from rich.console import Console
from torch import Tensor

from pamm.ops import scan_orders
from pamm.ops.scan_order import ScanKind

DRAWN = (6, 8)
MEASURED = ((16, 20), (28, 36), (32, 32))
KINDS = get_args(ScanKind)


def cells(order: Tensor, width: int) -> Tensor:
    """Rows and columns in the order of visit, (L, 2)."""
    return torch.stack([order // width, order % width], dim=1)


def draw(axes: Axes, order: Tensor, height: int, width: int) -> None:
    """Draw a path, from dark at its start, a dot, to bright."""
    path = cells(order, width).flip(1).numpy()
    lines = LineCollection([path[step : step + 2] for step in range(len(path) - 1)], cmap="viridis", linewidths=2)
    lines.set_array(range(len(path) - 1))
    axes.add_collection(lines)
    axes.plot(*path[0], "o", color="black", markersize=4)
    axes.set(xlim=(-0.6, width - 0.4), ylim=(height - 0.4, -0.6), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_color("lightgray")


def jumps(order: Tensor, width: int) -> tuple[float, int]:
    """Mean and largest city-block distance between successive cells."""
    distance = cells(order, width).diff(dim=0).abs().sum(1)
    return float(distance.double().mean()), int(distance.max())


def box(order: Tensor, width: int, steps: int = 64) -> float:
    """Mean height plus width of the boxes around successive cells, in cells."""
    low, high = cells(order, width).unfold(0, steps, 1).aminmax(dim=2)
    return float((high - low + 1).double().sum(1).mean())


def main() -> None:
    """Draw the picture and print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    arguments = parser.parse_args()
    figure, grid = pyplot.subplots(len(KINDS), 8, figsize=(16, 8), layout="constrained")
    for row, kind in zip(grid, KINDS, strict=True):
        for direction, (axes, order) in enumerate(zip(row, scan_orders(kind, *DRAWN, directions=8), strict=True)):
            draw(axes, order, *DRAWN)
            axes.set_title(f"{kind} {direction}", fontsize=10)
    figure.savefig(arguments.out)
    console = Console(soft_wrap=True, highlight=False)
    console.print("| order | grid | mean jump | largest jump | box around 64 steps |")
    console.print("| --- | --- | ---: | ---: | ---: |")
    for kind in KINDS:
        for height, width in MEASURED:
            orders = scan_orders(kind, height, width, directions=4)
            means, largest = zip(*(jumps(order, width) for order in orders), strict=True)
            around = sum(box(order, width) for order in orders) / len(orders)
            console.print(f"| {kind} | {height}×{width} | {sum(means) / 4:.2f} | {max(largest)} | {around:.1f} |")


if __name__ == "__main__":
    main()
