"""Vividly coloured things that catch the eye in rooms without people."""

from pamm.data.render.furniture import chair, sofa, vase
from pamm.data.render.palette import VIVID, WHITE, Rng, pick, plain
from pamm.data.render.stage import Material, Piece
from pamm.data.render.textures import Texture


def _ball(rng: Rng) -> Piece:
    radius = float(rng.uniform(0.28, 0.42))
    colour = pick(rng, VIVID, spread=0.03)
    striped = Material(colour, WHITE, Texture.SEGMENTS, float(rng.choice([6, 8])), gloss=0.5)
    piece = Piece("object", 2 * radius, 2 * radius, 2 * radius)
    piece.ball((0, radius, 0), radius, striped if rng.random() < 0.5 else plain(colour, gloss=0.6))
    return piece


def _vase(rng: Rng) -> Piece:
    return vase(rng, pick(rng, VIVID, spread=0.03), height=float(rng.uniform(0.7, 1.0)))


def _gift(rng: Rng) -> Piece:
    side, height = float(rng.uniform(0.45, 0.65)), float(rng.uniform(0.4, 0.6))
    paper = plain(pick(rng, VIVID, spread=0.03), gloss=0.3)
    ribbon = plain(pick(rng, VIVID, spread=0.03) if rng.random() < 0.5 else WHITE, gloss=0.4)
    piece = Piece("object", side, side, height)
    piece.box((0, 0), 0, (side, height, side), paper)
    piece.box((0, 0), 0, (0.08, height + 0.008, side + 0.016), ribbon)
    piece.box((0, 0), 0, (side + 0.016, height + 0.008, 0.08), ribbon)
    for x in (-0.09, 0.09):
        piece.ball((x, height + 0.05, 0), (0.09, 0.05, 0.05), ribbon)
    return piece


def _bear(rng: Rng) -> Piece:
    fur = Material(pick(rng, VIVID, spread=0.03), texture=Texture.FABRIC, scale=1.5)
    light, dark = plain((0.95, 0.87, 0.74)), plain((0.08, 0.06, 0.06), gloss=0.5)
    piece = Piece("object", 0.66, 0.6, 0.86)
    piece.ball((0, 0.27, 0), (0.21, 0.27, 0.19), fur)
    piece.ball((0, 0.26, 0.06), (0.14, 0.18, 0.15), light)
    piece.ball((0, 0.64, 0.02), (0.18, 0.17, 0.16), fur)
    piece.ball((0, 0.6, 0.15), (0.08, 0.065, 0.07), light)
    piece.ball((0, 0.63, 0.215), 0.025, dark)
    for x in (-1, 1):
        piece.ball((0.15 * x, 0.79, 0), (0.07, 0.07, 0.04), fur)
        piece.ball((0.07 * x, 0.69, 0.155), 0.022, dark)
        piece.limb((0.16 * x, 0.44, 0.03), (0.28 * x, 0.22, 0.12), (0.075, 0.07), fur)
        piece.limb((0.12 * x, 0.09, 0.05), (0.22 * x, 0.09, 0.27), (0.09, 0.08), fur)
    return piece


def _seat(rng: Rng) -> Piece:
    colour = pick(rng, VIVID, spread=0.03)
    return sofa(rng, seats=1, colour=colour) if rng.random() < 0.5 else chair(rng, colour)


def hero(rng: Rng) -> Piece:
    """A ball, a floor vase, a present, a bear or a seat in a vivid colour."""
    makers = (_ball, _vase, _gift, _bear, _seat)
    return makers[int(rng.integers(len(makers)))](rng)
