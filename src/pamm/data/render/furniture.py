"""Furniture: each function builds one piece, its sizes in metres drawn around those of the real thing."""

import numpy as np

from pamm.data.render.palette import (
    COVERS,
    FABRICS,
    LINENS,
    METAL,
    WHITE,
    Rng,
    darker,
    fabric,
    paint,
    pick,
    plain,
    wood,
)
from pamm.data.render.stage import Material, Piece, Vector
from pamm.data.render.textures import Texture


def table(rng: Rng, *, low: bool = False) -> Piece:
    """A dining table or desk, or a low one for a sofa; a third of them round."""
    height = float(rng.uniform(0.4, 0.48) if low else rng.uniform(0.72, 0.77))
    top, leg = wood(rng), plain(METAL, gloss=0.5)
    if rng.random() < 0.6:
        leg = top
    if rng.random() < 0.33:
        radius = float(rng.uniform(0.4, 0.5) if low else rng.uniform(0.5, 0.65))
        piece = Piece("table", 2 * radius, 2 * radius, height)
        piece.cylinder((0, 0), height - 0.04, (radius, radius), 0.04, top)
        piece.cylinder((0, 0), 0.03, (0.05, 0.05), height - 0.07, leg)
        piece.cylinder((0, 0), 0, (radius * 0.55, radius * 0.5), 0.03, leg)
        return piece
    width = float(rng.uniform(0.9, 1.2) if low else rng.uniform(1.2, 1.8))
    depth = float(rng.uniform(0.5, 0.65) if low else rng.uniform(0.75, 0.95))
    piece = Piece("table", width, depth, height)
    piece.box((0, 0), height - 0.045, (width, 0.045, depth), top)
    for x in (-1, 1):
        for z in (-1, 1):
            piece.box((x * (width / 2 - 0.06), z * (depth / 2 - 0.06)), 0, (0.065, height - 0.045, 0.065), leg)
    if low and rng.random() < 0.5:
        piece.box((0, 0), 0.12, (width - 0.1, 0.025, depth - 0.1), top)
    elif not low:
        for z in (-1, 1):
            piece.box((0, z * (depth / 2 - 0.06)), height - 0.13, (width - 0.15, 0.085, 0.025), top)
    return piece


def chair(rng: Rng, colour: Vector | None = None) -> Piece:
    """A chair with four legs and a back; its seat is 0.46 m high."""
    width, depth, height = float(rng.uniform(0.44, 0.5)), float(rng.uniform(0.44, 0.5)), float(rng.uniform(0.88, 1.0))
    frame = wood(rng) if colour is None else plain(colour, gloss=0.2)
    seat = fabric(rng) if colour is None and rng.random() < 0.5 else frame
    piece = Piece("chair", width, depth, height)
    piece.box((0, 0), 0.41, (width, 0.05, depth), seat)
    for x in (-1, 1):
        for z in (-1, 1):
            piece.box((x * (width / 2 - 0.025), z * (depth / 2 - 0.025)), 0, (0.045, 0.41, 0.045), frame)
    rear = -depth / 2 + 0.025
    if rng.random() < 0.5:
        piece.box((0, rear), 0.46, (width, height - 0.46, 0.04), seat, tilt=0.08)
        return piece
    for x in (-1, 1):
        piece.box((x * (width / 2 - 0.025), rear), 0.46, (0.045, height - 0.46, 0.04), frame, tilt=0.08)
    for level in (0.58, 0.8):
        piece.box((0, rear - 0.02), level * height, (width - 0.06, 0.13, 0.03), seat, tilt=0.08)
    return piece


def stool(rng: Rng) -> Piece:
    """A round stool, 0.46 m high."""
    metal = plain(METAL, gloss=0.5)
    piece = Piece("chair", 0.4, 0.4, 0.46)
    piece.cylinder((0, 0), 0.4, (0.19, 0.2), 0.06, fabric(rng))
    piece.cylinder((0, 0), 0.03, (0.03, 0.03), 0.37, metal)
    piece.cylinder((0, 0), 0, (0.2, 0.17), 0.03, metal)
    return piece


