"""Image, truth, and what networks predict, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from pamm.engine.colours import Legend, Map, Span, colour_map, legend, value_span
from pamm.engine.figures.comparison import Comparison
from pamm.engine.figures.grid import Tile, TileRow, tile_figure
from pamm.engine.figures.style import DPI, TEXT
from pamm.tasks import Task

_ALL = 10**6
"""As many entries of a legend as there are classes: the layout knows how many fit."""


@dataclass(frozen=True, eq=False)
class Panel:
    """What is drawn of one image."""

    image: Tile
    """The image."""
    lines: Mapping[str, Mapping[str, Tile]]
    """Pictures by heading (truth, names of networks) and by task name."""
    keys: Mapping[str, tuple[Legend, ...]]
    """Legends by task name."""


def panel_figure(
    comparisons: Sequence[Comparison], tasks: Sequence[Task], *, width: float = TEXT, dpi: int = DPI
) -> Figure:
    """Images, their truth, and one map for each that predicts.

    Either each image and task is a row (image, truth, predictions, legend), or each image is a block with a column for
    each task and rows for truth and predictions, legends below: whichever has more columns. One task is always a row.
    Truth and predictions of one image and task share one range of values.

    Args:
        comparisons: the images. Truth is left out if none has any.
        tasks: the tasks; one that no image has a map of is left out.
        width: of the figure, inches.
        dpi: pixels to an inch at most of the pictures inside.

    Raises:
        ValueError: if there is nothing to draw, or the figure is too narrow.
    """
    return lay_out([_panel(comparison, tasks) for comparison in comparisons], tasks, width=width, dpi=dpi)


def _panel(comparison: Comparison, tasks: Sequence[Task]) -> Panel:
    sources = {**({"Truth": comparison.truth} if comparison.truth else {}), **comparison.predictions}
    lines: dict[str, dict[str, Tile]] = {heading: {} for heading in sources}
    keys = {}
    for task in tasks:
        shown = [maps[task.name] for maps in sources.values() if task.name in maps]
        span = value_span(task, *shown)
        for heading, maps in sources.items():
            if task.name in maps:
                lines[heading][task.name] = map_tile(task, maps[task.name], span)
        if shown:
            keys[task.name] = map_keys(task, shown, span)
    return Panel(Tile(comparison.image, smooth=True), lines, keys)


def lay_out(panels: Sequence[Panel], tasks: Iterable[Task], *, width: float, dpi: int) -> Figure:
    """Put what is drawn of some images into one figure; see :func:`panel_figure`."""
    drawn = [task for task in tasks if any(task.name in panel.keys for panel in panels)]
    headings = list(dict.fromkeys(heading for panel in panels for heading in panel.lines))
    if not drawn:
        raise ValueError("no map to draw: give images with labels or predictions of the chosen tasks")
    if len(drawn) == 1 or len(headings) > len(drawn):
        return tile_figure(["Image", *headings], _task_rows(panels, drawn, headings), width=width, dpi=dpi)
    titles = ["Image", *(task.title for task in drawn)]
    return tile_figure(titles, _heading_rows(panels, drawn), width=width, dpi=dpi)


def _task_rows(panels: Sequence[Panel], tasks: Sequence[Task], headings: Sequence[str]) -> list[TileRow]:
    """A row for each image and task."""
    rows = []
    for panel in panels:
        for number, task in enumerate(task for task in tasks if task.name in panel.keys):
            tiles = (panel.lines.get(heading, {}).get(task.name) for heading in headings)
            label = task.title if len(tasks) > 1 else ""
            rows.append(TileRow((None if number else panel.image, *tiles), label, keys=panel.keys[task.name]))
    return rows


def _heading_rows(panels: Sequence[Panel], tasks: Sequence[Task]) -> list[TileRow]:
    """A row for each image and heading."""
    rows = []
    for panel in panels:
        last = len(panel.lines) - 1
        for number, (heading, found) in enumerate(panel.lines.items()):
            tiles = (found.get(task.name) for task in tasks)
            keys = ((), *(panel.keys.get(task.name, ()) for task in tasks)) if number == last else ()
            rows.append(TileRow((None if number else panel.image, *tiles), heading, column_keys=keys))
    return rows


def map_tile(task: Task, array: Map, span: Span) -> Tile:
    """A coloured map."""
    return Tile(colour_map(task, array, span=span))


def map_keys(task: Task, maps: Sequence[Map], span: Span) -> tuple[Legend, ...]:
    """What the colours of some maps mean; nothing for colours that are the values themselves."""
    key = legend(task, *maps, span=span, most=_ALL)
    return (key,) if key.bar or key.swatches else ()
