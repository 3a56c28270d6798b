"""A scene as tables: pieces (furniture, people) are put together of solids, then put on the stage."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pamm.data.render.camera import Floats, View, yaw_axes
from pamm.data.render.solids import Shape, bounds, hit, hit_room
from pamm.data.render.textures import Texture

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """What a surface looks like."""

    colour: Vector
    """sRGB, 0 to 1."""
    second: Vector = (0.5, 0.5, 0.5)
    """The pattern's other colour."""
    texture: Texture = Texture.PLAIN
    scale: float = 1.0
    """Size of the pattern, metres or per metre as the texture says."""
    gloss: float = 0.0
    """Strength of highlights, 0 to 1."""
    glow: float = 0.0
    """Share of the colour that shines by itself."""


@dataclass(frozen=True)
class Solid:
    """One solid of a piece, in the piece's frame."""

    shape: Shape
    size: Vector
    centre: Vector
    axes: Floats
    material: Material
    part: int = 0
    """Label of the human part, 0 for none."""


_SHADOW_SIZE = 0.2
"""Longest side [m] of what is too small to cast a shadow."""
_UPRIGHT = np.eye(3, dtype=np.float32)


@dataclass
class Piece:
    """Something that is put on the stage as one: it stands on y = 0 with its front to +z."""

    label: str
    """Name of its semantic class."""
    width: float
    depth: float
    height: float
    """Size of the room it takes, metres."""
    shadow: bool = True
    """Whether it keeps light from others; what lies flat on a wall or the floor need not."""
    solids: list[Solid] = field(default_factory=list)

    def box(
        self, centre: tuple[float, float], bottom: float, size: Vector, material: Material, *, tilt: float = 0
    ) -> None:
        """Add a box over ``centre`` (x, z), from ``bottom`` up, leaning back by ``tilt`` [rad]."""
        half = (size[0] / 2, size[1] / 2, size[2] / 2)
        sin, cos = np.sin(tilt), np.cos(tilt)
        axes = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], np.float32)
        self.add(Solid(Shape.BOX, half, (centre[0], bottom + half[1], centre[1]), axes, material))

    def ball(self, centre: Vector, half: float | Vector, material: Material, *, part: int = 0) -> None:
        """Add a ball or ellipsoid."""
        size = half if isinstance(half, tuple) else (half, half, half)
        self.add(Solid(Shape.ELLIPSOID, size, centre, _UPRIGHT, material, part))

    def cylinder(
        self, centre: tuple[float, float], bottom: float, radii: tuple[float, float], height: float, material: Material
    ) -> None:
        """Add an upright frustum with radii at its bottom and top."""
        size = (radii[0], radii[1], height / 2)
        self.add(Solid(Shape.FRUSTUM, size, (centre[0], bottom + height / 2, centre[1]), _UPRIGHT, material))

    def limb(
        self, start: Vector, end: Vector, radii: tuple[float, float], material: Material, *, part: int = 0
    ) -> None:
        """Add a limb between two points with the radius at each."""
        along = np.subtract(end, start)
        length = math.hypot(*along)
        x, y, z = (along / length).tolist()
        side = (y, -x, 0.0) if abs(z) < 0.9 else (0.0, z, -y)
        first, second, third = (value / math.hypot(*side) for value in side)
        back = (second * z - third * y, third * x - first * z, first * y - second * x)
        axes = np.array([(first, second, third), (x, y, z), back], np.float32)
        self.add(Solid(Shape.LIMB, (*radii, length), start, axes, material, part))

    def add(self, solid: Solid) -> None:
        """Add a solid."""
        self.solids.append(solid)


