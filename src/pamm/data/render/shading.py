"""Light: a lamp under the ceiling and the sun with shadows, lit lamps, windows, and the dimness of corners."""

from dataclasses import dataclass

import cv2
import numpy as np

from pamm.data.render.camera import Floats, View, spot_view
from pamm.data.render.palette import Rng
from pamm.data.render.rooms import Opening, Setting
from pamm.data.render.stage import Scene
from pamm.data.render.surface import Surface, albedo

_SHADOW_SIDE = 128
_TAPS = np.array([(0.0, 0.0), (1.2, 0.4), (-0.5, 1.3), (-1.3, -0.5), (0.5, -1.2), (2.1, -1.1), (-2.0, 1.2)], np.float32)


@dataclass(frozen=True)
class _Shadows:
    """Depth of what a light sees first."""

    view: View
    depth: Floats

    def lit(self, points: Floats, softness: float) -> Floats:
        """Share (n,) of the light that reaches points (n, 3); ``softness`` is a width on the map, in its cells."""
        local = self.view.local(points)
        depth = np.maximum(local[:, 2], 1e-3)
        count = len(self.view.u)
        scale = (count - 1) / (self.view.u[-1] - self.view.u[0])
        place = local[:, :2] / depth[:, None] * (scale, -scale) + (count - 1) / 2
        total: Floats = np.zeros(len(points), np.float32)
        limit = depth - 0.05
        padded = np.pad(self.depth, 1, constant_values=np.inf)
        for tap in _TAPS * np.float32(softness):
            cell = np.clip((place + tap + 1.5).astype(np.int32), 0, count + 1)
            total += padded[cell[:, 1], cell[:, 0]] > limit
        total /= len(_TAPS)
        total[local[:, 2] <= 0] = 1
        return total


def _shadows(scene: Scene, position: Floats, target: Floats, spread: float) -> _Shadows:
    view = spot_view(position, target, spread, _SHADOW_SIDE)
    return _Shadows(view, scene.trace(view, shadows=True)[0])


def _dot(first: Floats, second: Floats) -> Floats:
    product: Floats = np.einsum("nk,nk->n", first, second)
    return product


def _lamp(surface: Surface, position: Floats, reach: float) -> Floats:
    """Light (n,) of a small lamp that falls to a half at ``reach`` [m]."""
    to_lamp = position - surface.point
    square = _dot(to_lamp, to_lamp)
    facing = _dot(surface.normal, to_lamp) / np.sqrt(square + 1e-6)
    light: Floats = np.maximum(facing, 0) / (1 + square / reach**2)
    return light


def _window_light(surface: Surface, opening: Opening) -> Floats:
    """Light (n,) of a bright rectangle on a wall."""
    to_window = np.array(opening.centre, np.float32) - surface.point
    square = _dot(to_window, to_window) + 0.15
    length = np.sqrt(square)
    facing = np.clip(_dot(surface.normal, to_window) / length + 0.15, 0, None)
    leaving = np.clip(-(to_window @ np.array(opening.inward, np.float32)) / length + 0.1, 0, None)
    light: Floats = facing * leaving * opening.width * opening.height / (square + 0.8)
    return light


def _sun_patch(surface: Surface, opening: Opening, sun: Floats) -> Floats:
    """Share (n,) of the sun that comes through the panes of a window to points; ``sun`` points to it."""
    inward = np.array(opening.inward, np.float32)
    centre = np.array(opening.centre, np.float32)
    away = (surface.point - centre) @ inward
    crossing = surface.point + (away / max(float(-sun @ inward), 1e-3))[:, None] * sun - centre
    across = np.abs(crossing @ np.cross(inward, np.array([0, 1, 0], np.float32)))
    up = crossing[:, 1] / (opening.height / 2)
    blur = 0.03 + 0.02 * away

    def inside(gap: Floats) -> Floats:
        return np.clip(gap / blur + 0.5, 0, 1)

    light = inside(opening.width / 2 - 0.06 - across) * inside((1 - np.abs(up)) * opening.height / 2 - 0.06)
    return light * inside(across - 0.025) * inside(np.abs(up - 0.3) * opening.height / 2 - 0.025)


def _corners(scene: Scene, surface: Surface) -> Floats:
    """Share (n,) of the light from all around that corners of the room leave."""
    gap = np.minimum(surface.point, scene.room - surface.point)
    dim = 1 - 0.38 * np.exp(-np.maximum(gap, 0) / 0.3) * (1 - np.abs(surface.normal))
    share: Floats = dim.prod(axis=1)
    return share


