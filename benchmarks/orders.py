"""Draw the orders of visit, and measure how far apart on the grid successive positions lie.

python benchmarks/orders.py --out docs/images/scan_orders.png
"""

import argparse
from pathlib import Path
from typing import get_args

import torch
from rich.console import Console
from torch import Tensor

from pamm.engine.figures import order_figure, save_figure, step_lengths
from pamm.engine.figures.orders import order_path
from pamm.ops import scan_orders
from pamm.ops.scan_order import ScanKind

DRAWN = (6, 8)
MEASURED = ((16, 20), (28, 36), (32, 32))
KINDS = get_args(ScanKind)


def jumps(order: Tensor, width: int) -> tuple[float, int]:
    """Mean and largest city-block distance between successive cells."""
    lengths = step_lengths(order, width)
    return float(lengths.mean()), int(lengths.max())


def box(order: Tensor, width: int, steps: int = 64) -> float:
    """Mean height plus width of the boxes around successive cells, in cells."""
    low, high = torch.from_numpy(order_path(order, width)).unfold(0, steps, 1).aminmax(dim=2)
    return float((high - low + 1).double().sum(1).mean())


def main() -> None:
    """Draw the picture and print the table, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    arguments = parser.parse_args()
    rows, columns = DRAWN
    save_figure(order_figure(KINDS, rows=rows, columns=columns, directions=8), arguments.out, dpi=200)
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
