"""Colours of things: woods, cloth, walls, skin, hair; plausible ones for each."""

from collections.abc import Sequence

import numpy as np

from pamm.data.render.stage import Material, Vector
from pamm.data.render.textures import Texture

Rng = np.random.Generator


def _rgb(codes: str) -> tuple[Vector, ...]:
    return tuple(
        (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255) for code in codes.split()
    )


WOODS = _rgb("c79a62 a8743f 8a5a33 6b4226 d8b98c 57351f b98a5e")
FLOORS = _rgb("b98d5b a2713f 8c5e38 c9a577 75502f 9c8468")
TILES = _rgb("d9d3c7 c8bfae b7b2aa e2ddd3 a9a196")
WALLPAPERS = _rgb("efe8dc e6dcc8 dfe4e2 d5dfd3 e9d9cf d3dce6 e8e3b9 dccfe0 f1efe9 cfc6b8")
FABRICS = _rgb("8a8f98 5c6675 a39686 6f7d6c 3f4f68 8f6f62 c3b9a8 4d4a4d 7b6a80")
LINENS = _rgb("eef0f2 e4dccf c9d6e2 e5cdd0 d5dfcf f3ead8")
COVERS = _rgb("6f8fae a9746e 7f9a7c c7b07a 8d7aa3 5f6f8c b5a49a")
PAINTS = _rgb("f0efec dcd8d0 b9c3c4 8fa0a3 6f7c86")
VIVID = _rgb("e01b24 ff7800 f6d32d 26c04a 1c71d8 c01ccb 00b7c3 ff3d8b")
MUTED = _rgb("b9a58c 8d9a8f a58f8a 7c8594 c9c3b5 6d6a63")
SKINS = _rgb("f3cfb3 e6b48f c98d63 a66a43 7d4b2d 5a3521")
HAIRS = _rgb("1d1714 3b2417 6a4426 a5773f d8b36a 8b8784 7a2f1a")
SHIRTS = _rgb("c23b3b 2f6db5 f0f0ee 3b3f46 3f8f5a d9a441 7a4a94 e08a5a 86b7d9 b8425f 4c9a9a")
TROUSERS = _rgb("2b3a5c 3b3b40 6a5a45 1f2430 8a7d68 4a5f7f 55524e")
SHOES = _rgb("1b1a1a 4a2f1e d8d5cf 6b2a2a")
METAL: Vector = (0.62, 0.63, 0.65)
WHITE: Vector = (0.93, 0.92, 0.9)


def pick(rng: Rng, colours: Sequence[Vector], *, spread: float = 0.06) -> Vector:
    """One of the colours, a little lighter or darker and a little off."""
    colour = np.asarray(colours[int(rng.integers(len(colours)))])
    red, green, blue = np.clip(
        colour * rng.uniform(1 - 2 * spread, 1 + spread) + rng.normal(0, spread / 4, 3), 0.02, 0.98
    )
    return float(red), float(green), float(blue)


def darker(colour: Vector, share: float) -> Vector:
    """A colour at ``share`` of its lightness, or lighter for more than 1."""
    return min(colour[0] * share, 1.0), min(colour[1] * share, 1.0), min(colour[2] * share, 1.0)


def wood(rng: Rng) -> Material:
    """Some wood, with its grain."""
    return Material(pick(rng, WOODS), texture=Texture.GRAIN, scale=1.0, gloss=0.2)


def fabric(rng: Rng, colours: Sequence[Vector] = FABRICS) -> Material:
    """Upholstery or bed linen."""
    colour = pick(rng, colours)
    if rng.random() < 0.15:
        return Material(colour, darker(colour, 1.25), Texture.STRIPES, float(rng.uniform(0.04, 0.09)))
    return Material(colour, texture=Texture.FABRIC, scale=float(rng.uniform(0.8, 1.6)))


def paint(rng: Rng) -> Material:
    """Painted wood."""
    return Material(pick(rng, PAINTS), texture=Texture.PLAIN, gloss=0.15)


def plain(colour: Vector, *, gloss: float = 0.0, glow: float = 0.0) -> Material:
    """One even colour."""
    return Material(colour, texture=Texture.PLAIN, scale=0.5, gloss=gloss, glow=glow)
