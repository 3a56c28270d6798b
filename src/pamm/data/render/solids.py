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
    """Depth at which rays enter a solid; divisions by zero and roots of negative numbers are part of the work.

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
    depth, side = np.full(rays.shape[1:], np.inf, np.float32), np.zeros(rays.shape[1:], np.int16)
    for axis, ray in enumerate(rays):
        far = (np.copysign(half[axis], ray) - origin[axis]) / ray
        nearer = far < depth
        np.copyto(depth, far, where=nearer)
        np.copyto(side, (ray > 0).astype(np.int16) + np.int16(2 * axis), where=nearer)
    return depth, side


def _hit_box(half: Floats, origin: Floats, rays: Floats) -> Floats:
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
        cap = (np.float32(level) - origin[1]) / rays[1]
        out = (origin[0] + cap * rays[0]) ** 2 + (origin[2] + cap * rays[2]) ** 2
        cap[~((cap > NEAR) & (out <= radius * radius))] = np.inf
        np.minimum(depth, cap, out=depth)
    return depth


def normals(shapes: NDArray[np.uint8], sizes: Floats, points: Floats) -> Floats:
    """Outward unit normals in the solids' frames (into the room for the room).

    Args:
        shapes: (n,) solid of each point.
        sizes: (3, n) its size.
        points: (3, n) the points in their solid's frame.

    Returns:
        (3, n).
    """
    out = np.zeros_like(points)
    for shape in np.flatnonzero(np.bincount(shapes)):
        index = np.flatnonzero(shapes == shape)
        out[:, index] = _NORMALS[Shape(int(shape))](np.take(sizes, index, axis=1), np.take(points, index, axis=1))
    return out


def _unit(vectors: Floats) -> Floats:
    x, y, z = vectors
    out: Floats = vectors / np.sqrt(x * x + y * y + z * z)
    return out


def _box_normals(size: Floats, point: Floats) -> Floats:
    axis = np.argmax(np.abs(point) - size, axis=0)[None]
    return np.where(np.arange(3)[:, None] == axis, np.copysign(np.float32(1), point), np.float32(0))


def _ellipsoid_normals(size: Floats, point: Floats) -> Floats:
    return _unit(point / (size * size))


def _limb_normals(size: Floats, point: Floats) -> Floats:
    sine = np.clip((size[0] - size[1]) / size[2], -0.95, 0.95)
    foot = point[1] - np.hypot(point[0], point[2]) * sine / np.sqrt(1 - sine * sine)
    out = point.copy()
    out[1] -= np.clip(foot, 0, size[2])
    return _unit(out)


def _frustum_normals(size: Floats, point: Floats) -> Floats:
    bottom, top, half = size
    x, y, z = point
    slope = (bottom - top) / (2 * half)
    radius = np.hypot(x, z)
    side = np.abs(radius - (bottom + top) / 2 + slope * y)
    cap = half - np.abs(y) < side
    zero = np.zeros_like(y)
    return _unit(np.stack([np.where(cap, zero, x), np.where(cap, y, radius * slope), np.where(cap, zero, z)]))


_NORMALS = {
    Shape.ROOM: lambda size, point: -_box_normals(size, point),
    Shape.BOX: _box_normals,
    Shape.ELLIPSOID: _ellipsoid_normals,
    Shape.LIMB: _limb_normals,
    Shape.FRUSTUM: _frustum_normals,
}
