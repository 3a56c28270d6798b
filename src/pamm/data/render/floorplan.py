"""The room from above: what is taken, what is seen, and where the next piece can go."""

from dataclasses import dataclass, field

import numpy as np

from pamm.data.render.palette import Rng
from pamm.data.render.stage import Piece, Vector

WALLS = (0.0, np.pi / 2, -np.pi / 2, np.pi)
"""Yaw [rad] of something that stands with its back to a wall: the far one (z = 0), left (x = 0), right, near."""

_GAP = 0.04
_TRIES = 10

Spot = tuple[float, float, int]
"""x and z [m] on a wall, and the wall's number."""


@dataclass
class FloorPlan:
    """Bookkeeping of a room while it is furnished."""

    room: Vector
    """Width, height, depth [m]."""
    eye: tuple[float, float]
    """x and z of the camera [m]."""
    heading: float
    """Direction of view [rad] to the right of -z."""
    reach: float
    """Half of the horizontal field of view [rad]."""
    _taken: list[tuple[float, float, float, float]] = field(default_factory=list)
    _hung: list[tuple[int, float, float, float, float]] = field(default_factory=list)
    _sights: list[tuple[float, float]] = field(default_factory=list)

    def ahead(self, aside: float, distance: float, *, clear: float) -> tuple[float, float]:
        """A place in view, ``aside`` from -1 (left edge) to 1, moved inwards to be ``clear`` [m] of the walls."""
        angle = self.heading + aside * self.reach
        x = self.eye[0] + distance * np.sin(angle)
        z = self.eye[1] - distance * np.cos(angle)
        return (
            float(np.clip(x, clear, self.room[0] - clear)),
            float(np.clip(z, clear, self.room[2] - clear)),
        )

    def distance(self, x: float, z: float) -> float:
        """Distance from the camera over the floor [m]."""
        return float(np.hypot(x - self.eye[0], z - self.eye[1]))

    def facing(self, x: float, z: float) -> float:
        """Yaw [rad] of something at (x, z) that faces the camera."""
        return float(np.arctan2(self.eye[0] - x, self.eye[1] - z))

    def take(self, x: float, z: float, width: float, depth: float) -> None:
        """Mark a rectangle of the floor as taken."""
        self._taken.append((x - width / 2, x + width / 2, z - depth / 2, z + depth / 2))

    def keep_clear(self, x: float, z: float) -> None:
        """Keep the line of sight to (x, z) free."""
        self._sights.append((x, z))

    def free(self, x: float, z: float, width: float, depth: float) -> bool:
        """Whether a rectangle of floor lies in the room and is not taken."""
        low_x, high_x, low_z, high_z = x - width / 2, x + width / 2, z - depth / 2, z + depth / 2
        if low_x < 0 or low_z < 0 or high_x > self.room[0] or high_z > self.room[2]:
            return False
        return all(
            low_x >= right + _GAP or high_x <= left - _GAP or low_z >= near + _GAP or high_z <= far - _GAP
            for left, right, far, near in self._taken
        )

    def fits(
        self, x: float, z: float, width: float, depth: float, *, tall: bool, on: tuple[float, float] | None = None
    ) -> bool:
        """Whether a piece can stand there: free floor, away from the camera and out of the lines of sight.

        ``on`` is the centre of a piece it may overlap, as a chair does a table.
        """
        if on is None and not self.free(x, z, width, depth):
            return False
        if on is not None:
            kept = [spot for spot in self._taken if not (spot[0] < on[0] < spot[1] and spot[2] < on[1] < spot[3])]
            if not FloorPlan(self.room, self.eye, self.heading, self.reach, kept).free(x, z, width, depth):
                return False
        half = np.array([width / 2, depth / 2])
        offset = np.abs(np.subtract(self.eye, (x, z)))
        if np.hypot(*np.maximum(offset - half, 0)) < (1.5 if tall else 0.8):
            return False
        return not any(self._crosses(sight, (x, z), half + 0.3) for sight in self._sights)

    def _crosses(self, sight: tuple[float, float], centre: tuple[float, float], half: np.ndarray) -> bool:
        """Whether the line from the camera to ``sight`` meets a rectangle."""
        steps = np.linspace(0, 1, 12)[:, None]
        line = np.array(self.eye) * (1 - steps) + np.array(sight) * steps
        return bool((np.abs(line - centre) < half).all(axis=1).any())

    def _wall_ahead(self, rng: Rng) -> Spot:
        """The point of a wall at which a random line of sight ends."""
        angle = self.heading + float(rng.uniform(-0.95, 0.95)) * self.reach
        step = np.array([np.sin(angle), -np.cos(angle)])
        limit = np.where(step > 0, [self.room[0], self.room[2]], 0.0)
        times = (limit - self.eye) / np.where(np.abs(step) < 1e-6, 1e-6, step)
        x, z = np.array(self.eye) + times.min() * step
        wall = ((1, 2) if times[0] < times[1] else (0, 3))[int(step[int(times.argmin())] > 0)]
        return float(x), float(z), wall

    def _along(self, spot: Spot, width: float) -> tuple[Spot, float] | None:
        """The spot moved so that ``width`` fits on its wall, and its place along the wall."""
        x, z, wall = spot
        side = wall in (1, 2)
        length = self.room[2] if side else self.room[0]
        if width + 0.1 > length:
            return None
        place = float(np.clip(z if side else x, width / 2 + 0.05, length - width / 2 - 0.05))
        return ((x, place, wall) if side else (place, z, wall)), place

    def _hang(self, wall: int, place: float, width: float, bottom: float, height: float) -> bool:
        """Take a rectangle of a wall if it is free."""
        left, right, top = place - width / 2 - 0.06, place + width / 2 + 0.06, bottom + height + 0.05
        for other, low, high, under, over in self._hung:
            if other == wall and left < high and right > low and bottom < over and top > under:
                return False
        self._hung.append((wall, left, right, bottom, top))
        return True

    def on_wall(self, rng: Rng, width: float, bottom: float, height: float) -> Spot | None:
        """A free spot on a wall in view for something flat, now taken."""
        for _ in range(_TRIES):
            found = self._along(self._wall_ahead(rng), width)
            if found is not None and self._hang(found[0][2], found[1], width, bottom, height):
                return found[0]
        return None

    def off_wall(self, spot: Spot, away: float) -> tuple[float, float]:
        """The place on the floor ``away`` [m] in front of a spot on a wall."""
        yaw = WALLS[spot[2]]
        return float(spot[0] + away * np.sin(yaw)), float(spot[1] + away * np.cos(yaw))

    def against_wall(self, rng: Rng, piece: Piece) -> tuple[float, float, float] | None:
        """A free place (x, z, yaw) in view with its back to a wall, now taken."""
        for _ in range(_TRIES):
            found = self._along(self._wall_ahead(rng), piece.width)
            if found is None:
                continue
            spot, place = found
            x, z = self.off_wall(spot, piece.depth / 2 + 0.02)
            side = spot[2] in (1, 2)
            width, depth = (piece.depth, piece.width) if side else (piece.width, piece.depth)
            if self.fits(x, z, width, depth, tall=piece.height > 1.2) and self._hang(
                spot[2], place, piece.width, 0.0, piece.height - 0.15
            ):
                self.take(x, z, width, depth)
                return x, z, WALLS[spot[2]]
        return None

    def in_view(self, rng: Rng, piece: Piece) -> tuple[float, float] | None:
        """A free place (x, z) in view, in the middle of the room, now taken; any yaw up to 0.5 rad fits."""
        side = float(np.hypot(piece.width, piece.depth)) if piece.width < 0.6 else 1.15 * piece.width
        other = side if piece.width < 0.6 else 1.4 * piece.depth
        for _ in range(_TRIES):
            x, z = self.ahead(float(rng.uniform(-0.85, 0.85)), float(rng.uniform(1.7, 4.5)), clear=side / 2 + 0.05)
            if self.fits(x, z, side, other, tall=piece.height > 1.2):
                self.take(x, z, side, other)
                return x, z
        return None
