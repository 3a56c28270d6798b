"""Light: a lamp under the ceiling and the sun with shadows, lit lamps, windows, and the dimness of corners."""

from dataclasses import dataclass

import cv2
import numpy as np

from pamm.data.render.camera import Floats, View, spot_view
from pamm.data.render.palette import Rng
from pamm.data.render.rooms import Opening, Setting
from pamm.data.render.stage import Scene
from pamm.data.render.surface import Surface, albedo, dot

_SHADOW_SIDE = 112
_BIAS = 0.05
"""Depth [m] by which something must be nearer to a light to shade what is behind it."""
_LIFT = 0.045
"""How far off their surface [m] points are looked up, so that none shades itself."""
_WARM = np.array([[1.0], [0.86], [0.66]], np.float32)
_COOL = np.array([[0.86], [0.94], [1.05]], np.float32)
_SUNNY = np.array([[1.0], [0.93], [0.78]], np.float32)


@dataclass(frozen=True)
class _Shadows:
    """Depth of what a light sees first."""

    view: View
    depth: Floats

    def lit(self, points: Floats) -> Floats:
        """Share (n,) of the light that reaches points (3, n): a 3 x 3 window of the map, its edges weighted."""
        right, up, back = ((points - self.view.position[:, None]).T @ self.view.axes.T).T
        depth = np.maximum(-back, 1e-3)
        count = len(self.view.u)
        scale = float((count - 1) / (self.view.u[-1] - self.view.u[0])) / depth
        middle = np.float32((count + 1) / 2)
        column, row = (np.clip(middle + side * scale, 1, count) for side in (right, -up))
        left, top = column.astype(np.int32), row.astype(np.int32)
        column -= left
        row -= top
        cell = top * (count + 3) + left
        limit = depth - np.float32(_BIAS)
        padded = np.pad(self.depth, ((1, 2), (1, 2)), constant_values=np.inf).ravel()
        total: Floats = np.zeros_like(depth)
        for step, across in enumerate((1 - row, None, row)):
            line = padded.take(cell + ((step - 1) * (count + 3))) > limit
            before = padded.take(cell + ((step - 1) * (count + 3) - 1)) > limit
            after = padded.take(cell + ((step - 1) * (count + 3) + 1)) > limit
            share = before * (1 - column) + after * column + line
            total += share if across is None else share * across
        total /= 4
        total[back >= 0] = 1
        return total


def _shadows(scene: Scene, position: Floats, target: Floats, spread: float) -> _Shadows:
    view = spot_view(position, target, spread, _SHADOW_SIDE)
    return _Shadows(view, scene.trace(view, shadows=True)[0])


def _lamp(surface: Surface, position: Floats, reach: float) -> Floats:
    """Light (n,) of a small lamp that falls to a half at ``reach`` [m]."""
    to_lamp = position[:, None] - surface.point
    square = dot(to_lamp, to_lamp)
    facing = dot(surface.normal, to_lamp) / np.sqrt(square + 1e-6)
    light: Floats = np.maximum(facing, 0) / (1 + square / reach**2)
    return light


def _window_light(surface: Surface, opening: Opening) -> Floats:
    """Light (n,) of a bright rectangle on a wall."""
    to_window = np.array(opening.centre, np.float32)[:, None] - surface.point
    square = dot(to_window, to_window) + 0.15
    length = np.sqrt(square)
    facing = np.maximum(dot(surface.normal, to_window) / length + 0.15, 0)
    leaving = np.maximum(dot(to_window, [-value for value in opening.inward]) / length + 0.1, 0)
    light: Floats = facing * leaving * opening.width * opening.height / (square + 0.8)
    return light


def _sun_patch(surface: Surface, opening: Opening, sun: Floats) -> Floats:
    """Share (n,) of the sun that comes through the panes of a window to points; ``sun`` points to it."""
    inward = np.array(opening.inward, np.float32)
    offset = surface.point - np.array(opening.centre, np.float32)[:, None]
    away = dot(offset, inward)
    crossing = offset + away / max(float(-sun @ inward), 1e-3) * sun[:, None]
    across = np.abs(dot(crossing, [-inward[2], inward[1], inward[0]]))
    up = crossing[1]
    blur = 0.03 + 0.02 * away

    def inside(gap: Floats) -> Floats:
        return np.clip(gap / blur + 0.5, 0, 1)

    tall = opening.height / 2
    light = inside(opening.width / 2 - 0.06 - across) * inside(tall - 0.06 - np.abs(up))
    return light * inside(across - 0.025) * inside(np.abs(up - 0.3 * tall) - 0.025)


def _corners(scene: Scene, surface: Surface) -> Floats:
    """Share (n,) of the light from all around that corners of the room leave."""
    gap = np.maximum(np.minimum(surface.point, scene.room[:, None] - surface.point), 0)
    x, y, z = 1 - 0.4 * np.exp(gap * np.float32(-3.3)) * (1 - np.abs(surface.normal))
    share: Floats = x * y * z
    return share


