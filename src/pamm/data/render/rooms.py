"""Where everything stands: a room, a camera in it, a subject before the camera, and furniture where it is seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pamm.data.render import furniture as make
from pamm.data.render.camera import View, camera_view, look_at
from pamm.data.render.fixtures import ceiling_lamp, door, panes, picture
from pamm.data.render.floorplan import WALLS, FloorPlan
from pamm.data.render.heroes import hero
from pamm.data.render.palette import COVERS, FLOORS, LINENS, MUTED, TILES, WALLPAPERS, Rng, darker, pick
from pamm.data.render.people import person
from pamm.data.render.stage import Material, Piece, Scene, Stage, Vector
from pamm.data.render.textures import Texture


@dataclass(frozen=True)
class Opening:
    """A window as a light: a rectangle on a wall of the room."""

    centre: Vector
    inward: Vector
    width: float
    height: float


@dataclass(frozen=True)
class Setting:
    """A furnished room and how it is seen."""

    scene: Scene
    view: View
    openings: tuple[Opening, ...]
    ceiling_lamp: Vector
    """Its place."""
    lamp_on: bool
    """Whether the ceiling's lamp is lit."""
    lamps: tuple[Vector, ...]
    """Places of lit floor and table lamps."""
    subject: int
    """Instance of the salient thing."""
    daylight: float
    """0 at night, 1 on a bright day."""


def _floor(rng: Rng) -> Material:
    if rng.random() < 0.65:
        return Material(pick(rng, FLOORS), texture=Texture.PLANKS, scale=float(rng.uniform(0.12, 0.2)), gloss=0.25)
    if rng.random() < 0.7:
        light = pick(rng, TILES)
        shade = float(rng.choice([1.0, 1.0, 0.72]))
        return Material(
            light,
            darker(light, shade),
            Texture.TILES,
            float(rng.uniform(0.3, 0.5)),
            0.3,
        )
    return Material(pick(rng, MUTED), texture=Texture.FABRIC, scale=1.5)


def _walls(rng: Rng) -> Material:
    colour, style = pick(rng, WALLPAPERS, spread=0.03), rng.random()
    if style < 0.2:
        return Material(
            colour,
            darker(colour, 0.93),
            Texture.STRIPES,
            float(rng.uniform(0.08, 0.16)),
        )
    if style < 0.35:
        return Material(colour, pick(rng, LINENS), Texture.WAINSCOT, float(rng.uniform(0.8, 1.0)))
    return Material(colour, texture=Texture.PLAIN, scale=1.0)


def _camera(rng: Rng, room: Vector, *, height: int, width: int) -> tuple[View, float]:
    """A view from one end of the room, and its direction [rad] to the right of -z."""
    wide, _, deep = room
    place = np.array(
        [rng.uniform(0.25, 0.75) * wide, np.clip(rng.normal(1.42, 0.07), 1.05, 1.7), deep - rng.uniform(0.25, 0.6)]
    )
    turn = float(rng.normal(0, 0.3))
    aim = np.array([(0.5 - place[0] / wide) * 0.5 + turn, -rng.uniform(0.06, 0.26)])
    heading = float(np.clip(aim[0], -0.75, 0.75))
    gaze = np.array([np.sin(heading) * np.cos(aim[1]), np.sin(aim[1]), -np.cos(heading) * np.cos(aim[1])])
    target = place + gaze
    position = place.astype(np.float32)
    focal = 0.5 * max(width, 1.25 * height) / np.tan(np.radians(rng.uniform(32, 36)))
    axes = look_at(position, target.astype(np.float32))
    return camera_view(position, axes, float(focal), height=height, width=width), heading


def _subject(rng: Rng, plan: FloorPlan, stage: Stage, *, people: bool) -> int:
    """Put what is salient in front of the camera, with room to see it."""
    seated = people and rng.random() < 0.35
    kind = "sit" if seated else ("walk" if rng.random() < 0.4 else "stand")
    distance = rng.uniform(1.65, 2.6) if people else rng.uniform(1.6, 2.9)
    piece = person(rng, kind) if people else hero(rng)
    x, z = plan.ahead(float(rng.uniform(-0.6, 0.6)), float(distance), clear=0.5)
    toward = plan.facing(x, z)
    yaw = toward + float(rng.choice([rng.normal(0, 0.4), rng.uniform(-1.6, 1.6)], p=[0.65, 0.35]))
    plan.take(x, z, 0.8, 0.8)
    plan.keep_clear(x, z)
    if seated:
        seats = (make.chair, make.chair, make.stool, lambda rng: make.sofa(rng, seats=1))
        stage.put(seats[int(rng.integers(len(seats)))](rng), x, z, yaw=yaw)
    back = 0.08 if seated else 0.0
    return stage.put(piece, x - back * np.sin(yaw), z - back * np.cos(yaw), yaw=yaw)


