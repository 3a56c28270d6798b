"""Pictures with titles and legends: a map, an overview of one photo, a sheet of several samples."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pamm.engine.colours import Legend, Map, Pixels, Span, colour_map, legend, thumbnail, value_span
from pamm.tasks import Colour, Task

PAPER: Colour = (250, 250, 248)
INK: Colour = (34, 36, 42)
FAINT: Colour = (104, 108, 118)
RULE: Colour = (206, 207, 210)
MARGIN = 20
GAP = 8
_PAIR = 3
_TEXT, _HEADING = 13, 16
_SWATCH, _BAR = 12, 12
_CELL = 200
_AREA = 300 * 240
_SIDES = (8, 1000)
_LINES = 3
"""Lines of a legend in pictures that are to be alike."""

Row = tuple[Pixels, Mapping[str, Map], Mapping[str, Map]]
"""A photo, its labelled maps and its predicted maps by task name."""


def map_picture(task: Task, array: Map, *, longest: int = 1600, span: Span | None = None) -> Image.Image:
    """One map with its title and legend.

    Args:
        task: what the map shows.
        array: (H, W) or (H, W, C).
        longest: bound on the drawn map's longer side in pixels. Small maps are enlarged to 320 pixels.
        span: lowest and highest value of the colours; by default those of this map.
    """
    height, width = array.shape[:2]
    scale = min(max(1.0, 320 / max(height, width)), longest / max(height, width))
    size = (max(_SIDES[0], round(width * scale)), max(_SIDES[0], round(height * scale)))
    small = thumbnail(array, longest)
    return _framed(_cell(task.title, [(colour_map(task, small, span=span), size)], legend(task, small, span=span)))


def overview(
    image: Pixels,
    maps: Mapping[str, Map],
    tasks: Iterable[Task],
    *,
    truth: Mapping[str, Map] | None = None,
    spans: Mapping[str, Span] | None = None,
) -> Image.Image:
    """The photo and all maps in one picture.

    Args:
        image: (H, W, 3) RGB.
        maps: by task name, (H, W) or (H, W, C).
        tasks: what the maps show; those without a map are left out.
        truth: labelled maps by task name; each is drawn above the predicted one, in the same colours.
        spans: ranges of values that the colours stand for, by task name, if the picture is one of several that are to
            be alike: all of photos of one size have one size then. Otherwise each map has a range of its own.
    """
    shown = [task for task in tasks if task.name in maps]
    truth = truth or {}
    columns, size = _grid_shape(image.shape[1] / image.shape[0], len(shown) + 1, rows_each=2 if truth else 1)
    detail = 2 * max(size)
    note_height = None if spans is None else _LINES * (_TEXT + 7)
    cells = [_cell("Photo", [(thumbnail(image, detail), size)], Legend(), smooth=True, note_height=note_height)]
    for task in shown:
        drawn = [thumbnail(array[task.name], detail) for array in (truth, maps) if task.name in array]
        span = (spans or {}).get(task.name) or value_span(task, *drawn)
        pictures = [(colour_map(task, array, span=span), size) for array in drawn]
        words = " (truth above)" if len(drawn) > 1 else ""
        note = legend(task, *drawn, span=span, by_size=spans is None)
        cells.append(_cell(task.title + words, pictures, note, note_height=note_height))
    return _framed(_grid(cells, columns))


def contact_sheet(rows: Sequence[Row], tasks: Sequence[Task], *, width: int = 160) -> Image.Image:
    """Several samples, one a row: the photo, then truth and prediction of each task.

    Without any prediction the truth stands alone.

    Args:
        rows: for each sample the photo, (H, W, 3) RGB, the labelled and the predicted maps by task name; a missing
            map leaves its place empty.
        tasks: tasks in the order of the columns.
        width: width of one picture in pixels.
    """
    drawn = {
        task.name: [thumbnail(maps[task.name], 2 * width) for _, *both in rows for maps in both if task.name in maps]
        for task in tasks
    }
    spans = {task.name: value_span(task, *drawn[task.name]) for task in tasks}
    headings = (": truth", ": predicted") if any(predicted for _, _, predicted in rows) else ("",)
    lines = [[[_text("Photo", width, size=_TEXT)]]]
    lines[0] += [[_text(task.title + words, width, size=_TEXT) for words in headings] for task in tasks]
    for image, *both in rows:
        size = (width, max(_SIDES[0], min(_SIDES[1], round(width * image.shape[0] / image.shape[1]))))
        line = [[_picture(thumbnail(image, 2 * width), size, smooth=True)]]
        for task in tasks:
            shown = both[: len(headings)]
            pair = [thumbnail(maps[task.name], 2 * width) if task.name in maps else None for maps in shown]
            line.append(
                [
                    Image.new("RGB", size, PAPER)
                    if array is None
                    else _picture(colour_map(task, array, span=spans[task.name]), size)
                    for array in pair
                ]
            )
        lines.append(line)
    notes = [legend(task, *drawn[task.name], span=spans[task.name], most=6) for task in tasks]
    room = len(headings) * (width + _PAIR) - _PAIR
    lines.append([[Image.new("RGB", (width, 1), PAPER)], *([_legend(note, room)] for note in notes)])
    return _framed(_stack([_beside([_beside(pair, _PAIR) for pair in line], MARGIN) for line in lines], GAP))


def _grid_shape(aspect: float, count: int, *, rows_each: int) -> tuple[int, tuple[int, int]]:
    """Columns and picture size (width, height) that make the whole about 16:10, with few empty places."""
    low, high = _SIDES
    width = round(min(high, max(low, math.sqrt(_AREA * aspect))))
    height = round(min(high, max(low, math.sqrt(_AREA / aspect))))

    def misfit(columns: int) -> float:
        rows = math.ceil(count / columns)
        shape = columns * (max(width, _CELL) + MARGIN) / (rows * (height * rows_each + 5 * MARGIN))
        return abs(math.log(shape / 1.6)) + 0.2 * (rows * columns - count)

    return min(range(1, count + 1), key=misfit), (width, height)


def _cell(
    heading: str,
    pictures: Sequence[tuple[Pixels, tuple[int, int]]],
    note: Legend,
    *,
    smooth: bool = False,
    note_height: int | None = None,
) -> Image.Image:
    width = max(_CELL, *(size[0] for _, size in pictures))
    parts = [_text(heading, width, size=_HEADING)]
    parts += [_picture(pixels, size, smooth=smooth) for pixels, size in pictures]
    explained = _legend(note, width)
    if note_height is not None:
        room = Image.new("RGB", (width, note_height), PAPER)
        room.paste(explained, (0, 0))
        explained = room
    return _stack([*parts, explained], GAP)


def _picture(pixels: Pixels, size: tuple[int, int], *, smooth: bool = False) -> Image.Image:
    """Pixels resized to (width, height): averaged where they shrink, crisp where they grow unless asked otherwise."""
    grows = size[0] * size[1] > pixels.shape[0] * pixels.shape[1]
    crisp = Image.Resampling.NEAREST if grows else Image.Resampling.BOX
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC if smooth else crisp)
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=RULE)
    return picture


def _legend(note: Legend, width: int) -> Image.Image:
    if note.bar:
        return _bar_legend(note, width)
    items = [(colour, name, _width(name, _TEXT)) for colour, name in note.swatches]
    places: list[tuple[int, int]] = []
    x = y = 0
    for _, _, length in items:
        if x and x + _SWATCH + 5 + length > width:
            x, y = 0, y + _TEXT + 7
        places.append((x, y))
        x += _SWATCH + 5 + length + 12
    picture = Image.new("RGB", (width, y + _TEXT + 5 if items else 1), PAPER)
    draw = ImageDraw.Draw(picture)
    for (colour, name, _), (left, top) in zip(items, places, strict=True):
        draw.rectangle((left, top + 2, left + _SWATCH - 1, top + 1 + _SWATCH), fill=colour)
        draw.text((left + _SWATCH + 5, top), name, fill=FAINT, font=_font(_TEXT))
    return picture


def _bar_legend(note: Legend, width: int) -> Image.Image:
    length = min(width, 320)
    picture = Image.new("RGB", (width, _BAR + _TEXT + 8), PAPER)
    bar = Image.fromarray(np.array([note.bar], dtype=np.uint8)).resize((length, _BAR), Image.Resampling.BILINEAR)
    picture.paste(bar, (0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, length - 1, _BAR - 1), outline=RULE)
    for index, text in enumerate(note.ticks):
        share = index / max(1, len(note.ticks) - 1)
        left = share * (length - _width(text, _TEXT))
        draw.text((left, _BAR + 3), text, fill=FAINT, font=_font(_TEXT))
    return picture


def _text(text: str, width: int, *, size: int) -> Image.Image:
    """One line of text, cut with an ellipsis where it is too long."""
    shown = text
    while shown and _width(shown, size) > width:
        text = text[:-1]
        shown = text.rstrip() + "…"
    picture = Image.new("RGB", (width, size + 5), PAPER)
    ImageDraw.Draw(picture).text((0, 0), shown, fill=INK, font=_font(size))
    return picture


def _stack(parts: Sequence[Image.Image], gap: int) -> Image.Image:
    width = max(part.width for part in parts)
    picture = Image.new("RGB", (width, sum(part.height for part in parts) + gap * (len(parts) - 1)), PAPER)
    top = 0
    for part in parts:
        picture.paste(part, (0, top))
        top += part.height + gap
    return picture


def _beside(parts: Sequence[Image.Image], gap: int, *, fill: int = 0) -> Image.Image:
    widths = [max(fill, part.width) for part in parts]
    picture = Image.new("RGB", (sum(widths) + gap * (len(parts) - 1), max(part.height for part in parts)), PAPER)
    left = 0
    for part, width in zip(parts, widths, strict=True):
        picture.paste(part, (left, 0))
        left += width + gap
    return picture


def _grid(cells: Sequence[Image.Image], columns: int) -> Image.Image:
    width = max(cell.width for cell in cells)
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    return _stack([_beside(row, MARGIN, fill=width) for row in rows], MARGIN)


def _framed(picture: Image.Image) -> Image.Image:
    framed = Image.new("RGB", (picture.width + 2 * MARGIN, picture.height + 2 * MARGIN), PAPER)
    framed.paste(picture, (MARGIN, MARGIN))
    return framed


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _width(text: str, size: int) -> int:
    return math.ceil(_font(size).getlength(text))
