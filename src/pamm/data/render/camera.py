"""Pinhole views: rays through a grid, and the rectangle of the grid in which a solid can be seen.

A ray is ``position + t * (u * right + v * up - back)``, so that t is the depth along the optical axis in metres. u
changes only along a row of the grid and v only along a column, which lets every solid build its own local rays from
two short vectors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Real numbers; what is as large as a picture is float32."""

NEAR = 0.05
"""Nearest depth at which anything is seen, metres."""


def yaw_axes(yaw: float) -> Floats:
    """Right, up and back of something turned by ``yaw`` [rad] to its left about the vertical, as rows (3, 3)."""
    sin, cos = np.sin(yaw), np.cos(yaw)
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]], np.float32)


def look_at(position: Floats, target: Floats) -> Floats:
    """Axes (3, 3) with rows right, up, back of a viewer at ``position`` (3,) that looks at ``target`` (3,)."""
    back = (position - target) / np.linalg.norm(position - target)
    helper = np.array([0.0, 1.0, 0.0] if abs(back[1]) < 0.98 else [0.0, 0.0, -1.0], np.float32)
    right = np.cross(helper, back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back]).astype(np.float32)


@dataclass(frozen=True)
class View:
    """A pinhole and the grid of rays through it."""

    position: Floats
    """(3,) metres, world."""
    axes: Floats
    """(3, 3), rows right, up and back in the world."""
    u: Floats
    """(columns,) slopes of the rays to the right, evenly spaced."""
    v: Floats
    """(rows,) slopes of the rays upwards, evenly spaced."""

    def local(self, points: Floats) -> Floats:
        """Coordinates right, up and depth (..., 3) in metres of world points (..., 3)."""
        out: Floats = (points - self.position) @ self.axes.T
        out[..., 2] *= -1
        return out

    def directions(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
        """World directions (3, n) of the rays at grid places, one unit of depth long."""
        right, up, back = self.axes[..., None]
        out: Floats = right * self.u.take(columns) + up * self.v.take(rows) - back
        return out

    def windows(self, corners: Floats) -> NDArray[np.intp]:
        """Rectangles of the grid that hold bounding boxes.

        Args:
            corners: (n, 8, 3) world points.

        Returns:
            (n, 4): first row, row after the last, first column, column after the last; empty ones out of sight.
        """
        local = self.local(corners)
        depth = local[..., 2]
        slopes = local[..., :2] / np.maximum(depth, NEAR)[..., None]
        count = np.array([len(self.u), len(self.v)])
        start = np.array([self.u[0], self.v[0]])
        step = np.array([self.u[-1] - self.u[0], self.v[-1] - self.v[0]]) / (count - 1)
        index = (slopes - start) / step
        low = np.clip(np.ceil(index.min(axis=1)), 0, count)
        high = np.clip(np.floor(index.max(axis=1)) + 1, 0, count)
        crossing = depth.min(axis=1) < NEAR
        low[crossing], high[crossing] = 0, count
        high[depth.max(axis=1) < NEAR] = 0
        return np.stack([low[:, 1], high[:, 1], low[:, 0], high[:, 0]], axis=1).astype(np.intp)


def camera_view(position: Floats, axes: Floats, focal: float, *, height: int, width: int) -> View:
    """The camera's rays at twice its resolution.

    Ray (2i + 1, 2j + 1) of the (2 height + 1, 2 width + 1) goes through the centre of pixel (i, j); the others go
    through its corners and the middles of its sides. ``focal`` is in pixels.
    """
    u = (np.arange(2 * width + 1) - width) / (2 * focal)
    v = (height - np.arange(2 * height + 1)) / (2 * focal)
    return View(position, axes, u.astype(np.float32), v.astype(np.float32))


def spot_view(position: Floats, target: Floats, spread: float, size: int) -> View:
    """A square view (size, size) from ``position`` towards ``target``, slopes up to ``spread``, for shadows."""
    slopes = np.linspace(-spread, spread, size, dtype=np.float32)
    return View(position, look_at(position, target), slopes, -slopes)
