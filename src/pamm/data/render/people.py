"""People: about thirty limbs and ellipsoids each, with the labels of their parts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pamm.data.render.palette import HAIRS, SHIRTS, SHOES, SKINS, TROUSERS, Rng, pick, plain
from pamm.data.render.stage import Material, Piece, Vector
from pamm.data.render.textures import Texture

Point = NDArray[np.float64]

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG = range(1, 7)

SEAT = 0.46
"""Height of the seat that a sitting person needs, metres."""


@dataclass(frozen=True)
class Pose:
    """Angles [rad] of the joints; pairs are right and left (as seen by the viewer: -x and +x)."""

    thigh: tuple[float, float]
    """Thighs, swung forwards from hanging."""
    shin: tuple[float, float]
    """Shins, swung forwards from hanging."""
    arm: tuple[float, float]
    """Upper arms, swung forwards."""
    spread: tuple[float, float]
    """Upper arms, lifted sideways."""
    elbow: tuple[float, float]
    """Lower arms, swung forwards beyond the upper arms."""
    inward: tuple[float, float]
    """Lower arms, turned towards the body."""
    straddle: float = 0.06
    """Legs, spread sideways."""
    sitting: bool = False


def _pose(rng: Rng, kind: str) -> Pose:
    def pair(low: float, high: float) -> tuple[float, float]:
        return float(rng.uniform(low, high)), float(rng.uniform(low, high))

    if kind == "walk":
        stride, side = float(rng.uniform(0.3, 0.5)), 1 if rng.random() < 0.5 else -1
        swing = 0.8 * stride * side
        bend = (0.1, 0.45) if side > 0 else (0.45, 0.1)
        return Pose(
            (stride * side, -stride * side),
            (stride * side - bend[0], -stride * side - bend[1]),
            (-swing, swing),
            pair(0.1, 0.22),
            pair(0.3, 0.7),
            pair(0.0, 0.15),
            0.03,
        )
    arm, spread, elbow, inward = pair(-0.1, 0.2), pair(0.12, 0.3), pair(0.05, 0.5), pair(0.0, 0.2)
    gesture = int(rng.integers(5))
    if gesture == 1:  # hands on the hips
        spread, elbow, inward = (0.75, 0.75), (0.1, 0.1), (1.5, 1.5)
    elif gesture == 2:  # one arm up
        spread, inward, elbow = (float(rng.uniform(2.1, 2.6)), spread[1]), (-0.5, inward[1]), (0.1, elbow[1])
    elif gesture == 3:  # something held in both hands
        arm, elbow, inward = (0.3, 0.3), (1.4, 1.4), (0.5, 0.5)
    elif gesture == 4:  # one arm stretched out to the side
        spread, elbow, inward = (spread[0], float(rng.uniform(1.1, 1.5))), (elbow[0], 0.1), (inward[0], -0.1)
    if kind == "sit":
        thigh = pair(1.35, 1.5)
        if gesture in (0, 3):
            arm, elbow, spread = pair(0.3, 0.5), pair(0.7, 1.1), pair(0.1, 0.25)
        return Pose(thigh, pair(-0.15, 0.25), arm, spread, elbow, inward, float(rng.uniform(0.05, 0.22)), True)
    return Pose(pair(-0.06, 0.12), pair(-0.12, 0.02), arm, spread, elbow, inward, float(rng.uniform(0.04, 0.14)))


@dataclass(frozen=True)
class _Clothes:
    skin: Material
    hair: Material
    face: Material
    shirt: Material
    sleeve: Material
    trousers: Material
    shin: Material
    shoe: Material


def _clothes(rng: Rng) -> _Clothes:
    skin, hair = pick(rng, SKINS), pick(rng, HAIRS, spread=0.03)
    shirt, trousers = pick(rng, SHIRTS), plain(pick(rng, TROUSERS))
    cloth = plain(shirt)
    style = rng.random()
    if style < 0.2:
        cloth = Material(shirt, (0.92, 0.91, 0.88), Texture.HOOPS, 0.05)
    elif style < 0.35:
        cloth = Material(shirt, (0.2, 0.22, 0.3), Texture.CHECKS, 0.06)
    bare = plain(skin)
    return _Clothes(
        skin=bare,
        hair=plain(hair, gloss=0.2),
        face=Material(skin, (0.12, 0.09, 0.08), Texture.FACE, 1.0),
        shirt=cloth,
        sleeve=cloth if rng.random() < 0.5 else bare,
        trousers=trousers,
        shin=trousers if rng.random() < 0.75 else bare,
        shoe=plain(pick(rng, SHOES), gloss=0.3),
    )


def _swing(forwards: float, sideways: float, side: int) -> Point:
    """Direction of a limb that hangs down, swung forwards and then lifted to its side."""
    return np.array(
        [side * np.sin(sideways), -np.cos(forwards) * np.cos(sideways), np.sin(forwards) * np.cos(sideways)]
    )


def _vector(point: Point) -> Vector:
    return float(point[0]), float(point[1]), float(point[2])


def person(rng: Rng, kind: str) -> Piece:
    """A person who stands (``stand``), walks (``walk``) or sits on a seat 0.46 m high (``sit``), facing +z."""
    pose, clothes = _pose(rng, kind), _clothes(rng)
    scale, girth = float(rng.uniform(0.93, 1.07)), float(rng.uniform(0.92, 1.15))
    thigh, shin, ankle = 0.43 * scale, 0.42 * scale, 0.075
    legs = [
        (_swing(pose.thigh[index], pose.straddle, side), _swing(pose.shin[index], pose.straddle, side))
        for index, side in enumerate((-1, 1))
    ]
    hip = SEAT + 0.09 if pose.sitting else ankle - min(thigh * upper[1] + shin * lower[1] for upper, lower in legs)
    piece = Piece("person", 0.6, 0.5, hip + 0.85 * scale)
    for side, (upper, lower) in zip((-1, 1), legs, strict=True):
        _leg(piece, np.array([side * 0.095 * girth, hip, 0.0]), upper * thigh, lower * shin, girth, clothes)
    _trunk(piece, hip, scale, girth, clothes)
    for index, side in enumerate((-1, 1)):
        upper = _swing(pose.arm[index], pose.spread[index], side) * 0.28 * scale
        lower = _swing(pose.arm[index] + pose.elbow[index], pose.spread[index] - pose.inward[index], side) * (
            0.25 * scale
        )
        _arm(piece, np.array([side * 0.185 * girth, hip + 0.49 * scale, 0.0]), upper, lower, girth, clothes)
    _head(rng, piece, hip + 0.7 * scale, clothes)
    return piece


def _leg(piece: Piece, hip: Point, upper: Point, lower: Point, girth: float, clothes: _Clothes) -> None:
    knee = hip + upper
    ankle = knee + lower
    piece.limb(_vector(hip), _vector(knee), (0.092 * girth, 0.062), clothes.trousers, part=UPPER_LEG)
    piece.limb(_vector(knee), _vector(ankle), (0.061, 0.042), clothes.shin, part=LOWER_LEG)
    foot = ankle + np.array([0, -0.03, 0.06])
    piece.ball(_vector(foot), (0.05, 0.045, 0.125), clothes.shoe, part=LOWER_LEG)


def _trunk(piece: Piece, hip: float, scale: float, girth: float, clothes: _Clothes) -> None:
    piece.ball((0, hip + 0.03, 0), (0.165 * girth, 0.13 * scale, 0.12 * girth), clothes.trousers, part=TORSO)
    piece.ball((0, hip + 0.2 * scale, 0), (0.15 * girth, 0.18 * scale, 0.112 * girth), clothes.shirt, part=TORSO)
    piece.ball((0, hip + 0.36 * scale, 0), (0.18 * girth, 0.19 * scale, 0.12 * girth), clothes.shirt, part=TORSO)
    shoulder = 0.16 * girth
    left, right = (-shoulder, hip + 0.485 * scale, 0.0), (shoulder, hip + 0.485 * scale, 0.0)
    piece.limb(left, right, (0.066, 0.066), clothes.shirt, part=TORSO)


def _arm(piece: Piece, shoulder: Point, upper: Point, lower: Point, girth: float, clothes: _Clothes) -> None:
    elbow = shoulder + upper
    wrist = elbow + lower
    piece.limb(_vector(shoulder), _vector(elbow), (0.06 * girth, 0.046), clothes.shirt, part=UPPER_ARM)
    piece.limb(_vector(elbow), _vector(wrist), (0.044, 0.032), clothes.sleeve, part=LOWER_ARM)
    hand = wrist + lower / np.linalg.norm(lower) * 0.05
    piece.ball(_vector(hand), (0.042, 0.05, 0.042), clothes.skin, part=LOWER_ARM)


def _head(rng: Rng, piece: Piece, middle: float, clothes: _Clothes) -> None:
    piece.limb((0, middle - 0.2, 0), (0, middle - 0.08, 0.01), (0.055, 0.05), clothes.skin, part=HEAD)
    piece.ball((0, middle, 0.02), (0.082, 0.118, 0.098), clothes.face, part=HEAD)
    style = rng.random()
    if style < 0.9:
        piece.ball((0, middle + 0.035, -0.012), (0.094, 0.108, 0.102), clothes.hair, part=HEAD)
    if style < 0.4:
        piece.limb((0, middle + 0.02, -0.05), (0, middle - 0.17, -0.07), (0.09, 0.075), clothes.hair, part=HEAD)
