"""Surface patterns: the colour of a point from its place on the solid."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pamm.data.render.camera import Floats
from pamm.data.render.noise import cells, chance, cover, mix, noise, seam


class Texture(IntEnum):
    """Name of a pattern. What `scale` means stands beside each."""

    PLAIN = 0  # strength of the cloudiness
    GRAIN = 1  # wood: metres along the grain
    PLANKS = 2  # width of a plank
    TILES = 3  # side of a tile
    STRIPES = 4  # width of a stripe, across x
    FABRIC = 5  # size of the weave
    FRONT = 6  # width of a cupboard's door, front only
    BOOKS = 7  # width of a book, front only
    WINDOW = 8  # light outside, 0 to 1
    PICTURE = 9  # kind of the painting, 0 to 1
    RUG = 10  # width of the border
    DOOR = 11  # width of the frame
    HOOPS = 12  # width of a stripe, along y
    FACE = 13  # size of the head
    SEGMENTS = 14  # number of coloured segments of a beach ball
    WAINSCOT = 15  # height of the panelling of a wall
    CHECKS = 16  # size of a check


@dataclass(frozen=True)
class Patch:
    """Points (n,) of one pattern."""

    uv: Floats
    """(2, n) metres on the plane of the solid that the surface is most parallel to."""
    point: Floats
    """(3, n) metres, the solid's frame."""
    normal: Floats
    """(3, n), the solid's frame."""
    size: Floats
    """(3, n) the solid's size."""
    colour: Floats
    """(3, n) sRGB."""
    second: Floats
    """(3, n) sRGB."""
    scale: Floats
    """(n,)."""
    seed: Floats
    """(n,) one whole number per solid, below 1009."""
    ray: Floats
    """(3, n) direction of view in the world."""
    pixel: Floats
    """(n,) metres of the surface under one pixel."""


def _plain(patch: Patch) -> Floats:
    cloud = noise(patch.uv[0] * 60 + patch.seed * 37, patch.uv[1] * 60)
    return patch.colour * (1 + 0.03 * patch.scale * cloud)


def _veins(patch: Patch, size: Floats | float) -> Floats:
    """Wood where the colour is one of wood, an even coat where it is grey."""
    u, v = patch.uv
    wide = patch.size[0] > patch.size[1]
    along, across = np.where(wide, u, v), np.where(wide, v, u)
    cloud = noise(along * 30 / size + patch.seed * 53, across * 300 + patch.seed * 17)
    brown = np.clip(3 * (patch.colour[0] - patch.colour[2]), 0, 1) * np.clip(0.02 / patch.pixel, 0.3, 1)
    out: Floats = patch.colour * (1 - np.clip(0.11 + 0.12 * cloud, 0, 0.38) * brown)
    return out


def _grain(patch: Patch) -> Floats:
    return _veins(patch, patch.scale)


def _planks(patch: Patch) -> Floats:
    u, v = patch.uv
    row, across = cells(u, patch.scale)
    board, along = cells(v + 1.7 * chance(row, 3), 1.3)
    tone = 0.86 + 0.22 * chance(row, board) + 0.05 * noise(v * 40 + row * 91, u * 300)
    pixel = patch.pixel / patch.scale
    gap = np.maximum(seam(across, 0.004 / patch.scale, pixel), seam(along, 0.003, patch.pixel / 1.3))
    return patch.colour * (tone * (1 - 0.5 * gap))


def _tiles(patch: Patch) -> Floats:
    (column, x), (row, y) = (cells(patch.uv[axis], patch.scale) for axis in (0, 1))
    tone = 0.95 + 0.08 * chance(row, column) + 0.02 * noise(patch.uv[0] * 50, patch.uv[1] * 50)
    width, pixel = 0.006 / patch.scale, patch.pixel / patch.scale
    gap = np.maximum(seam(x, width, pixel), seam(y, width, pixel))
    colour = np.where((row + column) % 2 == 1, patch.second, patch.colour) * tone
    return mix(colour, colour * 0.62 + 0.06, gap)


def _alternate(patch: Patch, place: Floats) -> Floats:
    """The two colours by turns, blended where stripes are finer than pixels."""
    _, inside = cells(place, 2 * patch.scale)
    blur = np.maximum(patch.pixel / patch.scale, 1e-3)
    share = np.clip((np.abs(inside - 0.5) * 2 - 0.5) / blur + 0.5, 0, 1)
    return mix(patch.colour, patch.second, share)


def _stripes(patch: Patch) -> Floats:
    return _alternate(patch, patch.uv[0]) * (1 + 0.02 * noise(patch.uv[0] * 60, patch.uv[1] * 60))


def _hoops(patch: Patch) -> Floats:
    return _alternate(patch, patch.point[1])


