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
        drawn = {tuple(map(tuple, segment)) for lines in (near, far) for segment in lines.get_segments()}
        assert drawn == {(tuple(start), tuple(end)) for start, end in pairwise(path)}
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


def test_mistakes():
    with pytest.raises(ValueError, match="no kind of order 'hilbrt': did you mean 'hilbert'"):
        order_figure(["hilbrt"], rows=4, columns=4)
    with pytest.raises(ValueError, match="1, 2, 4 or 8"):
        order_figure(["z"], rows=4, columns=4, directions=3)
    with pytest.raises(ValueError, match="at least one row"):
        order_figure(["z"], rows=0, columns=4)
    with pytest.raises(ValueError, match="too fine"):
        order_figure(["z"], rows=4, columns=1000)
    with pytest.raises(ValueError, match="no kind of order was given"):
        order_figure([], rows=4, columns=4)
