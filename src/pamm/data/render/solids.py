"""The four solids everything is built of, where rays meet them, and the normals there.

Every solid lives in a frame of its own: axes (3, 3), rows its x, y, z in the world, and a centre. Its size is three
numbers:

- box: half of its width, height and depth;
- ellipsoid: its half axes;
- limb (two balls and the cone that touches both): radius at the centre, radius at the far end, length along y;
- frustum (cylinder, cone, lamp shade): radius at the bottom, radius at the top, half of its height along y.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pamm.data.render.camera import NEAR, Floats


class Shape(IntEnum):
    """Kind of solid. ROOM is a box seen from within."""

    ROOM = 0
    BOX = 1
    ELLIPSOID = 2
    LIMB = 3
    FRUSTUM = 4


def bounds(shape: Shape, size: tuple[float, float, float]) -> tuple[list[float], list[float]]:
    """Lowest and highest local coordinates of a solid, metres."""
    first, second, third = size
    if shape == Shape.LIMB:
        radius = max(first, second)
        return [-radius, -first, -radius], [radius, third + second, radius]
    if shape == Shape.FRUSTUM:
        radius = max(first, second)
        return [-radius, -third, -radius], [radius, third, radius]
    return [-first, -second, -third], [first, second, third]


def hit(shape: Shape, size: Floats, origin: Floats, rays: Floats) -> Floats:
    """Depth at which rays enter a solid.

    Args:
        shape: which solid.
        size: (3,) metres.
        origin: (3,) where the rays start, in the solid's frame; outside of the solid.
        rays: (3, h, w) directions in the solid's frame.

    Returns:
        (h, w) t with ``origin + t * ray`` on the solid, infinite where the ray misses it.
    """
    if shape == Shape.BOX:
        return _hit_box(size, origin, rays)
    if shape == Shape.ELLIPSOID:
        return _hit_ball(origin / size, rays / size[:, None, None], 1.0)
    if shape == Shape.LIMB:
        return _hit_limb(size, origin, rays)
    return _hit_frustum(size, origin, rays)


def hit_room(half: Floats, origin: Floats, rays: Floats) -> tuple[Floats, NDArray[np.int16]]:
    """Depth (h, w) at which rays from inside a box leave it, and through which side.

    Sides: 0 and 1 low and high x, 2 and 3 low and high y, 4 and 5 low and high z.
    """
    far = (np.copysign(half[:, None, None], rays) - origin[:, None, None]) / np.where(rays == 0, 1e-9, rays)
    axis = far.argmin(axis=0)[None]
    depth = np.take_along_axis(far, axis, 0)[0]
    side = 2 * axis[0] + (np.take_along_axis(rays, axis, 0)[0] > 0)
    return depth, side.astype(np.int16)


def _hit_box(half: Floats, origin: Floats, rays: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / rays
        middle = inverse * -origin[:, None, None]
        reach = np.abs(inverse, out=inverse)
        reach *= half[:, None, None]
        near: Floats = (middle - reach).max(axis=0)
        middle += reach
        near[~((near < middle.min(axis=0)) & (near > NEAR))] = np.inf
    return near


def _hit_ball(origin: Floats, rays: Floats, radius: float) -> Floats:
    a = np.einsum("khw,khw->hw", rays, rays)
    b = np.einsum("k,khw->hw", origin, rays)
    root = b * b - a * np.float32(origin @ origin - radius * radius)
    with np.errstate(invalid="ignore"):
        depth: Floats = (-b - np.sqrt(root)) / a
    depth[~(depth > NEAR)] = np.inf
    return depth


def _hit_cone(middle: float, slope: float, low: float, high: float, origin: Floats, rays: Floats) -> Floats:
    """Nearest of both meetings with the surface of radius ``middle - slope * y``, y from low to high."""
    x, y, z = rays
    radius = np.float32(middle - slope * origin[1])
    a = x * x + z * z - np.float32(slope * slope) * y * y
    b = origin[0] * x + origin[2] * z + np.float32(slope) * radius * y
    c = origin[0] ** 2 + origin[2] ** 2 - radius**2
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(b * b - a * c)
        depths = np.stack([-b - root, -b + root]) / a
        height = origin[1] + depths * y
        depths[~((depths > NEAR) & (height >= low) & (height <= high))] = np.inf
    nearest: Floats = depths.min(axis=0)
    return nearest


def _hit_limb(size: Floats, origin: Floats, rays: Floats) -> Floats:
    first, second, length = (float(value) for value in size)
    sine, cosine = _taper(first, second, length)
    cone = _hit_cone(first / cosine, sine / cosine, first * sine, length + second * sine, origin, rays)
    np.minimum(cone, _hit_ball(origin, rays, first), out=cone)
    end = origin - np.array([0, length, 0], np.float32)
    return np.minimum(cone, _hit_ball(end, rays, second), out=cone)


def _taper(first: float, second: float, length: float) -> tuple[float, float]:
    """Sine and cosine of the angle between a limb's axis and its side."""
    sine = float(np.clip((first - second) / length, -0.95, 0.95))
    return sine, float(np.sqrt(1 - sine * sine))


