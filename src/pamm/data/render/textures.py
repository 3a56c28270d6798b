"""Surface patterns: the colour of a point from its place on the solid."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pamm.data.render.camera import Floats
from pamm.data.render.noise import cells, chance, line, mix, noise


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
    """(n, 2) metres on the plane of the solid that the surface is most parallel to."""
    point: Floats
    """(n, 3) metres, the solid's frame."""
    normal: Floats
    """(n, 3), the solid's frame."""
    size: Floats
    """(n, 3) the solid's size."""
    colour: Floats
    """(n, 3) sRGB."""
    second: Floats
    """(n, 3) sRGB."""
    scale: Floats
    """(n,)."""
    seed: NDArray[np.int64]
    """(n,) one number per solid."""
    ray: Floats
    """(n, 3) direction of view in the world."""


def _plain(patch: Patch) -> Floats:
    cloud = noise(patch.uv[:, 0] * 60 + patch.seed * 37, patch.uv[:, 1] * 60)
    return patch.colour * (1 + 0.03 * patch.scale * cloud)[:, None]


def _grain(patch: Patch) -> Floats:
    u, v = patch.uv.T
    wide = patch.size[:, 0] > patch.size[:, 1]
    along, across = np.where(wide, u, v), np.where(wide, v, u)
    cloud = noise(along * 30 / patch.scale + patch.seed * 53, across * 300 + patch.seed * 17)
    return mix(patch.colour, patch.colour * 0.62, np.clip(0.28 + 0.3 * cloud, 0, 1))


def _planks(patch: Patch) -> Floats:
    u, v = patch.uv.T
    row, across = cells(u, patch.scale)
    board, along = cells(v + 1.7 * chance(row, 3), 1.3)
    tone = 0.82 + 0.3 * chance(row, board)
    tone = tone + 0.06 * noise(v * 40 + row * 91, u * 300)
    tone = np.where(line(across, 0.006 / patch.scale) | line(along, 0.003), 0.55, tone)
    return patch.colour * tone[:, None]


def _tiles(patch: Patch) -> Floats:
    (column, x), (row, y) = (cells(patch.uv[:, axis], patch.scale) for axis in (0, 1))
    tone = 0.94 + 0.1 * chance(row, column) + 0.03 * noise(patch.uv[:, 0] * 50, patch.uv[:, 1] * 50)
    seam = line(x, 0.009 / patch.scale) | line(y, 0.009 / patch.scale)
    other = (row + column) % 2 == 1
    colour = np.where(other[:, None], patch.second, patch.colour) * tone[:, None]
    return np.where(seam[:, None], colour * 0.68 + 0.06, colour)


def _stripes(patch: Patch) -> Floats:
    _, place = cells(patch.uv[:, 0], 2 * patch.scale)
    cloud = 1 + 0.02 * noise(patch.uv[:, 0] * 60, patch.uv[:, 1] * 60)
    tone: Floats = np.where((place < 0.5)[:, None], patch.colour, patch.second) * cloud[:, None]
    return tone


def _hoops(patch: Patch) -> Floats:
    _, place = cells(patch.point[:, 1], 2 * patch.scale)
    return np.where((place < 0.5)[:, None], patch.colour, patch.second)


def _checks(patch: Patch) -> Floats:
    bands = sum((cells(patch.uv[:, axis], 2 * patch.scale)[1] < 0.5).astype(np.float32) for axis in (0, 1))
    return mix(patch.colour, patch.second, np.asarray(bands) * np.float32(0.5))


def _fabric(patch: Patch) -> Floats:
    fine = noise(patch.uv[:, 0] * 400 / patch.scale, patch.uv[:, 1] * 400 / patch.scale)
    broad = noise(patch.uv[:, 0] * 45 + patch.seed * 29, patch.uv[:, 1] * 45)
    return patch.colour * (1 + 0.05 * fine + 0.06 * broad)[:, None]


def _on_front(patch: Patch) -> NDArray[np.bool_]:
    return patch.normal[:, 2] > 0.9


