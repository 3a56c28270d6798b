"""How losses and scores of training runs developed."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from pamm.engine.figures.style import (
    BODY,
    DPI,
    FAINT,
    RULE,
    SERIES,
    SMALL,
    TEXT,
    check_size,
    fitted,
    paper_style,
    text_width,
)
from pamm.metrics import SCORES, task_scores
from pamm.names import unknown_name
from pamm.tasks import TASKS

_NARROWEST = 1.2
"""Width of the narrowest plot worth drawing, inches."""
_STAGES = ("train", "val")
Style = Literal["-", "--", ":"]
_STYLES: tuple[Style, ...] = ("-", "--", ":")
Look = tuple[str, Style]
"""Colour and style of a run's lines."""


@dataclass(frozen=True, eq=False)
class Series:
    """One column of a log."""

    steps: NDArray[np.int64]
    """Steps done, from 1."""
    values: NDArray[np.float64]
    """What was logged after each of them."""


Log = Mapping[str, Series]
"""The columns of a run's log by name: ``train/loss``, ``val/loss/depth``, ``val/depth/RMSE``."""


def read_log(path: str | Path) -> Log:
    """The log of a training run.

    Args:
        path: folder of the run, its ``log`` folder, or the CSV file in it.

    Raises:
        ValueError: if there is no log, or it is none of a training run.
    """
    path = Path(path)
    places = (path, path / "metrics.csv", path / "log" / "metrics.csv")
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise ValueError(f"{path}: no log there: give the folder of a run, or its log/metrics.csv")
    found: dict[str, list[tuple[int, float]]] = {}
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            # a run that is killed may leave half a line
            for row in csv.DictReader(line for line in lines if line.endswith("\n")):
                for name, value in row.items():
                    if name != "step" and value:
                        # steps are counted from 0 in logs
                        found.setdefault(name, []).append((int(row["step"]) + 1, float(value)))
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{file}: no log of `pamm train`: give the folder of a run, or its log/metrics.csv") from error
    if not found:
        raise ValueError(f"{file}: nothing is logged there yet")
    return {
        name: Series(*(np.array(part) for part in zip(*sorted(pairs, key=lambda pair: pair[0]), strict=True)))
        for name, pairs in sorted(found.items())
    }


def joined(logs: Sequence[Log]) -> Log:
    """The logs of runs that each went on from the one before, as one: their steps add up."""
    parts: dict[str, list[Series]] = {}
    done = 0
    for log in logs:
        for name, series in log.items():
            parts.setdefault(name, []).append(Series(series.steps + done, series.values))
        done += max(int(series.steps[-1]) for series in log.values())
    return {
        name: Series(np.concatenate([part.steps for part in found]), np.concatenate([part.values for part in found]))
        for name, found in parts.items()
    }