def sofa(rng: Rng, *, seats: int | None = None, colour: Vector | None = None) -> Piece:
    """A sofa for one, two or three; its seat is 0.44 m high."""
    seats = seats or int(rng.integers(2, 4))
    arm = float(rng.uniform(0.16, 0.22))
    width = seats * float(rng.uniform(0.6, 0.68))
    depth, height, full = float(rng.uniform(0.85, 0.95)), float(rng.uniform(0.78, 0.88)), width + 2 * arm
    cloth = fabric(rng) if colour is None else Material(colour, texture=Texture.FABRIC)
    piece = Piece("sofa", full, depth, height)
    piece.box((0, 0), 0.06, (full, 0.24, depth), cloth)
    piece.box((0, -depth / 2 + 0.11), 0.3, (full, height - 0.3, 0.22), cloth)
    for x in (-1, 1):
        side = x * (full - arm) / 2
        piece.box((side, 0), 0.3, (arm, 0.24, depth), cloth)
        piece.limb((side, 0.54, -depth / 2 + 0.1), (side, 0.54, depth / 2 - 0.09), (arm / 2, arm / 2), cloth)
    each = width / seats
    accent = fabric(rng, COVERS)
    for index in range(seats):
        middle = (index - (seats - 1) / 2) * each
        piece.box((middle, 0.09), 0.3, (each - 0.015, 0.14, depth - 0.22), cloth)
        piece.box((middle, -depth / 2 + 0.27), 0.44, (each - 0.03, 0.32, 0.13), cloth, tilt=0.16)
        if colour is None and index in (0, seats - 1) and rng.random() < 0.5:
            piece.box((middle * 1.05, -depth / 2 + 0.42), 0.44, (0.4, 0.36, 0.1), accent, tilt=0.3)
    return piece


def bed(rng: Rng) -> Piece:
    """A bed for one or two, its head against the wall behind it."""
    width, depth = float(rng.choice([1.0, 1.4, 1.65])), float(rng.uniform(2.0, 2.1))
    frame, linen, cover = wood(rng), fabric(rng, LINENS), fabric(rng, COVERS)
    piece = Piece("bed", width, depth, float(rng.uniform(0.9, 1.15)))
    piece.box((0, -depth / 2 + 0.03), 0, (width, piece.height, 0.06), frame)
    piece.box((0, 0), 0.1, (width, 0.2, depth), frame)
    piece.box((0, 0.03), 0.3, (width - 0.06, 0.22, depth - 0.1), linen)
    piece.box((0, 0.31), 0.26, (width - 0.02, 0.3, depth - 0.66), cover)
    piece.box((0, -0.08), 0.3, (width, 0.275, 0.26), linen)
    pillows = 1 if width < 1.3 else 2
    for index in range(pillows):
        x = (index - (pillows - 1) / 2) * width / 2
        piece.ball((x, 0.58, -depth / 2 + 0.32), (min(0.33, width / pillows / 2 - 0.05), 0.11, 0.2), linen)
    return piece


def cabinet(rng: Rng, *, tall: bool) -> Piece:
    """A wardrobe or a sideboard with doors or drawers."""
    width = float(rng.uniform(0.9, 1.6) if tall else rng.uniform(0.8, 1.7))
    height = float(rng.uniform(1.8, 2.15) if tall else rng.uniform(0.7, 0.95))
    depth = float(rng.uniform(0.5, 0.6) if tall else rng.uniform(0.4, 0.5))
    body = wood(rng) if rng.random() < 0.6 else paint(rng)
    front = Material(
        body.colour, METAL if rng.random() < 0.6 else (0.15, 0.13, 0.12), Texture.FRONT, float(rng.uniform(0.42, 0.6))
    )
    piece = Piece("cabinet", width, depth, height)
    piece.box((0, -0.02), 0, (width - 0.06, 0.07, depth - 0.08), plain((0.12, 0.1, 0.09)))
    piece.box((0, -0.01), 0.07, (width - 0.01, height - 0.1, depth - 0.02), front)
    piece.box((0, 0), height - 0.035, (width, 0.035, depth), body)
    return piece


def night_stand(rng: Rng) -> Piece:
    """A small cabinet to stand beside a bed."""
    piece = cabinet(rng, tall=False)
    small = Piece("cabinet", 0.45, 0.4, 0.52)
    body = piece.solids[2].material
    small.box((0, 0), 0.04, (0.44, 0.45, 0.38), piece.solids[1].material)
    small.box((0, 0), 0.49, (0.45, 0.03, 0.4), body)
    small.box((0, 0), 0, (0.38, 0.04, 0.34), plain((0.12, 0.1, 0.09)))
    return small


def bookshelf(rng: Rng) -> Piece:
    """An open shelf full of books."""
    width, depth, height = float(rng.uniform(0.75, 1.3)), 0.3, float(rng.uniform(1.6, 2.1))
    board = wood(rng) if rng.random() < 0.75 else paint(rng)
    dark = plain(darker(board.colour, 0.6))
    levels = round(height / 0.36)
    piece = Piece("cabinet", width, depth, height)
    piece.box((0, -depth / 2 + 0.01), 0, (width, height, 0.02), dark)
    for x in (-1, 1):
        piece.box((x * (width / 2 - 0.015), 0), 0, (0.03, height, depth), board)
    pitch = (height - 0.03) / levels
    for level in range(levels + 1):
        piece.box((0, 0), level * pitch, (width - 0.06, 0.03, depth), board)
    for level in range(levels):
        share = 1.0 if rng.random() < 0.6 else float(rng.uniform(0.4, 0.8))
        length = (width - 0.07) * share
        books = Material(board.colour, texture=Texture.BOOKS, scale=float(rng.uniform(0.035, 0.055)))
        piece.box((-(width - 0.07 - length) / 2, -0.02), level * pitch + 0.03, (length, 0.25, 0.2), books)
        if share < 0.7:
            piece.ball((width / 2 - 0.14, level * pitch + 0.13, 0), 0.1, plain(pick(rng, FABRICS), gloss=0.4))
    return piece