def _hit_frustum(size: Floats, origin: Floats, rays: Floats) -> Floats:
    bottom, top, half = (float(value) for value in size)
    depth = _hit_cone((bottom + top) / 2, (bottom - top) / (2 * half), -half, half, origin, rays)
    if abs(origin[1]) > half:
        level, radius = (half, top) if origin[1] > 0 else (-half, bottom)
        with np.errstate(invalid="ignore", divide="ignore"):
            cap = (np.float32(level) - origin[1]) / rays[1]
            out = (origin[0] + cap * rays[0]) ** 2 + (origin[2] + cap * rays[2]) ** 2
            cap[~((cap > NEAR) & (out <= radius * radius))] = np.inf
        np.minimum(depth, cap, out=depth)
    return depth


def normals(shapes: NDArray[np.uint8], sizes: Floats, points: Floats) -> Floats:
    """Outward unit normals in the solids' frames (into the room for the room).

    Args:
        shapes: (n,) solid of each point.
        sizes: (n, 3) its size.
        points: (n, 3) the points in their solid's frame.

    Returns:
        (n, 3).
    """
    out = np.zeros_like(points)
    for shape in np.unique(shapes):
        index = np.flatnonzero(shapes == shape)
        out[index] = _NORMALS[Shape(shape)](sizes[index], points[index])
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out


def _box_normals(size: Floats, point: Floats) -> Floats:
    out = np.zeros_like(point)
    place = (np.arange(len(point)), np.argmax(np.abs(point) - size, axis=1))
    out[place] = np.sign(point[place])
    return out


def _limb_normals(size: Floats, point: Floats) -> Floats:
    sine = np.clip((size[:, 0] - size[:, 1]) / size[:, 2], -0.95, 0.95)
    foot = point[:, 1] - np.hypot(point[:, 0], point[:, 2]) * sine / np.sqrt(1 - sine * sine)
    out = point.copy()
    out[:, 1] -= np.clip(foot, 0, size[:, 2])
    return out


def _frustum_normals(size: Floats, point: Floats) -> Floats:
    bottom, top, half = size.T
    out = point.copy()
    out[:, 1] = np.hypot(point[:, 0], point[:, 2]) * (bottom - top) / (2 * half)
    slope = (bottom - top) / (2 * half)
    radius = (bottom + top) / 2 - slope * point[:, 1]
    side = np.abs(np.hypot(point[:, 0], point[:, 2]) - radius)
    cap = half - np.abs(point[:, 1]) < side
    out[cap] = np.stack([np.zeros(cap.sum()), np.sign(point[cap, 1]), np.zeros(cap.sum())], axis=1)
    return out


_NORMALS = {
    Shape.ROOM: lambda size, point: -_box_normals(size, point),
    Shape.BOX: _box_normals,
    Shape.ELLIPSOID: lambda size, point: point / size**2,
    Shape.LIMB: _limb_normals,
    Shape.FRUSTUM: _frustum_normals,
}