def _second_person(rng: Rng, plan: FloorPlan, stage: Stage) -> None:
    """Somebody further back, so that it stays plain who is in front."""
    piece = person(rng, "walk" if rng.random() < 0.5 else "stand")
    for _ in range(12):
        x, z = plan.ahead(float(rng.uniform(-0.9, 0.9)), float(rng.uniform(3.6, 5.0)), clear=0.35)
        if plan.distance(x, z) > 3.4 and plan.free(x, z, 0.6, 0.6):
            plan.take(x, z, 0.6, 0.6)
            stage.put(piece, x, z, yaw=plan.facing(x, z) + float(rng.uniform(-1.5, 1.5)))
            return


def _fixtures(rng: Rng, plan: FloorPlan, stage: Stage, daylight: float) -> list[Opening]:
    openings = []
    for _ in range(int(rng.integers(1, 3))):
        piece, sill = panes(rng, plan.room[1], daylight)
        found = plan.on_wall(rng, piece.width, sill, piece.height)
        if found is not None:
            x, z, wall = found
            yaw = WALLS[wall]
            stage.put(piece, x, z, yaw=yaw, y=sill)
            inward = (float(np.sin(yaw)), 0.0, float(np.cos(yaw)))
            openings.append(Opening((x, sill + piece.height / 2, z), inward, piece.width, piece.height))
    if rng.random() < 0.75:
        piece = door(rng)
        found = plan.on_wall(rng, piece.width, 0.0, piece.height)
        if found is not None:
            stage.put(piece, found[0], found[1], yaw=WALLS[found[2]])
            plan.take(*plan.off_wall(found, 0.4), 0.9, 0.9)
    return openings


Maker = Callable[[Rng], Piece]


def _cabinets(rng: Rng) -> Piece:
    style = rng.random()
    if style < 0.4:
        return make.bookshelf(rng)
    return make.cabinet(rng, tall=bool(style < 0.65))


def _low_cabinet(rng: Rng) -> Piece:
    return make.cabinet(rng, tall=False)


def _low_table(rng: Rng) -> Piece:
    return make.table(rng, low=True)


_AGAINST_WALLS: dict[str, tuple[Maker, ...]] = {
    "living": (make.sofa, _cabinets, _low_cabinet, make.floor_lamp, make.sofa, make.plant),
    "bedroom": (make.bed, make.night_stand, _cabinets, _cabinets, make.floor_lamp, make.chair),
    "dining": (_low_cabinet, _cabinets, make.plant, make.chair, make.floor_lamp),
    "study": (make.table, make.bookshelf, _cabinets, make.sofa, make.plant, make.floor_lamp),
}
_IN_THE_ROOM: dict[str, tuple[Maker, ...]] = {
    "living": (_low_table, make.chair),
    "bedroom": (make.chair,),
    "dining": (make.table, make.chair),
    "study": (make.table, make.chair),
}


def _against_walls(rng: Rng, plan: FloorPlan, stage: Stage, kind: str, lamps: list[Vector]) -> None:
    for index, maker in enumerate(_AGAINST_WALLS[kind]):
        if index > 1 and rng.random() < 0.3:
            continue
        piece = maker(rng)
        found = plan.against_wall(rng, piece, tries=30 if index == 0 else 10)
        if found is None:
            continue
        x, z, yaw = found
        stage.put(piece, x, z, yaw=yaw)
        if maker is make.floor_lamp:
            lamps.append((x, piece.height - 0.2, z))
        elif piece.label == "cabinet" and piece.height < 1.1:
            _decorate(rng, stage, piece, (x, z, yaw), lamps)


def _decorate(rng: Rng, stage: Stage, under: Piece, place: tuple[float, float, float], lamps: list[Vector]) -> None:
    """Stand something on a piece of furniture."""
    x, z, yaw = place
    style = rng.random()
    if style < 0.3:
        stage.put(make.table_lamp(rng), x, z, yaw=yaw, y=under.height)
        lamps.append((x, under.height + 0.33, z))
    elif style < 0.55 and under.width > 1.1:
        stage.put(make.television(rng), x, z, yaw=yaw, y=under.height)
    elif style < 0.9:
        aside = float(rng.uniform(-0.3, 0.3)) * under.width
        piece = make.vase(rng, pick(rng, MUTED), height=float(rng.uniform(0.26, 0.42)))
        stage.put(piece, x + aside * np.cos(yaw), z - aside * np.sin(yaw), y=under.height)


