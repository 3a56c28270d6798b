"""What hangs on walls: windows, doors, pictures. Their backs lie on z = 0, their fronts look to +z."""

from pamm.data.render.palette import WHITE, Rng, paint, pick, wood
from pamm.data.render.stage import Material, Piece, Vector
from pamm.data.render.textures import Texture

_SKIES: tuple[Vector, ...] = ((0.45, 0.68, 0.95), (0.60, 0.75, 0.92), (0.75, 0.82, 0.9))
_FRAMES: tuple[Vector, ...] = ((0.1, 0.09, 0.09), (0.55, 0.38, 0.2), (0.9, 0.89, 0.86), (0.7, 0.58, 0.3))


def panes(rng: Rng, ceiling: float, daylight: float) -> tuple[Piece, float]:
    """A window, and the height of its sill [m]."""
    width = float(rng.uniform(0.9, 2.0))
    sill = float(rng.choice([0.85, 0.25], p=[0.8, 0.2])) + float(rng.uniform(-0.05, 0.1))
    height = min(ceiling - 0.3, 2.2) - sill
    piece = Piece("window", width, 0.05, height)
    glass = Material(WHITE, pick(rng, _SKIES), Texture.WINDOW, daylight, glow=0.9 * max(daylight, 0.1), gloss=0.1)
    piece.box((0, 0.02), 0, (width, height, 0.04), glass)
    piece.box((0, 0.06), -0.05, (width + 0.1, 0.05, 0.12), Material(WHITE))
    return piece, sill


def door(rng: Rng) -> Piece:
    """A closed door in its frame."""
    width, height = float(rng.uniform(0.85, 1.0)), float(rng.uniform(2.02, 2.12))
    leaf = wood(rng) if rng.random() < 0.6 else paint(rng)
    frame = WHITE if rng.random() < 0.5 else leaf.colour
    piece = Piece("door", width, 0.05, height)
    piece.box((0, 0.02), 0, (width, height, 0.04), Material(leaf.colour, frame, Texture.DOOR, 0.07, gloss=0.15))
    return piece


def picture(rng: Rng) -> tuple[Piece, float]:
    """A framed picture, and the height of its lower edge [m]."""
    width, height = float(rng.uniform(0.5, 1.1)), float(rng.uniform(0.45, 0.8))
    piece = Piece("picture", width, 0.04, height)
    style = Material(pick(rng, _FRAMES), texture=Texture.PICTURE, scale=float(rng.random()))
    piece.box((0, 0.015), 0, (width, height, 0.03), style)
    return piece, float(rng.uniform(1.5, 1.65)) - height / 2