def _checks(patch: Patch) -> Floats:
    return (_alternate(patch, patch.point[0]) + _alternate(patch, patch.point[1])) / 2


def _fabric(patch: Patch) -> Floats:
    u, v = patch.uv
    fine = noise(u * 400 / patch.scale, v * 400 / patch.scale)
    broad = noise(u * 45 + patch.seed * 29, v * 45)
    return patch.colour * (1 + 0.035 * fine + 0.05 * broad)


def _front(patch: Patch) -> Floats:
    (x, y, _), (width, height, _) = patch.point, patch.size
    doors = np.maximum(np.round(2 * width / patch.scale), 1)
    drawers = np.where(height < 0.55, np.maximum(np.round(height / 0.16), 1), 1)
    door, drawer = 2 * width / doors, 2 * height / drawers
    column, u = cells(x + width, door)
    _, v = cells(y + height, drawer)
    gap = np.maximum(seam(u, 0.008 / door, patch.pixel / door), seam(v, 0.008 / drawer, patch.pixel / drawer))
    tall = drawers == 1
    knob = np.where(tall, np.where(column % 2 == 0, 0.88, 0.12), 0.5)
    handle = np.abs(u - knob) * door < np.where(tall, 0.018, 0.07)
    handle &= np.abs(v - np.where(tall, 0.55, 0.6)) * drawer < np.where(tall, 0.09, 0.016)
    front = patch.normal[2] > 0.9
    colour = _veins(patch, 1.0) * (1 - 0.6 * gap * front)
    return np.where(handle & front, patch.second, colour)


def _books(patch: Patch) -> Floats:
    number, place = cells(patch.point[0] + 5, patch.scale)
    key = number + patch.seed * 61
    tall = 0.74 + 0.26 * chance(key, 5)
    level = (patch.point[1] + patch.size[1]) / (2 * patch.size[1])
    hue = chance(key, 1) * 0.9 + np.array([[0.0], [0.28], [0.45]], np.float32)
    spine = (0.28 + 0.34 * chance(key, 2)) * (1 + 0.36 * np.cos(2 * np.pi * hue))
    band = (np.abs(level - 0.6 * tall) < 0.05) | (np.abs(level - 0.25 * tall) < 0.03)
    spine = np.where(band, spine * 0.6 + 0.3, spine)
    spine = spine * (1 - 0.5 * seam(place, 0.08, patch.pixel / patch.scale))
    return np.where(level > tall, np.float32(0.07), spine)


def _frame(patch: Patch, width: Floats | float) -> tuple[Floats, Floats, Floats]:
    """How much of a point's pixel lies on the frame around a pane, and its place on the pane, each -1 to 1."""
    half = patch.size[:2] - width
    x, y = patch.point[:2]
    inside = np.minimum(half[0] - np.abs(x), half[1] - np.abs(y))
    frame = np.where(patch.normal[2] > 0.9, 1 - cover(inside, patch.pixel), np.float32(1))
    return frame, x / half[0], y / half[1]


def _window(patch: Patch) -> Floats:
    frame, _, _ = _frame(patch, 0.06)
    x, y = np.abs(patch.point[0]), np.abs(patch.point[1] - 0.3 * patch.size[1])
    bar = cover(0.025 - np.minimum(x, y), patch.pixel) * np.minimum(1, 0.05 / patch.pixel)
    right, up, back = patch.ray / np.sqrt((patch.ray * patch.ray).sum(axis=0))
    turn = np.arctan2(right, -back)
    day = patch.scale
    sky = mix(np.array([[0.92], [0.95], [1.0]], np.float32), patch.second, np.clip(up * 2.2 + 0.15, 0, 1))
    cloud = noise(turn * 70 + patch.seed * 3, up * 190)
    sky = mix(sky, np.ones_like(sky), np.clip(cloud - 0.1, 0, 0.7)) * (0.13 + 0.87 * day)
    leaves = 0.8 + 0.2 * noise(turn * 220, up * 220)
    land = np.array([[0.34], [0.46], [0.27]], np.float32) * (leaves * (0.1 + 0.9 * day))
    hills = 0.05 * noise(turn * 50 + patch.seed * 11, np.zeros_like(turn))
    view = np.where(up < hills, land, sky)
    return mix(view, patch.colour * (0.45 + 0.5 * day), np.maximum(frame, bar))


def _picture(patch: Patch) -> Floats:
    frame, u, v = _frame(patch, 0.045)
    mat = np.maximum(np.abs(u), np.abs(v)) > 0.82
    key = patch.seed * 7
    first = 0.3 + 0.5 * np.stack([chance(key, part) for part in (1, 2, 3)])
    second = 0.15 + 0.65 * np.stack([chance(key, part) for part in (4, 5, 6)])
    wave = v * 1.4 + 0.5 * noise(u * 16 + key, v * 5) + chance(key, 8) - 0.5
    disc = (u - chance(key, 9) + 0.5) ** 2 + (v - 0.3) ** 2 < 0.08 + 0.1 * chance(key, 10)
    paint = mix(first, second, np.clip(wave * 2.5 + 0.5, 0, 1))
    paint = np.where(disc & (patch.scale > 0.5), 1 - 0.5 * second, paint)
    paint = np.where(mat, np.float32(0.88), paint)
    return mix(paint, patch.colour, frame)