@dataclass(frozen=True)
class Scene:
    """All solids as columns of a table, n rows; rows 0 to 5 are the sides of the room, in the order of `hit_room`."""

    room: Floats
    """(3,) width, height and depth of the room, metres; the world starts in its corner."""
    shape: NDArray[np.uint8]
    size: Floats
    centre: Floats
    axes: Floats
    corners: Floats
    """(n, 8, 3) of the bounding boxes."""
    colour: Floats
    second: Floats
    texture: NDArray[np.uint8]
    scale: Floats
    gloss: Floats
    glow: Floats
    part: NDArray[np.uint8]
    shadow: NDArray[np.bool_]
    instance: NDArray[np.int16]
    """(n,) the piece each solid belongs to; the sides of the room are six of their own."""
    labels: tuple[str, ...]
    """Class name by instance."""

    @np.errstate(divide="ignore", invalid="ignore")
    def trace(self, view: View, *, shadows: bool = False) -> tuple[Floats, NDArray[np.int16]]:
        """What the rays of a view meet first: depth [m] and row of the table, both (rows, columns).

        With ``shadows`` only what casts them counts; where there is nothing else the depth is infinite, the row 0.
        """
        basis = self.axes @ view.axes.T
        origins = np.einsum("nij,nj->ni", self.axes, view.position - self.centre)
        right, up, back = basis[..., 0], basis[..., 1], basis[..., 2]
        grid = (len(view.v), len(view.u))
        if shadows:
            depth, row = np.full(grid, np.inf, np.float32), np.zeros(grid, np.int16)
        else:
            rays = _rays(view.u, view.v, right[0], up[0], back[0])
            depth, row = hit_room(self.size[0], origins[0], rays)
        for index, (top, bottom, left, end) in enumerate(view.windows(self.corners[6:]).tolist(), start=6):
            if bottom <= top or end <= left or (shadows and not self.shadow[index]):
                continue
            rays = _rays(view.u[left:end], view.v[top:bottom], right[index], up[index], back[index])
            found = hit(Shape(self.shape[index]), self.size[index], origins[index], rays)
            part = depth[top:bottom, left:end]
            nearer = found < part
            np.copyto(part, found, where=nearer)
            np.copyto(row[top:bottom, left:end], np.int16(index), where=nearer)
        return depth, row


def _rays(u: Floats, v: Floats, right: Floats, up: Floats, back: Floats) -> Floats:
    return right[:, None, None] * u + (up[:, None] * v - back[:, None])[:, :, None]


class Stage:
    """Collects what is in a scene."""

    def __init__(self, room: Vector, floor: Material, walls: Material, ceiling: Material) -> None:
        """Start with an empty room of ``room`` (width, height, depth) metres."""
        self.room = room
        half = (room[0] / 2, room[1] / 2, room[2] / 2)
        sides = (walls, walls, floor, ceiling, walls, walls)
        self._solids = [Solid(Shape.ROOM, half, half, _UPRIGHT, material) for material in sides]
        self._instances = list(range(6))
        self._shadow = [True] * 6
        self.labels = ["wall", "wall", "floor", "ceiling", "wall", "wall"]

    def put(self, piece: Piece, x: float, z: float, *, yaw: float = 0.0, y: float = 0.0) -> int:
        """Put a piece down at (x, z), its bottom at height y [m], turned by ``yaw`` [rad].

        Returns:
            The number of its instance.
        """
        turn = yaw_axes(yaw)
        for solid in piece.solids:
            centre = np.asarray(solid.centre, np.float32) @ turn + (x, y, z)
            place = (float(centre[0]), float(centre[1]), float(centre[2]))
            self._solids.append(Solid(solid.shape, solid.size, place, solid.axes @ turn, solid.material, solid.part))
        self._instances += [len(self.labels)] * len(piece.solids)
        self._shadow += [piece.shadow] * len(piece.solids)
        self.labels.append(piece.label)
        return len(self.labels) - 1

    def freeze(self) -> Scene:
        """The scene as tables."""
        solids, materials = self._solids, [solid.material for solid in self._solids]
        centre = np.array([solid.centre for solid in solids], np.float32)
        axes = np.stack([solid.axes for solid in solids])
        low_high = np.array([bounds(solid.shape, solid.size) for solid in solids], np.float32)
        large = (low_high[:, 1] - low_high[:, 0]).max(axis=1) > _SHADOW_SIZE
        pick = np.indices((2, 2, 2)).reshape(3, 8)
        local = np.stack([low_high[:, pick[axis], axis] for axis in range(3)], axis=-1)
        return Scene(
            room=np.array(self.room, np.float32),
            shape=np.array([solid.shape for solid in solids], np.uint8),
            size=np.array([solid.size for solid in solids], np.float32),
            centre=centre,
            axes=axes,
            corners=local @ axes + centre[:, None],
            colour=np.array([material.colour for material in materials], np.float32),
            second=np.array([material.second for material in materials], np.float32),
            texture=np.array([material.texture for material in materials], np.uint8),
            scale=np.array([material.scale for material in materials], np.float32),
            gloss=np.array([material.gloss for material in materials], np.float32),
            glow=np.array([material.glow for material in materials], np.float32),
            part=np.array([solid.part for solid in solids], np.uint8),
            shadow=large & np.array(self._shadow),
            instance=np.array(self._instances, np.int16),
            labels=tuple(self.labels),
        )
