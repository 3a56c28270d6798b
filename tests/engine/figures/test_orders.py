"""Paths of orders, and their jumps."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from pamm.engine.figures import order_figure, step_lengths
from pamm.engine.figures.orders import order_path
from pamm.ops import scan_orders
from pamm.ops.scan_order import ScanKind

KINDS = get_args(ScanKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_is_drawn_once(kind):
    figure = order_figure([kind], rows=5, columns=7, directions=8)
    orders = scan_orders(kind, 5, 7, directions=8)
    assert len(figure.axes) == 8
    for axes, order in zip(figure.axes, orders, strict=True):
        path = np.stack((order.numpy() % 7, order.numpy() // 7), axis=1)
        lengths = np.abs(np.diff(path, axis=0)).sum(axis=1)
        near, far = axes.collections
        drawn = [pair for run in near.get_segments() for pair in pairwise(map(tuple, run))]
        drawn += [(tuple(arc[0]), tuple(arc[-1])) for arc in far.get_segments()]
        assert len(drawn) == len(path) - 1
        assert set(drawn) == {(tuple(start), tuple(end)) for start, end in pairwise(path)}
        jumps = int((lengths > 1).sum())
        assert len(far.get_segments()) == jumps
        assert axes.get_xlabel() == ("no jump" if not jumps else "1 jump" if jumps == 1 else f"{jumps} jumps")
        # colours follow the order
        assert (np.diff(near.get_array()) > 0).all()
        start, end = axes.lines
        assert tuple(start.get_xydata()[0]) == tuple(path[0])
        assert tuple(end.get_xydata()[0]) == tuple(path[-1])


def test_lengths_by_hand():
    order = scan_orders("raster", 2, 3, directions=1)[0]
    assert order_path(order, 3).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert step_lengths(order, 3).tolist() == [1, 1, 3, 1, 1]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (28, 36)])
def test_any_grid(size):
    figure = order_figure(["hilbert", "gilbert"], rows=size[0], columns=size[1], directions=2, width=3.3)
    width, height = figure.get_size_inches()
    assert width == pytest.approx(3.3)
    assert height < 9
    positions = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in positions)


def test_long_paths_have_few_colours():
    (axes,) = order_figure(["gilbert"], rows=60, columns=60, directions=1).axes
    near, _ = axes.collections
    assert 90 <= len(near.get_segments()) <= 110
    assert sum(len(run) - 1 for run in near.get_segments()) == 3599


def test_jumps_along_a_row_are_bent_away():
    axes = order_figure(["hilbert"], rows=6, columns=8, directions=1).axes[0]
    arcs = axes.collections[1].get_segments()
    assert len(arcs) == 2
    for arc in arcs:
        assert arc[0, 1] == arc[-1, 1] == 5
        assert arc[:, 1].max() == pytest.approx(5.4)


def test_mistakes():
    with pytest.raises(ValueError, match="no kind of order 'hilbrt': did you mean 'hilbert'"):
        order_figure(["hilbrt"], rows=4, columns=4)
    with pytest.raises(ValueError, match="1, 2, 4 or 8"):
        order_figure(["z"], rows=4, columns=4, directions=3)
    with pytest.raises(ValueError, match="at least one row"):
        order_figure(["z"], rows=0, columns=4)
    with pytest.raises(ValueError, match="too fine"):
        order_figure(["z"], rows=4, columns=1000)
    # before orders of ten thousand million cells are made
    with pytest.raises(ValueError, match="too fine"):
        order_figure(["z"], rows=100_000, columns=100_000)
    with pytest.raises(ValueError, match="no kind of order was given"):
        order_figure([], rows=4, columns=4)