def _front(patch: Patch) -> Floats:
    colour = _grain(patch)
    x, y = patch.point[:, 0], patch.point[:, 1]
    half = patch.size
    doors = np.maximum(np.round(2 * half[:, 0] / patch.scale), 1)
    drawers = np.where(half[:, 1] < 0.55, np.maximum(np.round(half[:, 1] / 0.16), 1), 1)
    column, u = cells(x + half[:, 0], 2 * half[:, 0] / doors)
    _, v = cells(y + half[:, 1], 2 * half[:, 1] / drawers)
    seam = line(u, 0.008 * doors / half[:, 0]) | line(v, 0.008 * drawers / half[:, 1])
    tall = drawers == 1
    knob = np.where(tall, np.where(column % 2 == 0, 0.88, 0.12), 0.5)
    wide = np.where(tall, 0.018, 0.07) * doors / (2 * half[:, 0])
    high = np.where(tall, 0.09, 0.015) * drawers / (2 * half[:, 1])
    handle = (np.abs(u - knob) < wide) & (np.abs(v - np.where(tall, 0.55, 0.6)) < high)
    front = _on_front(patch)
    colour = np.where((seam & front)[:, None], colour * 0.45, colour)
    return np.where((handle & front)[:, None], patch.second, colour)


def _books(patch: Patch) -> Floats:
    number, place = cells(patch.point[:, 0] + 5, patch.scale)
    key = number + patch.seed * 61
    tall = 0.72 + 0.28 * chance(key, 5)
    level = (patch.point[:, 1] + patch.size[:, 1]) / (2 * patch.size[:, 1])
    hue = chance(key, 1)[:, None] * np.array([1, 1, 1], np.float32) + np.array([0, 0.33, 0.67], np.float32)
    spine = (0.3 + 0.35 * chance(key, 2))[:, None] * (1 + 0.55 * np.cos(2 * np.pi * hue))
    band = (np.abs(level - 0.6 * tall) < 0.05) | (np.abs(level - 0.25 * tall) < 0.03)
    spine = np.where(band[:, None], spine * 0.5 + 0.4, spine)
    spine = np.where(line(place, 0.08)[:, None], spine * 0.5, spine)
    return np.where((level > tall)[:, None], np.float32(0.06), spine)


def _frame(patch: Patch, width: Floats | float) -> tuple[NDArray[np.bool_], Floats, Floats]:
    """Whether a point is off the pane inside a frame, and its place on the pane, each -1 to 1."""
    u, v = (patch.point[:, axis] / (patch.size[:, axis] - width) for axis in (0, 1))
    return (np.maximum(np.abs(u), np.abs(v)) > 1) | ~_on_front(patch), u, v


def _window(patch: Patch) -> Floats:
    off, u, v = _frame(patch, 0.06)
    bar = (np.abs(u) < 0.025 / patch.size[:, 0]) | (np.abs(v - 0.3) < 0.025 / patch.size[:, 1])
    rise = patch.ray[:, 1] / np.linalg.norm(patch.ray, axis=1)
    turn = np.arctan2(patch.ray[:, 0], -patch.ray[:, 2])
    hills = 0.05 + 0.06 * noise(turn * 60 + patch.seed * 11, turn * 0)
    day = patch.scale[:, None]
    sky = mix(np.array([[0.92, 0.95, 1.0]], np.float32), patch.second, np.clip(rise * 2.2 + 0.15, 0, 1)) * (
        0.15 + 0.85 * day
    )
    leaves = 0.75 + 0.25 * noise(turn * 300, rise * 300)
    land = np.array([[0.30, 0.42, 0.24]], np.float32) * leaves[:, None] * (0.1 + 0.9 * day)
    view = np.where((rise < hills)[:, None], land, sky)
    return np.where((off | bar)[:, None], patch.colour, view)