def _in_the_room(rng: Rng, plan: FloorPlan, stage: Stage, kind: str, lamps: list[Vector]) -> None:
    for maker in _IN_THE_ROOM[kind]:
        piece = maker(rng)
        found = plan.in_view(rng, piece, tries=30 if piece.label == "table" else 10)
        if found is None:
            continue
        x, z = found
        yaw = float(rng.uniform(-0.5, 0.5)) + (plan.facing(x, z) if piece.label == "chair" else 0.0)
        stage.put(piece, x, z, yaw=yaw)
        if piece.label != "table":
            continue
        if rng.random() < 0.6:
            stage.put(make.vase(rng, pick(rng, MUTED), height=float(rng.uniform(0.2, 0.34))), x, z, y=piece.height)
        if piece.height > 0.6:
            _seats(rng, plan, stage, piece, (x, z, yaw))


def _seats(rng: Rng, plan: FloorPlan, stage: Stage, piece: Piece, place: tuple[float, float, float]) -> None:
    """Chairs of one kind around a table."""
    x, z, yaw = place
    state = rng.integers(2**32)
    for turn, reach in ((0.0, piece.depth), (np.pi, piece.depth), (np.pi / 2, piece.width), (-np.pi / 2, piece.width)):
        away = reach / 2 + float(rng.uniform(0.12, 0.3))
        side = (x + away * np.sin(yaw + turn), z + away * np.cos(yaw + turn))
        seat = make.chair(np.random.default_rng(state))
        if rng.random() < 0.7 and plan.fits(*side, 0.5, 0.5, tall=True, on=(x, z)):
            stage.put(seat, *side, yaw=float(yaw + turn + np.pi + rng.normal(0, 0.15)))


def build(rng: Rng, *, height: int, width: int) -> Setting:
    """Furnish a room and choose how to look at it."""
    room = (float(rng.uniform(3.2, 6.5)), float(rng.uniform(2.4, 2.9)), float(rng.uniform(3.4, 8.0)))
    white = pick(rng, LINENS, spread=0.02)
    stage = Stage(room, _floor(rng), _walls(rng), Material(white, texture=Texture.PLAIN, scale=0.5))
    view, heading = _camera(rng, room, height=height, width=width)
    reach = float(np.arctan(view.u[-1]))
    plan = FloorPlan(room, (float(view.position[0]), float(view.position[2])), heading, reach)
    daylight = float(rng.choice([rng.uniform(0.7, 1.0), rng.uniform(0.0, 0.25)], p=[0.75, 0.25]))
    lamps: list[Vector] = []
    people = bool(rng.random() < 0.66)
    subject = _subject(rng, plan, stage, people=people)
    openings = _fixtures(rng, plan, stage, daylight)
    kind = str(rng.choice(list(_AGAINST_WALLS), p=[0.3, 0.38, 0.16, 0.16]))
    _against_walls(rng, plan, stage, kind, lamps)
    if people and rng.random() < 0.25:
        _second_person(rng, plan, stage)
    _in_the_room(rng, plan, stage, kind, lamps)
    for _ in range(int(rng.integers(1, 4))):
        piece, bottom = picture(rng)
        found = plan.on_wall(rng, piece.width, bottom, piece.height)
        if found is not None:
            stage.put(piece, found[0], found[1], yaw=WALLS[found[2]], y=bottom)
    if rng.random() < 0.5:
        x, z = plan.ahead(float(rng.uniform(-0.5, 0.5)), float(rng.uniform(2.2, 3.5)), clear=1.0)
        stage.put(make.rug(rng, pick(rng, COVERS), pick(rng, LINENS)), x, z, yaw=float(rng.choice([0, np.pi / 2])))
    lamp = (float(rng.uniform(0.35, 0.65) * room[0]), room[1] - 0.1, float(rng.uniform(0.3, 0.6) * room[2]))
    stage.put(ceiling_lamp(rng), lamp[0], lamp[2], y=lamp[1])
    return Setting(
        scene=stage.freeze(),
        view=view,
        openings=tuple(openings),
        ceiling_lamp=lamp,
        lamp_on=bool(daylight < 0.5 or rng.random() < 0.5),
        lamps=tuple(lamps),
        subject=subject,
        daylight=daylight,
    )