def _crowding(scene: Scene, surface: Surface) -> Floats:
    """Share (n,) of the light from all around that furniture leaves: near and under it is darker.

    Furniture is taken as a map of heights over the floor, blurred; a point below that blurred height is in a hollow.
    """
    cell = 0.08
    shape = (int(scene.room[2] / cell) + 1, int(scene.room[0] / cell) + 1)
    heights = np.zeros(shape, np.float32)
    tops = scene.corners[..., 1].max(axis=1)
    for index in np.argsort(tops):
        if index >= 6 and tops[index] < 1.7 and scene.shadow[index]:
            hull = cv2.convexHull(scene.corners[index][:, (0, 2)] / np.float32(cell)).round().astype(np.int32)
            cv2.fillConvexPoly(heights, hull, float(tops[index]))
    smooth = cv2.GaussianBlur(np.minimum(heights, 0.9), (0, 0), 2.2, borderType=cv2.BORDER_REFLECT)
    column, row = (
        np.clip((surface.point[axis] / np.float32(cell)).astype(np.int32), 0, shape[1 - axis // 2] - 1)
        for axis in (0, 2)
    )
    hollow = np.clip(smooth.ravel().take(row * shape[1] + column) - surface.point[1], 0, 0.8)
    share: Floats = 0.36 + 0.64 * np.exp(hollow * np.float32(-4.5))
    return share


def shade(setting: Setting, surface: Surface, rng: Rng) -> Floats:
    """Light (3, n) that comes from the points of a surface to the camera, linear, about 0 to 1."""
    scene, day = setting.scene, setting.daylight
    colour = albedo(scene, surface)
    middle = np.array(setting.ceiling_lamp, np.float32) - np.array([0, 0.15, 0], np.float32)
    strength = (1.5 if day < 0.5 else 0.8) if setting.lamp_on else 0.45
    open_ = _corners(scene, surface) * _crowding(scene, surface)
    upward = 0.92 + 0.18 * surface.normal[1]
    light = (0.16 + 0.22 * day) * upward * open_ * (_WARM * (1 - 0.6 * day) + _COOL * 0.6 * day)
    shadows = _shadows(scene, middle, middle * np.array([1, 0, 1], np.float32), 2.4)
    lamp = _lamp(surface, middle, 2.6) * strength * shadows.lit(surface.point + _LIFT * surface.normal)
    light += lamp * (0.4 + 0.6 * open_) * (_WARM if setting.lamp_on else np.float32(1.0))
    for position in setting.lamps:
        light += _lamp(surface, np.array(position, np.float32), 0.8) * 0.9 * open_ * _WARM
    for opening in setting.openings:
        light += _window_light(surface, opening) * (0.9 * day) * open_ * _COOL
    if setting.openings and day > 0.5 and rng.random() < 0.6:
        _add_sun(light, setting, surface, rng)
    glow = scene.glow.take(surface.row)
    result: Floats = colour * (light * (1 - glow) + 1.5 * glow)
    gloss = scene.gloss.take(surface.row)
    shiny = np.flatnonzero((gloss > 0) & (lamp > 0.02))
    result[:, shiny] += _highlight(surface.some(shiny), middle) * lamp[shiny] * gloss[shiny] * 0.5
    return result


def _highlight(surface: Surface, lamp: Floats) -> Floats:
    """Reflection (n,) of a lamp towards the camera."""
    to_lamp = lamp[:, None] - surface.point
    half = to_lamp / np.sqrt(dot(to_lamp, to_lamp)) - surface.ray / np.sqrt(dot(surface.ray, surface.ray))
    close: Floats = np.maximum(dot(half, surface.normal), 0) / np.sqrt(dot(half, half))
    for _ in range(4):
        close *= close
    return close


def _add_sun(light: Floats, setting: Setting, surface: Surface, rng: Rng) -> None:
    """Add direct sun through the first window to light (3, n)."""
    opening = setting.openings[0]
    inward = np.array(opening.inward)
    aside = np.array([inward[2], 0, -inward[0]]) * rng.uniform(-0.7, 0.7)
    toward = -inward + aside + (0, rng.uniform(0.5, 0.9), 0)
    sun = (toward / np.linalg.norm(toward)).astype(np.float32)
    share = np.maximum(dot(surface.normal, sun), 0) * _sun_patch(surface, opening, sun)
    seen = np.flatnonzero(share > 0.01)
    if seen.size:
        centre = setting.scene.room / 2
        shadows = _shadows(setting.scene, centre + 40 * sun, centre, float(np.linalg.norm(centre)) / 36)
        share[seen] *= shadows.lit(surface.point[:, seen] + _LIFT * surface.normal[:, seen])
        light += 2.2 * share * _SUNNY


def develop(light: Floats, rng: Rng) -> Floats:
    """A photo (H, W, 3), 0 to 1 sRGB, of linear light (H, W, 3): exposure, white balance, vignette, curve, noise."""
    height, width = light.shape[:2]
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    vignette = 1 - 0.11 * (y[:, None] ** 2 + x**2)
    level = float(np.mean(light)) + 0.03
    exposure = 0.62 / level**0.6 * float(rng.uniform(0.85, 1.2))
    balance = 1 + rng.normal(0, 0.025, 3)
    light = light * (exposure * vignette)[..., None] * balance.astype(np.float32)
    photo = np.sqrt(1 - np.exp(-1.25 * light))
    grain = rng.standard_normal(light.shape, dtype=np.float32)
    result: Floats = np.clip(photo + grain * float(rng.uniform(0.004, 0.012)), 0, 1)
    return result