def _rug(patch: Patch) -> Floats:
    x, z = np.abs(patch.point[0]), np.abs(patch.point[2])
    edge = np.minimum(patch.size[0] - x, patch.size[2] - z) / patch.scale
    ring = ((edge > 0.6) & (edge < 1.2)) | ((edge > 1.6) & (edge < 1.8))
    _, diamond = cells(x + z, 0.36)
    share = np.where(ring, 1.0, np.where((edge > 2.2) & (diamond < 0.3), 0.6, 0.0)).astype(np.float32)
    return mix(patch.colour, patch.second, share) * (1 + 0.06 * noise(x * 300, z * 300))


def _door(patch: Patch) -> Floats:
    frame, u, v = _frame(patch, patch.scale)
    across = np.abs(np.abs(u) - 0.64) * patch.size[0]
    panel = np.where(v > -0.02, np.abs(np.abs(v - 0.47) - 0.38), np.abs(np.abs(v + 0.5) - 0.36)) * patch.size[1]
    sides = (across < panel) & (np.abs(np.where(v > -0.02, v - 0.47, v + 0.5)) < 0.38)
    away = np.where(sides, across, np.where(np.abs(u) < 0.64, panel, np.hypot(across, panel)))
    groove = cover(0.012 - away, patch.pixel) * np.minimum(1, 0.03 / patch.pixel)
    colour = _veins(patch, 1.0) * (1 - 0.4 * groove)
    handle = (np.abs(u - 0.86) < 0.08) & (np.abs(v + 0.04) < 0.018)
    colour = np.where(handle, np.float32(0.75), colour)
    return mix(colour, patch.second, frame)


def _face(patch: Patch) -> Floats:
    x, y, z = patch.point / patch.size
    front = z > 0.2
    eye = front & (np.abs(np.abs(x) - 0.36) < 0.11) & (np.abs(y - 0.08) < 0.06)
    brow = front & (np.abs(np.abs(x) - 0.38) < 0.17) & (np.abs(y - 0.25) < 0.035)
    mouth = front & (np.abs(x) < 0.26) & (np.abs(y + 0.48) < 0.06)
    colour = patch.colour * (1 - 0.06 * (np.hypot(x, y + 0.2) > 0.5))
    colour = np.where(mouth, patch.colour * np.array([[0.8], [0.5], [0.5]], np.float32), colour)
    return mix(colour, patch.second, np.where(eye, np.float32(0.8), np.float32(0.45) * brow))


def _segments(patch: Patch) -> Floats:
    x, y, z = patch.point
    angle = np.arctan2(z, x) / (2 * np.pi) + 0.5
    colour = np.where(np.floor(angle * patch.scale) % 2 == 0, patch.colour, patch.second)
    return np.where(np.abs(y) > 0.93 * patch.size[1], np.float32(0.95), colour)


def _wainscot(patch: Patch) -> Floats:
    u, v = patch.uv
    height = v + patch.size[1]
    _, place = cells(u, 0.16)
    wood = patch.second * (1 - 0.18 * seam(place, 0.06, patch.pixel / 0.16))
    rail = np.clip(1 - np.abs(height - patch.scale) / 0.03, 0, 1)
    wood = mix(wood, patch.second * 0.86, rail)
    return np.where(height < patch.scale + 0.03, wood, _plain(patch))


_PAINTERS: dict[Texture, Callable[[Patch], Floats]] = {
    Texture.PLAIN: _plain,
    Texture.GRAIN: _grain,
    Texture.PLANKS: _planks,
    Texture.TILES: _tiles,
    Texture.STRIPES: _stripes,
    Texture.FABRIC: _fabric,
    Texture.FRONT: _front,
    Texture.BOOKS: _books,
    Texture.WINDOW: _window,
    Texture.PICTURE: _picture,
    Texture.RUG: _rug,
    Texture.DOOR: _door,
    Texture.HOOPS: _hoops,
    Texture.FACE: _face,
    Texture.SEGMENTS: _segments,
    Texture.WAINSCOT: _wainscot,
    Texture.CHECKS: _checks,
}


def paint(texture: Texture, patch: Patch) -> Floats:
    """Colours (3, n) in sRGB, 0 to 1, of the points of a patch."""
    return np.clip(_PAINTERS[texture](patch), 0, 1)