def smoothed(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Exponential moving average, without a pull towards 0 at its start; what is not finite is passed over.

    Args:
        values: (n,).
        weight: of what came before, at least 0 and below 1; 0 changes nothing.

    Raises:
        ValueError: if the weight is out of its range.
    """
    if not 0 <= weight < 1:
        raise ValueError(f"smooth is {weight}, must be at least 0 and below 1")
    out, total, norm = np.empty_like(values), 0.0, 0.0
    for place, value in enumerate(values):
        if math.isfinite(value):
            total, norm = weight * total + (1 - weight) * value, weight * norm + (1 - weight)
        out[place] = total / norm if norm else value
    return out


def usual_columns() -> list[str]:
    """Patterns of the columns that are drawn if none is named: the whole loss, and the scores that compare tasks."""
    scores = [*SCORES.values(), *task_scores(TASKS.values()).values()]
    headlines = dict.fromkeys(score.headline for score in scores if hasattr(score, "headline"))
    return ["*/loss", *(f"val/*/{name}" for name in headlines)]


def chosen_columns(logs: Mapping[str, Log], patterns: Sequence[str] | None = None) -> list[str]:
    """Columns of some logs that fit patterns such as ``val/*/mIoU``, in the order of the patterns.

    Args:
        logs: the logs by the name of the run.
        patterns: what the columns are called; the usual ones if left out, losses first.

    Raises:
        ValueError: if a pattern that was given fits none.
    """
    known = list(dict.fromkeys(name for log in logs.values() for name in log))
    wanted: list[str] = []
    for pattern in patterns or usual_columns():
        fitting = [name for name in known if fnmatchcase(name, pattern)]
        if patterns and not fitting:
            raise unknown_name("column in the logs", pattern, known)
        wanted += [name for name in fitting if name not in wanted]
    if not patterns:
        wanted.sort(key=lambda name: (not name.endswith("/loss"), known.index(name)))
    if not wanted:
        raise ValueError(f"the logs hold none of the usual columns: name some of {', '.join(known)}")
    return wanted


@paper_style()
def curve_figure(
    logs: Mapping[str, Log],
    *,
    columns: Sequence[str] | None = None,
    smooth: float = 0.0,
    width: float = TEXT,
    dpi: int = DPI,
) -> Figure:
    """A plot for each loss and score, over steps; runs differ in colour.

    What is measured in training and in validation shares a plot: training is a pale line, validation a strong one with
    dots.

    Args:
        logs: logs by the name of the run.
        columns: names of columns, or patterns such as ``val/*/mIoU``; :func:`usual_columns` if left out.
        smooth: weight of the past in a moving average of what is logged in training, at least 0 and below 1.
        width: of the figure, inches.
        dpi: pixels to an inch on a screen.

    Raises:
        ValueError: if there is nothing to draw, the figure is too narrow, or a number is out of its range.
    """
    check_size(width, dpi)
    if width < _NARROWEST:
        raise ValueError(f"a plot does not fit into {width:g} inches: draw a wider figure, of {_NARROWEST:g} or more")
    if not logs:
        raise ValueError("no run was given: name the folder of one or more")
    panels: dict[str, list[str]] = {}
    for name in chosen_columns(logs, columns):
        stage, _, rest = name.partition("/")
        panels.setdefault(rest if stage in _STAGES else name, []).append(name)
    across = max(1, min(len(panels), round(width / 1.7)))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(width, 1.35 * down + 0.4), dpi=dpi, layout=ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03))
    grid = figure.subplots(down, across, squeeze=False)
    titles = [fitted(_title(title), width / across - 0.3, size=BODY) for title in panels]
    size = min(size for _, size in titles)
    for axes, (title, _), names in zip(grid.flat, titles, panels.values(), strict=False):
        for look, log in zip(_looks(len(logs)), logs.values(), strict=True):
            for name in names:
                if name in log:
                    _draw_series(axes, name, log[name], look, smooth)
        axes.set_title(title, size=size, pad=3, loc="left")
        axes.grid(color=RULE, linewidth=0.4, alpha=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.locator_params(nbins=4)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("step", size=7, color=FAINT)
    handles = _handles(logs, panels, room=width - 0.5)
    if handles:
        widest = max(text_width(str(handle.get_label()), SMALL) for handle in handles)
        across = max(1, int((width - 0.1) / (widest + 0.42)))
        figure.legend(handles=handles, loc="outside upper left", ncols=across, frameon=False, columnspacing=1.2)
    return figure


def _draw_series(axes: Axes, name: str, series: Series, look: Look, smooth: float) -> None:
    colour, style = look
    if name.startswith("val/"):
        axes.plot(series.steps, series.values, color=colour, linestyle=style, label=name, marker="o", markersize=2)
        return
    if smooth:
        axes.plot(series.steps, series.values, color=colour, alpha=0.18, linewidth=0.6)
    average = smoothed(series.values, smooth)
    axes.plot(series.steps, average, color=colour, linestyle=style, label=name, alpha=0.55, linewidth=0.9)


def _handles(logs: Mapping[str, Log], panels: Mapping[str, Sequence[str]], *, room: float) -> list[Line2D]:
    """What the legend says: runs if there are several, training and validation if one plot holds both."""
    handles = []
    if len(logs) > 1:
        handles = [
            Line2D([], [], color=colour, linestyle=style, label=fitted(run, room, smallest=SMALL)[0])
            for (colour, style), run in zip(_looks(len(logs)), logs, strict=True)
        ]
    if any(len({name.partition("/")[0] for name in names} & set(_STAGES)) > 1 for names in panels.values()):
        shade = FAINT if len(logs) > 1 else SERIES[0]
        handles += [
            Line2D([], [], color=shade, alpha=0.55, linewidth=0.9, label="training"),
            Line2D([], [], color=shade, marker="o", markersize=2, label="validation"),
        ]
    return handles


def _looks(count: int) -> list[Look]:
    """Colours of some runs, and how their lines are drawn once the colours are used up."""
    return [(SERIES[place % len(SERIES)], _STYLES[place // len(SERIES) % len(_STYLES)]) for place in range(count)]


def _title(name: str) -> str:
    """``loss/depth`` as "Loss: depth", ``depth/RMSE`` as "Depth: RMSE [m] ↓"."""
    first, *rest = name.split("/")
    task = TASKS.get(first)
    if task is not None and len(rest) == 1:
        score = task_scores([task])[first]
        unit = f" [{score.unit}]" if score.unit else ""
        known = f"{unit} {'↑' if score.higher_is_better else '↓'}" if rest[0] == score.headline else ""
        return f"{task.title}: {rest[0]}{known}"
    words = ": ".join((first, *rest)).replace("_", " ")
    return words[:1].upper() + words[1:]