def floor_lamp(rng: Rng) -> Piece:
    """A standing lamp with a lit shade."""
    height, radius = float(rng.uniform(1.45, 1.7)), float(rng.uniform(0.19, 0.26))
    metal = plain((0.25, 0.22, 0.2) if rng.random() < 0.5 else METAL, gloss=0.5)
    piece = Piece("object", 2 * radius, 2 * radius, height)
    piece.cylinder((0, 0), 0, (0.16, 0.14), 0.03, metal)
    piece.cylinder((0, 0), 0.03, (0.018, 0.018), height - 0.3, metal)
    piece.cylinder((0, 0), height - 0.32, (radius, radius * 0.65), 0.32, plain((1.0, 0.88, 0.66), glow=0.85))
    return piece


def table_lamp(rng: Rng) -> Piece:
    """A lamp to stand on something."""
    piece = Piece("object", 0.3, 0.3, 0.48)
    piece.cylinder((0, 0), 0, (0.08, 0.07), 0.02, plain(METAL, gloss=0.4))
    piece.ball((0, 0.12, 0), (0.075, 0.11, 0.075), plain(pick(rng, FABRICS), gloss=0.4))
    piece.cylinder((0, 0), 0.24, (0.15, 0.1), 0.22, plain((1.0, 0.88, 0.66), glow=0.85))
    return piece


def plant(rng: Rng) -> Piece:
    """A plant in a pot, as high as a child."""
    height = float(rng.uniform(0.8, 1.3))
    piece = Piece("object", 0.5, 0.5, height)
    pot = plain(WHITE if rng.random() < 0.4 else (0.66, 0.38, 0.26), gloss=0.2)
    piece.cylinder((0, 0), 0, (0.13, 0.18), 0.32, pot)
    count = int(rng.integers(7, 11))
    for index in range(count):
        angle, rise = 2.4 * index, float(rng.uniform(0.55, 1.0))
        reach = 0.26 * (1.25 - rise)
        green = (0.16 + 0.12 * float(rng.random()), 0.36 + 0.14 * float(rng.random()), 0.17)
        tip = (reach * float(np.cos(angle)), height * rise - 0.05, reach * float(np.sin(angle)))
        piece.limb((0, 0.3, 0), tip, (0.03, 0.055), plain(green))
    return piece


def vase(rng: Rng, colour: Vector, *, height: float) -> Piece:
    """A vase with a belly."""
    glaze, radius = plain(colour, gloss=0.6), 0.3 * height * float(rng.uniform(0.85, 1.1))
    piece = Piece("object", 2 * radius, 2 * radius, height)
    piece.cylinder((0, 0), 0, (radius * 0.6, radius * 0.75), height * 0.12, glaze)
    piece.ball((0, height * 0.42, 0), (radius, height * 0.36, radius), glaze)
    piece.cylinder((0, 0), height * 0.68, (radius * 0.55, radius * 0.42), height * 0.22, glaze)
    piece.cylinder((0, 0), height * 0.9, (radius * 0.42, radius * 0.62), height * 0.1, glaze)
    return piece


def television(rng: Rng) -> Piece:
    """A flat screen on a foot."""
    width = float(rng.uniform(0.8, 1.15))
    piece = Piece("object", width, 0.2, width * 0.56 + 0.07)
    dark = plain((0.05, 0.05, 0.06), gloss=0.6)
    piece.box((0, 0), 0.06, (width, width * 0.56, 0.05), dark)
    piece.box((0, 0), 0, (0.3, 0.06, 0.18), dark)
    return piece


def rug(rng: Rng, colour: Vector, second: Vector) -> Piece:
    """A flat rug; it belongs to the floor."""
    width, depth = float(rng.uniform(1.6, 2.6)), float(rng.uniform(1.2, 1.8))
    wool = Material(colour, second, Texture.RUG, 0.07)
    piece = Piece("floor", width, depth, 0.012, shadow=False)
    if rng.random() < 0.25:
        piece.cylinder((0, 0), 0, (depth / 2, depth / 2), 0.012, Material(colour, texture=Texture.FABRIC, scale=1.5))
    else:
        piece.box((0, 0), 0, (width, 0.012, depth), wool)
    return piece
