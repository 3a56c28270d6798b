"""Pictures in rows and columns: headings above, names at the left, legends at the right of rows or below columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from pamm.engine.colours import Legend, Pixels, thumbnail
from pamm.engine.figures.keys import below_height, below_key, beside_key, beside_width
from pamm.engine.figures.style import BODY, RULE, SMALL, check_size, fitted, paper_style, text_width

Box = tuple[float, float, float, float]
"""Left, top, width and height in inches, from the figure's top left corner."""

_GAP, _NOTE, _HEADING, _LABEL = 0.05, 0.13, 0.13, 0.17
"""Inches: between tiles, for a line under them, for a line of headings, for the name of a row."""
_EDGE = 0.02
"""Inches around everything, so that no frame is cut."""
_SPACE = 0.08
"""Inches between legends, and between them and tiles."""
_TALLEST, _FLATTEST = 2.5, 0.25
"""Bounds of a tile's height over its width; pictures beyond them leave room at their sides."""
_SMALLEST = 0.25
"""Width of the smallest tile worth drawing, inches."""


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture."""

    pixels: Pixels
    """(H, W, 3) RGB."""
    note: str = ""
    """A few words under it."""
    smooth: bool = False
    """Whether colours may be averaged where it is made smaller, as in photos; maps keep theirs."""


@dataclass(frozen=True, eq=False)
class TileRow:
    """Pictures beside each other."""

    tiles: tuple[Tile | None, ...]
    """One for each column; None leaves its place empty."""
    label: str = ""
    """Name at the left."""
    keys: tuple[Legend, ...] = ()
    """What the colours of the row mean, drawn at the right."""
    column_keys: tuple[tuple[Legend, ...], ...] = field(default=())
    """For each column what the colours above mean, drawn below the row; none below most rows."""

    @property
    def aspect(self) -> float:
        """Height over width of the tallest picture, within bounds."""
        found = [tile.pixels.shape[0] / tile.pixels.shape[1] for tile in self.tiles if tile is not None]
        return min(_TALLEST, max(_FLATTEST, *found)) if found else _FLATTEST


@paper_style()
def tile_figure(headings: Sequence[str], rows: Sequence[TileRow], *, width: float, dpi: int) -> Figure:
    """Lay pictures out.

    Args:
        headings: of the columns.
        rows: the pictures.
        width: of the figure, inches.
        dpi: pixels to an inch at most of the pictures inside.

    Raises:
        ValueError: if the figure is too narrow for its columns, or its size is out of bounds.
    """
    check_size(width, dpi)
    left = _EDGE + (_LABEL if any(row.label for row in rows) else 0.0)
    places = [max(map(beside_width, keys)) for keys in _transposed([row.keys for row in rows])]
    side = (width - left - _EDGE - sum(place + _SPACE for place in places) - _GAP * (len(headings) - 1)) / len(headings)
    if side < _SMALLEST:
        raise ValueError(
            f"{len(headings)} pictures beside each other do not fit into {width:g} inches: draw fewer, or a wider "
            "figure"
        )
    heights = [_row_height(row, side) for row in rows]
    wrapped = [_wrapped(heading, side) for heading in headings]
    head = _HEADING * max(text.count("\n") + 1 for text, _ in wrapped) + 0.06
    tall = head + sum(heights) + _GAP * (len(rows) - 1) + _EDGE
    figure = Figure(figsize=(width, tall), dpi=dpi)
    starts = [left + column * (side + _GAP) for column in range(len(headings))]
    for start, (text, size) in zip(starts, wrapped, strict=True):
        for number, line in enumerate(reversed(text.split("\n"))):
            place = ((start + side / 2) / width, 1 - (head - 0.06 - number * _HEADING) / tall)
            figure.text(*place, line, size=size, ha="center", va="baseline")
    top = head
    for row, height in zip(rows, heights, strict=True):
        picture = side * row.aspect
        if row.label:
            text, size = fitted(row.label, picture, size=SMALL + 0.5)
            place = ((_EDGE + 0.4 * _LABEL) / width, 1 - (top + picture / 2) / tall)
            figure.text(*place, text, size=size, rotation=90, ha="center", va="center")
        for start, tile in zip(starts, row.tiles, strict=True):
            if tile is not None:
                _draw_tile(_axes(figure, (start, top, side, picture)), tile, side, dpi=dpi)
        start = starts[-1] + side + _SPACE
        for key, place_width in zip(row.keys, places, strict=False):
            beside_key(_axes(figure, (start, top, place_width, picture)), key, width=place_width, height=picture)
            start += place_width + _SPACE
        for start, keys in zip(starts, row.column_keys, strict=False):
            below = top + picture + _note_height(row) + _SPACE
            for key in keys:
                deep = below_height(key, side)
                below_key(_axes(figure, (start, below, side, deep)), key, width=side, height=deep)
                below += deep + _SPACE
        top += height + _GAP
    return figure


def _wrapped(heading: str, room: float) -> tuple[str, float]:
    """A heading that fits, in two lines if need be, and the size of its type."""
    words = heading.split()
    if text_width(heading, BODY) <= room or len(words) == 1:
        return fitted(heading, room, size=BODY)
    breaks = [(" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words))]
    lines = min(breaks, key=lambda pair: max(text_width(line, BODY) for line in pair))
    size = min(fitted(line, room, size=BODY)[1] for line in lines)
    return "\n".join(fitted(line, room, size=size)[0] for line in lines), size


def _transposed(keys: Sequence[Sequence[Legend]]) -> Iterator[list[Legend]]:
    """The first legends of all rows, the second ones, and so on."""
    for place in range(max(map(len, keys), default=0)):
        yield [row[place] for row in keys if len(row) > place]


def _note_height(row: TileRow) -> float:
    return _NOTE if any(tile is not None and tile.note for tile in row.tiles) else 0.0


def _row_height(row: TileRow, side: float) -> float:
    below = max((sum(below_height(key, side) + _SPACE for key in keys) for keys in row.column_keys), default=0.0)
    return side * row.aspect + _note_height(row) + (below + _SPACE if below else 0.0)


def _axes(figure: Figure, box: Box) -> Axes:
    left, top, width, height = box
    wide, tall = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / tall, width / wide, height / tall))


def _draw_tile(axes: Axes, tile: Tile, side: float, *, dpi: int) -> None:
    height, width = tile.pixels.shape[:2]
    # as they are: the reader's program scales them, not matplotlib
    shown = _shrunk(tile, round(side * dpi))
    axes.imshow(shown, extent=(0, width, height, 0), interpolation="none", aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=RULE, linewidth=0.4)
    if tile.note:
        text, size = fitted(tile.note, side)
        axes.set_xlabel(text, size=size, labelpad=2)


def _shrunk(tile: Tile, longest: int) -> Pixels:
    if max(tile.pixels.shape[:2]) <= longest:
        return tile.pixels
    if not tile.smooth:
        return thumbnail(tile.pixels, longest)
    picture = Image.fromarray(tile.pixels)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(picture)
