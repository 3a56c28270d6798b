"""The room from above: what is taken, what is seen, and where the next piece can go."""

import math
from dataclasses import dataclass, field

from pamm.data.render.palette import Rng
from pamm.data.render.stage import Piece, Vector

WALLS = (0.0, math.pi / 2, -math.pi / 2, math.pi)
"""Yaw [rad] of something that stands with its back to a wall: the far one (z = 0), left (x = 0), right, near."""

_GAP = 0.04
_TRIES = 10
_TINY = 1e-6

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
        x = self.eye[0] + distance * math.sin(angle)
        z = self.eye[1] - distance * math.cos(angle)
        return (
            min(max(x, clear), self.room[0] - clear),
            min(max(z, clear), self.room[2] - clear),
        )

    def distance(self, x: float, z: float) -> float:
        """Distance from the camera over the floor [m]."""
        return math.hypot(x - self.eye[0], z - self.eye[1])

    def facing(self, x: float, z: float) -> float:
        """Yaw [rad] of something at (x, z) that faces the camera."""
        return math.atan2(self.eye[0] - x, self.eye[1] - z)

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
        gap = math.hypot(
            max(abs(self.eye[0] - x) - width / 2, 0.0),
            max(abs(self.eye[1] - z) - depth / 2, 0.0),
        )
        if gap < (1.5 if tall else 0.8):
            return False
        half = (width / 2 + 0.3, depth / 2 + 0.3)
        return not any(self._crosses(sight, (x, z), half) for sight in self._sights)

    def _crosses(self, sight: tuple[float, float], centre: tuple[float, float], half: tuple[float, float]) -> bool:
        """Whether the line from the camera to ``sight`` meets a rectangle."""
        low, high = 0.0, 1.0
        for start, end, middle, reach in zip(self.eye, sight, centre, half, strict=True):
            step = end - start if abs(end - start) > _TINY else _TINY
            first, second = sorted(((middle - reach - start) / step, (middle + reach - start) / step))
            low, high = max(low, first), min(high, second)
        return low < high

    def _wall_ahead(self, rng: Rng) -> Spot:
        """The point of a wall at which a random line of sight ends."""
        angle = self.heading + rng.uniform(-0.95, 0.95) * self.reach
        right, back = math.sin(angle), -math.cos(angle)
        side = ((self.room[0] if right > 0 else 0.0) - self.eye[0]) / (right if abs(right) > _TINY else _TINY)
        end = ((self.room[2] if back > 0 else 0.0) - self.eye[1]) / (back if abs(back) > _TINY else _TINY)
        if abs(side) < abs(end):
            return self.eye[0] + side * right, self.eye[1] + side * back, 2 if right > 0 else 1
        return self.eye[0] + end * right, self.eye[1] + end * back, 3 if back > 0 else 0

    def _along(self, spot: Spot, width: float) -> tuple[Spot, float] | None:
        """The spot moved so that ``width`` fits on its wall, and its place along the wall."""
        x, z, wall = spot
        side = wall in (1, 2)
        length = self.room[2] if side else self.room[0]
        if width + 0.1 > length:
            return None
        place = min(max(z if side else x, width / 2 + 0.05), length - width / 2 - 0.05)
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
        return spot[0] + away * math.sin(yaw), spot[1] + away * math.cos(yaw)

    def against_wall(self, rng: Rng, piece: Piece, *, tries: int = _TRIES) -> tuple[float, float, float] | None:
        """A free place (x, z, yaw) in view with its back to a wall, now taken."""
        for _ in range(tries):
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

    def in_view(self, rng: Rng, piece: Piece, *, tries: int = _TRIES) -> tuple[float, float] | None:
        """A free place (x, z) in view, in the middle of the room, now taken; any yaw up to 0.5 rad fits."""
        side = math.hypot(piece.width, piece.depth) if piece.width < 0.6 else 1.15 * piece.width
        other = side if piece.width < 0.6 else 1.4 * piece.depth
        for _ in range(tries):
            x, z = self.ahead(rng.uniform(-0.85, 0.85), rng.uniform(1.7, 4.5), clear=side / 2 + 0.05)
            if self.fits(x, z, side, other, tall=piece.height > 1.2):
                self.take(x, z, side, other)
                return x, z
        return None