def _crowding(scene: Scene, surface: Surface) -> Floats:
    """Share (n,) of the light from all around that furniture leaves: near and under it is darker.

    Furniture is taken as a map of heights over the floor, blurred; a point below that blurred height is in a hollow.
    """
    cell = 0.08
    shape = (int(scene.room[2] / cell) + 1, int(scene.room[0] / cell) + 1)
    heights = np.zeros(shape, np.float32)
    corners = scene.corners[6:]
    for index in np.argsort(corners[:, :, 1].max(axis=1)):
        box = corners[index]
        if box[:, 1].max() < 1.7 and scene.shadow[index + 6]:
            hull = cv2.convexHull(box[:, (0, 2)] / np.float32(cell)).round().astype(np.int32)
            cv2.fillConvexPoly(heights, hull, float(box[:, 1].max()))
    smooth = cv2.GaussianBlur(np.minimum(heights, 0.9), (0, 0), 2.2, borderType=cv2.BORDER_REFLECT)
    place = np.clip((surface.point[:, (2, 0)] / cell).astype(np.int32), 0, np.array(shape) - 1)
    hollow = np.clip(smooth[place[:, 0], place[:, 1]] - surface.point[:, 1], 0, 0.8)
    return 1 - 0.62 * (1 - np.exp(-hollow / 0.22))


def shade(setting: Setting, surface: Surface, rng: Rng) -> Floats:
    """Light (n, 3) that comes from the points of a surface to the camera, linear, about 0 to 1."""
    scene, day = setting.scene, setting.daylight
    colour = albedo(scene, surface)
    room = scene.room
    lamp_on = day < 0.5 or rng.random() < 0.5
    warm = np.array([1.0, 0.86, 0.66], np.float32)
    cool = np.array([0.86, 0.94, 1.05], np.float32)
    open_ = _corners(scene, surface) * _crowding(scene, surface)
    upward = 0.5 + 0.5 * surface.normal[:, 1]
    base = (0.16 + 0.22 * day) * (0.75 + 0.35 * upward) * open_
    light = base[:, None] * (warm * (1 - 0.6 * day) + cool * 0.6 * day)
    shine = np.zeros(len(colour), np.float32)
    middle = np.array([rng.uniform(0.35, 0.65), 1, rng.uniform(0.3, 0.6)], np.float32) * room - (0, 0.25, 0)
    middle = middle.astype(np.float32)
    strength = (1.5 if day < 0.5 else 0.8) if lamp_on else 0.45
    shadows = _shadows(scene, middle, middle * np.array([1, 0, 1], np.float32), 2.4)
    lamp = _lamp(surface, middle, 2.6) * strength * shadows.lit(surface.point + 0.02 * surface.normal, 1.0)
    light += (lamp * (0.4 + 0.6 * open_))[:, None] * (warm if lamp_on else np.float32(1.0))
    shine += _highlight(surface, middle) * lamp
    for position in setting.lamps:
        light += (_lamp(surface, np.array(position, np.float32), 0.8) * 0.9 * open_)[:, None] * warm
    for opening in setting.openings:
        light += (_window_light(surface, opening) * 0.9 * day * open_)[:, None] * cool
    if setting.openings and day > 0.5 and rng.random() < 0.6:
        light += _sun(setting, surface, rng)
    glow = scene.glow[surface.row][:, None]
    result = colour * light * (1 - glow) + colour * glow * 1.5
    return result + (shine * scene.gloss[surface.row] * 0.5)[:, None]


def _highlight(surface: Surface, lamp: Floats) -> Floats:
    """Reflection (n,) of a lamp towards the camera."""
    back = -surface.ray / np.linalg.norm(surface.ray, axis=1, keepdims=True)
    to_lamp = lamp - surface.point
    half = back + to_lamp / np.linalg.norm(to_lamp, axis=1, keepdims=True)
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    strength: Floats = np.maximum(_dot(half, surface.normal), 0) ** 24
    return strength


def _sun(setting: Setting, surface: Surface, rng: Rng) -> Floats:
    """Direct sun (n, 3) through the window that it shines into best."""
    opening = setting.openings[0]
    inward = np.array(opening.inward)
    aside = np.array([inward[2], 0, -inward[0]]) * rng.uniform(-0.7, 0.7)
    sun = -inward + aside + (0, rng.uniform(0.5, 0.9), 0)
    sun = (sun / np.linalg.norm(sun)).astype(np.float32)
    centre = setting.scene.room / 2
    share = np.maximum(surface.normal @ sun, 0) * _sun_patch(surface, opening, sun)
    seen = np.flatnonzero(share > 0.01)
    if seen.size:
        shadows = _shadows(setting.scene, centre + 40 * sun, centre, float(np.linalg.norm(centre)) / 36)
        share[seen] *= shadows.lit(surface.point[seen] + 0.02 * surface.normal[seen], 0.6)
    return 2.2 * share[:, None] * np.array([1.0, 0.93, 0.78], np.float32)


def develop(light: Floats, rng: Rng) -> Floats:
    """A photo (H, W, 3), 0 to 1 sRGB, of linear light (H, W, 3): exposure, white balance, vignette, curve, noise."""
    height, width = light.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    vignette = 1 - 0.11 * (y[:, None] ** 2 + x**2)
    level = float(np.mean(light)) + 0.03
    exposure = 0.6 / level**0.6 * float(rng.uniform(0.85, 1.2))
    balance = np.array([1, 1, 1]) + rng.normal(0, 0.025, 3)
    light = light * (exposure * vignette)[..., None] * balance.astype(np.float32)
    photo = np.sqrt(1 - np.exp(-1.25 * light))
    grain = rng.standard_normal(light.shape, dtype=np.float32)
    result: Floats = np.clip(photo + grain * rng.uniform(0.004, 0.012), 0, 1)
    return result
