"""What hangs on walls: windows, doors, pictures. Their backs lie on z = 0, their fronts look to +z."""

from pamm.data.render.palette import COVERS, WHITE, Rng, darker, paint, pick, wood
from pamm.data.render.stage import Material, Piece, Vector
from pamm.data.render.textures import Texture

_SKIES: tuple[Vector, ...] = ((0.45, 0.68, 0.95), (0.60, 0.75, 0.92), (0.75, 0.82, 0.9))
_FRAMES: tuple[Vector, ...] = ((0.1, 0.09, 0.09), (0.55, 0.38, 0.2), (0.9, 0.89, 0.86), (0.7, 0.58, 0.3))


def panes(rng: Rng, ceiling: float, daylight: float) -> tuple[Piece, float]:
    """A window, and the height of its sill [m]."""
    width = float(rng.uniform(0.9, 1.6))
    sill = float(rng.choice([0.85, 0.25], p=[0.8, 0.2])) + float(rng.uniform(-0.05, 0.1))
    height = min(ceiling - 0.3, 2.2) - sill
    piece = Piece("window", width, 0.05, height, shadow=False)
    glass = Material(WHITE, pick(rng, _SKIES), Texture.WINDOW, daylight, glow=0.9 * max(daylight, 0.1), gloss=0.1)
    piece.box((0, 0.02), 0, (width, height, 0.04), glass)
    piece.box((0, 0.06), -0.05, (width + 0.1, 0.05, 0.12), Material(WHITE))
    if rng.random() < 0.4:
        _curtains(rng, piece, ceiling - sill)
    return piece, sill


def _curtains(rng: Rng, piece: Piece, top: float) -> None:
    """Hang a curtain to either side, from under the ceiling, ``top`` above the sill, to below the sill."""
    colour = pick(rng, COVERS)
    cloth = Material(colour, darker(colour, 0.82), Texture.STRIPES, 0.045)
    wide = float(rng.uniform(0.24, 0.34))
    for side in (-1, 1):
        piece.box((side * (piece.width + wide) / 2, 0.07), -0.2, (wide, top + 0.08, 0.05), cloth)
    piece.width += 2 * wide


def door(rng: Rng) -> Piece:
    """A closed door in its frame."""
    width, height = float(rng.uniform(0.85, 1.0)), float(rng.uniform(2.02, 2.12))
    leaf = wood(rng) if rng.random() < 0.6 else paint(rng)
    frame = WHITE if rng.random() < 0.5 else leaf.colour
    piece = Piece("door", width, 0.05, height, shadow=False)
    piece.box((0, 0.02), 0, (width, height, 0.04), Material(leaf.colour, frame, Texture.DOOR, 0.07, gloss=0.15))
    return piece


def ceiling_lamp(rng: Rng) -> Piece:
    """A flat shade under the ceiling; its lower side is at y = 0."""
    radius = float(rng.uniform(0.17, 0.24))
    piece = Piece("object", 2 * radius, 2 * radius, 0.1, shadow=False)
    piece.cylinder((0, 0), 0, (0.75 * radius, radius), 0.1, Material((1.0, 0.93, 0.8), glow=0.8))
    return piece


def picture(rng: Rng) -> tuple[Piece, float]:
    """A framed picture, and the height of its lower edge [m]."""
    width, height = float(rng.uniform(0.5, 1.1)), float(rng.uniform(0.45, 0.8))
    piece = Piece("picture", width, 0.04, height, shadow=False)
    style = Material(pick(rng, _FRAMES), texture=Texture.PICTURE, scale=float(rng.random()))
    piece.box((0, 0.015), 0, (width, height, 0.03), style)
    return piece, float(rng.uniform(1.5, 1.65)) - height / 2
