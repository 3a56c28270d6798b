"""What is needed of the points that rays meet, to colour and label them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pamm.data.render.camera import Floats, View
from pamm.data.render.solids import normals
from pamm.data.render.stage import Scene
from pamm.data.render.textures import Patch, Texture, paint


@dataclass(frozen=True)
class Surface:
    """Points (n,) on solids of a scene."""

    row: NDArray[np.int16]
    """(n,) solid of each."""
    point: Floats
    """(n, 3) metres, world."""
    normal: Floats
    """(n, 3) unit, world."""
    local_point: Floats
    """(n, 3) metres, the solid's frame."""
    local_normal: Floats
    """(n, 3) unit, the solid's frame."""
    ray: Floats
    """(n, 3) direction of view in the world, one unit of depth long."""


def locate(scene: Scene, view: View, grid: NDArray[np.intp], depth: Floats, row: NDArray[np.int16]) -> Surface:
    """The points met by the rays at flat places ``grid`` (n,) of a view.

    ``depth`` and ``row`` are what `Scene.trace` gave for the whole view.
    """
    rays = view.directions(*np.divmod(grid, len(view.u)))
    rows = row.ravel()[grid]
    point = view.position + depth.ravel()[grid][:, None] * rays
    axes = scene.axes[rows]
    local = np.einsum("nij,nj->ni", axes, point - scene.centre[rows])
    local_normal = normals(scene.shape[rows], scene.size[rows], local)
    normal = np.einsum("nij,ni->nj", axes, local_normal)
    return Surface(rows, point, normal, local, local_normal, rays)


def albedo(scene: Scene, surface: Surface) -> Floats:
    """Colours (n, 3) of the surfaces, linear light."""
    axis = np.abs(surface.local_normal).argmax(axis=1)
    first, second = np.array([2, 0, 0])[axis], np.array([1, 2, 1])[axis]
    lines = np.arange(len(axis))
    uv = np.stack([surface.local_point[lines, first], surface.local_point[lines, second]], axis=1)
    kinds = scene.texture[surface.row]
    out = np.empty((len(axis), 3), np.float32)
    for kind in np.unique(kinds):
        index = np.flatnonzero(kinds == kind)
        row = surface.row[index]
        patch = Patch(
            uv=uv[index],
            point=surface.local_point[index],
            normal=surface.local_normal[index],
            size=scene.size[row],
            colour=scene.colour[row],
            second=scene.second[row],
            scale=scene.scale[row],
            seed=row.astype(np.int64) * 7919 % 1009,
            ray=surface.ray[index],
        )
        out[index] = paint(Texture(kind), patch)
    skirting = (surface.row < 6) & (axis != 1) & (surface.point[:, 1] < 0.09)
    out[skirting] = np.where(surface.point[skirting, 1:2] > 0.078, 0.55, 0.9)
    linear: Floats = np.square(out) * (0.75 + 0.25 * out)
    return linear