def _picture(patch: Patch) -> Floats:
    off, u, v = _frame(patch, 0.045)
    mat = np.maximum(np.abs(u), np.abs(v)) > 0.82
    key = patch.seed * 7
    first = 0.25 + 0.6 * np.stack([chance(key, part) for part in (1, 2, 3)], axis=1)
    second = 0.15 + 0.8 * np.stack([chance(key, part) for part in (4, 5, 6)], axis=1)
    wave = v * 1.4 + 0.5 * noise(u * 16 + key, v * 5) + chance(key, 8) - 0.5
    round_ = (u - chance(key, 9) + 0.5) ** 2 + (v - 0.3) ** 2 < 0.08 + 0.1 * chance(key, 10)
    paint = mix(first, second, np.clip(wave * 2.5 + 0.5, 0, 1))
    paint = np.where((round_ & (patch.scale > 0.5))[:, None], 1 - 0.5 * second, paint)
    paint = np.where(mat[:, None], np.float32(0.88), paint)
    return np.where(off[:, None], patch.colour, paint)


def _rug(patch: Patch) -> Floats:
    x, z = patch.point[:, 0], patch.point[:, 2]
    edge = np.minimum(patch.size[:, 0] - np.abs(x), patch.size[:, 2] - np.abs(z)) / patch.scale
    ring = ((edge > 0.6) & (edge < 1.2)) | ((edge > 1.6) & (edge < 1.8))
    _, diamond = cells(np.abs(x) + np.abs(z), 0.36)
    share = np.where(ring, 1.0, np.where((edge > 2.2) & (diamond < 0.3), 0.6, 0.0))
    wool = 1 + 0.1 * noise(x * 300, z * 300)
    return mix(patch.colour, patch.second, share.astype(np.float32)) * wool[:, None]


def _door(patch: Patch) -> Floats:
    off, u, v = _frame(patch, patch.scale)
    colour = _grain(patch)
    inner = (np.abs(u) < 0.68) & (((v > 0.08) & (v < 0.86)) | ((v > -0.86) & (v < -0.12)))
    core = (np.abs(u) < 0.6) & (((v > 0.11) & (v < 0.83)) | ((v > -0.83) & (v < -0.15)))
    handle = (np.abs(u - 0.86) < 0.08) & (np.abs(v + 0.04) < 0.018)
    colour = np.where((inner & ~core)[:, None], colour * 0.62, colour)
    colour = np.where(handle[:, None], np.float32(0.75), colour)
    return np.where(off[:, None], patch.second, colour)


def _face(patch: Patch) -> Floats:
    x, y, z = (patch.point / patch.size).T
    front = z > 0.2
    eye = front & (np.abs(np.abs(x) - 0.38) < 0.15) & (np.abs(y - 0.08) < 0.09)
    brow = front & (np.abs(np.abs(x) - 0.38) < 0.2) & (np.abs(y - 0.27) < 0.04)
    mouth = front & (np.abs(x) < 0.28) & (np.abs(y + 0.48) < 0.06)
    colour = patch.colour * (1 - 0.06 * (np.hypot(x, y + 0.2) > 0.5))[:, None]
    colour = np.where(mouth[:, None], patch.colour * np.array([0.8, 0.45, 0.45], np.float32), colour)
    return np.where((eye | brow)[:, None], patch.second * 0.5, colour)


def _segments(patch: Patch) -> Floats:
    angle = np.arctan2(patch.point[:, 2], patch.point[:, 0]) / (2 * np.pi) + 0.5
    colour = np.where((np.floor(angle * patch.scale) % 2 == 0)[:, None], patch.colour, patch.second)
    cap = np.abs(patch.point[:, 1]) > 0.93 * patch.size[:, 1]
    return np.where(cap[:, None], np.float32(0.95), colour)


def _wainscot(patch: Patch) -> Floats:
    u, v = patch.uv.T
    height = v + patch.size[:, 1]
    _, place = cells(u, 0.16)
    wood = patch.second * np.where(line(place, 0.06), 0.82, 1.0)[:, None]
    rail = np.abs(height - patch.scale) < 0.03
    wood = np.where(rail[:, None], patch.second * 1.05, wood)
    return np.where((height < patch.scale + 0.03)[:, None], wood, _plain(patch))


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
    """Colours (n, 3) in sRGB, 0 to 1, of the points of a patch."""
    return np.clip(_PAINTERS[texture](patch), 0, 1)
