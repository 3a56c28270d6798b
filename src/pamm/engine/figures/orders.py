"""Orders in which a scan visits a grid, drawn as paths."""

from collections.abc import Sequence
from typing import cast, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from pamm.engine.figures.style import BODY, DPI, INK, RULE, STRONG, TEXT, check_size, fitted, paper_style
from pamm.names import unknown_name
from pamm.ops import scan_orders
from pamm.ops.scan_order import ScanKind, check_grid

_COLORMAP = "viridis"
_JUMP = (STRONG[0] / 255, STRONG[1] / 255, STRONG[2] / 255)
_GAP, _HEADING, _NOTE, _EDGE = 0.1, 0.19, 0.16, 0.02
"""Inches: between drawings, for the line above and below one, around everything."""
_SHADES = 96
"""Most colours along a path without jumps; more make files large, and no difference to the eye."""
_BULGE = 0.4
"""How far a jump along a row or column leaves it, in cells."""
_FINEST = 0.02
"""Smallest cell that can be seen, inches."""


def order_path(order: Tensor, width: int) -> NDArray[np.int64]:
    """Rows and columns in the order of visit, (L, 2).

    Args:
        order: row-major positions in the order of visit, (L,), as :func:`pamm.ops.scan_orders` gives them.
        width: columns of the grid.
    """
    return np.stack(np.divmod(order.cpu().numpy(), width), axis=1)


def step_lengths(order: Tensor, width: int) -> NDArray[np.int64]:
    """City-block distances between successive cells, (L - 1,); a step longer than 1 is a jump.

    Args:
        order: as for :func:`order_path`.
        width: columns of the grid.
    """
    lengths: NDArray[np.int64] = np.abs(np.diff(order_path(order, width), axis=0)).sum(axis=1)
    return lengths


@paper_style()
def order_figure(
    kinds: Sequence[str],
    *,
    rows: int,
    columns: int,
    directions: int = 4,
    width: float = TEXT,
    dpi: int = DPI,
) -> Figure:
    """A row for each kind of order, a column for each direction.

    A path goes from a dot to a square, from dark to bright; jumps are dashed, and counted below it.

    Args:
        kinds: kinds of orders.
        rows: rows of the grid.
        columns: columns of the grid.
        directions: how many orders of each kind, 1, 2, 4 or 8.
        width: of the figure, inches.
        dpi: pixels to an inch on a screen.

    Raises:
        ValueError: if there is no such kind or number of directions, no cell, the grid is too fine to be drawn, or the
            figure's size is out of bounds.
    """
    check_size(width, dpi)
    check_grid(rows, columns, directions)
    if not kinds:
        raise ValueError("no kind of order was given: name one or more, for example hilbert")
    for kind in kinds:
        if kind not in get_args(ScanKind):
            raise unknown_name("kind of order", kind, get_args(ScanKind))
    side = (width - 2 * _EDGE - _GAP * (directions - 1)) / directions
    # a single direction of a tall grid need not fill the page
    box = min(side, 2 * side * columns / rows)
    tall = box * rows / columns
    if box / columns < _FINEST:
        raise ValueError(
            f"a grid of {rows}×{columns} is too fine for {directions} drawings in {width:g} inches: draw fewer "
            "directions, a smaller grid, or a wider figure"
        )
    orders = [scan_orders(cast(ScanKind, kind), rows, columns, directions) for kind in kinds]
    line_height = _HEADING + tall + _NOTE
    whole = len(kinds) * line_height + _GAP * (len(kinds) - 1)
    figure = Figure(figsize=(width, whole), dpi=dpi)
    for line, (kind, found) in enumerate(zip(kinds, orders, strict=True)):
        top = line * (line_height + _GAP) + _HEADING
        for direction, order in enumerate(found):
            left = _EDGE + direction * (side + _GAP) + (side - box) / 2
            axes = figure.add_axes((left / width, 1 - (top + tall) / whole, box / width, tall / whole))
            jumps = _draw_path(axes, order, rows, columns, cell=box / columns)
            heading, size = fitted(f"{kind} {direction}", side, size=BODY)
            axes.set_title(heading, size=size, pad=3)
            note, size = fitted("no jump" if not jumps else "1 jump" if jumps == 1 else f"{jumps} jumps", side)
            axes.set_xlabel(note, size=size, labelpad=2, color=_JUMP if jumps else INK)
    return figure


def _draw_path(axes: Axes, order: Tensor, rows: int, columns: int, *, cell: float) -> int:
    """Draw one order, with cells of a width in inches, and count its jumps."""
    path = order_path(order, columns)[:, ::-1].astype(float)
    jump = step_lengths(order, columns) > 1
    line = float(np.clip(72 * cell * 0.28, 0.4, 1.8))
    runs = _runs(jump)
    along = LineCollection([path[start : end + 1] for start, end in runs], cmap=_COLORMAP, linewidths=line)
    along.set(capstyle="round", joinstyle="round", array=[(start + end) / 2 for start, end in runs])
    along.set_clim(0, max(1, len(path) - 1))
    axes.add_collection(along)
    middle = np.array([columns - 1, rows - 1]) / 2
    arcs = [_arc(path[step], path[step + 1], middle) for step in np.flatnonzero(jump)]
    dashes = [(0.0, (3.0, 1.5))]
    axes.add_collection(LineCollection(arcs, colors=[_JUMP], linewidths=max(0.4, 0.6 * line), linestyles=dashes))
    for point, marker, size in ((path[0], "o", 2.4), (path[-1], "s", 2.0)):
        axes.plot(*point, marker, color=INK, markersize=max(1.6, size * line), zorder=3, clip_on=False)
    axes.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6), xticks=[], yticks=[])
    axes.spines[:].set(color=RULE, linewidth=0.4)
    return int(jump.sum())


def _runs(jump: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last cells of the parts of a path that are drawn in one colour, none of them over a jump."""
    longest = max(1, len(jump) // _SHADES)
    runs = []
    start = 0
    for step in range(len(jump) + 1):
        if step == len(jump) or jump[step] or step - start == longest:
            if step > start:
                runs.append((start, step))
            start = step + 1 if step < len(jump) and jump[step] else step
    return runs


def _arc(start: NDArray[np.float64], end: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """A jump as a line; along a row or column, where it would hide other steps, bent away from the grid's middle."""
    along = np.linspace(0, 1, 17)[:, None]
    straight = start + along * (end - start)
    level = start == end
    if not level.any():
        return straight[[0, -1]]
    side = np.where(level, np.where((start + end) / 2 < middle, -1.0, 1.0), 0.0)
    return straight + _BULGE * 4 * along * (1 - along) * side
