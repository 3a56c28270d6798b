"""What is needed of the points that rays meet, to colour and label them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pamm.data.render.camera import Floats, View
from pamm.data.render.solids import normals
from pamm.data.render.stage import Scene
from pamm.data.render.textures import Patch, Texture, paint

Vectors = Floats | Sequence[Floats] | Sequence[float]


@dataclass(frozen=True)
class Surface:
    """Points (n,) on solids of a scene."""

    row: NDArray[np.int16]
    """(n,) solid of each."""
    point: Floats
    """(3, n) metres, world."""
    normal: Floats
    """(3, n) unit, world."""
    local_point: Floats
    """(3, n) metres, the solid's frame."""
    local_normal: Floats
    """(3, n) unit, the solid's frame."""
    ray: Floats
    """(3, n) direction of view in the world, one unit of depth long."""
    pixel: Floats
    """(n,) metres of the surface under one pixel."""

    def some(self, index: NDArray[np.intp]) -> "Surface":
        """The points with these numbers."""
        return Surface(*(getattr(self, field.name)[..., index] for field in dataclasses.fields(self)))


def dot(first: Vectors, second: Vectors) -> Floats:
    """Products (n,) of vectors (3, n); one of them may be a single (3,)."""
    product: Any = first[0] * second[0] + first[1] * second[1] + first[2] * second[2]
    return np.asarray(product)


def locate(scene: Scene, view: View, grid: NDArray[np.intp], depth: Floats, row: NDArray[np.int16]) -> Surface:
    """The points met by the rays at flat places ``grid`` (n,) of a camera's view.

    ``depth`` and ``row`` are what `Scene.trace` gave for the whole view.
    """
    rays = view.directions(*np.divmod(grid, len(view.u)))
    rows = row.ravel().take(grid)
    far = depth.ravel().take(grid)
    point = view.position[:, None] + far * rays
    axes = [[np.take(scene.axes[:, line, column], rows) for column in range(3)] for line in range(3)]
    offset = point - np.take(scene.centre.T, rows, axis=1)
    local = np.stack([line[0] * offset[0] + line[1] * offset[1] + line[2] * offset[2] for line in axes])
    local_normal = normals(scene.shape.take(rows), np.take(scene.size.T, rows, axis=1), local)
    normal = np.stack([dot(local_normal, [line[column] for line in axes]) for column in range(3)])
    facing = -dot(normal, rays) / np.sqrt(dot(rays, rays))
    pixel = far * float(2 * (view.u[1] - view.u[0])) / np.sqrt(np.maximum(facing, 0.05))
    return Surface(rows, point, normal, local, local_normal, rays, pixel)


_SKIRTING = 0.09
"""Height of the skirting boards of a room, metres."""


def albedo(scene: Scene, surface: Surface) -> Floats:
    """Colours (3, n) of the surfaces, linear light."""
    axis = np.abs(surface.local_normal).argmax(axis=0)
    x, y, z = surface.local_point
    uv = np.stack([np.where(axis == 0, z, x), np.where(axis == 1, z, y)])
    kinds = scene.texture.take(surface.row)
    out = np.empty((3, len(axis)), np.float32)
    for kind in np.flatnonzero(np.bincount(kinds)):
        index = np.flatnonzero(kinds == kind)
        row = surface.row.take(index)
        patch = Patch(
            uv=np.take(uv, index, axis=1),
            point=np.take(surface.local_point, index, axis=1),
            normal=np.take(surface.local_normal, index, axis=1),
            size=np.take(scene.size.T, row, axis=1),
            colour=np.take(scene.colour.T, row, axis=1),
            second=np.take(scene.second.T, row, axis=1),
            scale=scene.scale.take(row),
            seed=(row.astype(np.int32) * 7919 % 1009).astype(np.float32),
            ray=np.take(surface.ray, index, axis=1),
            pixel=surface.pixel.take(index),
        )
        out[:, index] = paint(Texture(int(kind)), patch)
    skirting = np.flatnonzero((surface.row < 6) & (axis != 1) & (surface.point[1] < _SKIRTING))
    rim = (surface.point[1, skirting] > 0.85 * _SKIRTING) * np.minimum(1, 0.015 / surface.pixel[skirting])
    out[:, skirting] = 0.9 - 0.3 * rim
    linear: Floats = out * out * (0.75 + 0.25 * out)
    return linear
