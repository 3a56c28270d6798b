"""Where predictions are wrong, and by how much: maps of errors, each in its task's own terms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pamm.engine.colours import NEUTRAL, Legend, Map, Pixels, Span, colour_table, valid_pixels, value_span
from pamm.engine.figures.comparison import ERROR, Comparison
from pamm.engine.figures.grid import Tile
from pamm.engine.figures.panels import Panel, lay_out, map_keys, map_tile
from pamm.engine.figures.style import DPI, STRONG, TEXT
from pamm.tasks import Colour, Kind, Task

THRESHOLD = 0.5
"""Probability from which on the answer is yes."""
_PALE: Colour = (232, 238, 244)
_RIGHT_WRONG = ((_PALE, "right"), (STRONG, "wrong"))
_ANSWERS = (
    (_PALE, "true negative"),
    ((0, 158, 115), "true positive"),
    (STRONG, "false positive"),
    ((0, 114, 178), "false negative"),
)
_COLORMAP = "magma_r"

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """How far one predicted map is from the truth."""

    values: Values
    """(H, W): the error in ``unit``, or the number of an outcome; not a number where no label counts."""
    summary: float
    """One number for the image; not a number if no label counts."""
    measure: str
    """What that number is."""
    unit: str
    """Its unit."""
    outcomes: tuple[tuple[Colour, str], ...] = ()
    """What can become of a pixel, with colours; none where errors have an amount."""
    error_unit: str = ""
    """Unit of the errors."""

    @property
    def note(self) -> str:
        """The summary in words."""
        if np.isnan(self.summary):
            return "no label"
        return f"{self.measure} {_in_words(self.summary, self.unit, digits=3)}"


def error_map(task: Task, truth: Map, predicted: Map, *, relative: bool = False) -> ErrorMap:
    """Compare a predicted map with the truth.

    Args:
        task: what the maps show; its kind decides how they are compared, its ``ignore`` and ``valid_range`` where.
        truth: labelled map, (H, W) or (H, W, C), as :class:`pamm.data.sample.Sample` holds it.
        predicted: predicted map, as :class:`pamm.engine.prediction.Prediction` holds it.
        relative: whether errors of values are divided by the true value.

    Returns:
        Classes: right or wrong, and the share of right pixels in %. Yes/no questions: the four outcomes at a
        probability of 0.5, and their F-measure in %. Values: the error (of several channels their root mean square),
        and its root mean square; relative: both divided by the truth, and the mean. Directions: the angle in degrees,
        and its mean.

    Raises:
        ValueError: if the maps do not fit each other, values are not positive where errors are relative, or the
            prediction is not finite where a label counts.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"{task.name}: the truth has shape {truth.shape}, the prediction {predicted.shape}")
    valid = valid_pixels(task, truth)
    if not np.isfinite(predicted[valid]).all():
        raise ValueError(f"{task.name}: the prediction is not finite at {_holes(predicted, valid)} pixels with a label")
    return _ERRORS[task.kind](task, truth, predicted, valid, relative)


def _holes(predicted: Map, valid: Mask) -> int:
    finite = np.isfinite(predicted)
    return int((valid & ~(finite.all(axis=2) if finite.ndim == 3 else finite)).sum())


def _classes(task: Task, truth: Map, predicted: Map, valid: Mask, _: bool) -> ErrorMap:
    wrong = (truth.astype(np.int64) != predicted).astype(np.float32)
    share = 100 * float(1 - wrong[valid].mean()) if valid.any() else float("nan")
    return ErrorMap(_hidden(wrong, valid), share, "accuracy", "%", _RIGHT_WRONG)


def _binary(task: Task, truth: Map, predicted: Map, valid: Mask, _: bool) -> ErrorMap:
    true, said = truth > THRESHOLD, predicted >= THRESHOLD
    outcome = np.select([true & said, ~true & said, true & ~said], [1, 2, 3], 0).astype(np.float32)
    hits, false, missed = (int((outcome[valid] == number).sum()) for number in (1, 2, 3))
    # nothing there and nothing found is as right as can be
    measure = 100 * 2 * hits / (2 * hits + false + missed) if hits + false + missed else 100.0
    return ErrorMap(_hidden(outcome, valid), measure if valid.any() else float("nan"), "F", "%", _ANSWERS)


def _regression(task: Task, truth: Map, predicted: Map, valid: Mask, relative: bool) -> ErrorMap:
    true, said = (array.astype(np.float64).reshape(*array.shape[:2], -1) for array in (truth, predicted))
    size = np.abs(said - true)
    if relative:
        if not (true[valid] > 0).all():
            raise ValueError(f"{task.name}: errors relative to values that are not positive: draw them as they are")
        size = 100 * size / np.where(valid[..., None], true, 1)
    error = np.sqrt((np.where(valid[..., None], size, 0) ** 2).mean(axis=2))
    found = error[valid]
    if relative:
        mean = float(found.mean()) if found.size else float("nan")
        return ErrorMap(_hidden(error, valid), mean, "mean", "%", error_unit="%")
    mean = float(np.sqrt((found**2).mean())) if found.size else float("nan")
    return ErrorMap(_hidden(error, valid), mean, "RMSE", task.unit, error_unit=task.unit)


def _direction(task: Task, truth: Map, predicted: Map, valid: Mask, _: bool) -> ErrorMap:
    true, said = (array.astype(np.float64) for array in (truth, predicted))
    lengths = np.linalg.norm(true, axis=2) * np.linalg.norm(said, axis=2)
    cosine = (true * said).sum(axis=2) / np.where(lengths > 0, lengths, 1)
    angle = np.degrees(np.arccos(cosine.clip(-1, 1)))
    mean = float(angle[valid].mean()) if valid.any() else float("nan")
    return ErrorMap(_hidden(angle, valid), mean, "mean", "°", error_unit="°")


_ERRORS: dict[Kind, Callable[[Task, Map, Map, Mask, bool], ErrorMap]] = {
    "classes": _classes,
    "binary": _binary,
    "regression": _regression,
    "direction": _direction,
}


def _hidden(values: NDArray[np.floating], valid: Mask) -> Values:
    return np.where(valid, values, np.nan).astype(np.float32)


def error_span(*errors: ErrorMap) -> Span:
    """Range of errors that the colours of some maps share: from 0 to the 99th percentile."""
    values = np.concatenate([error.values[np.isfinite(error.values)] for error in errors])
    high = float(np.percentile(values, 99)) if values.size else 1.0
    return (0.0, high if high > 0 else 1.0)


def colour_errors(error: ErrorMap, span: Span) -> Pixels:
    """Errors as colours, (H, W, 3) uint8 RGB; grey where no label counts.

    Args:
        error: the errors.
        span: range of the colours, for errors with an amount.
    """
    counts = np.isfinite(error.values)
    values = np.where(counts, error.values, 0)
    if error.outcomes:
        colours = np.array([colour for colour, _ in error.outcomes], dtype=np.uint8)[values.astype(np.intp)]
    else:
        shares = ((values - span[0]) / (span[1] - span[0])).clip(0, 1)
        colours = colour_table(_COLORMAP)[(shares * 255).round().astype(np.intp)]
    colours[~counts] = NEUTRAL
    return colours


def error_legend(errors: Sequence[ErrorMap], span: Span) -> Legend:
    """What the colours of :func:`colour_errors` mean."""
    ignored = any(np.isnan(error.values).any() for error in errors)
    if errors[0].outcomes:
        return Legend((*errors[0].outcomes, *(((NEUTRAL, "no label"),) if ignored else ())))
    ticks = tuple(_in_words(float(value), errors[0].error_unit, digits=2) for value in np.linspace(*span, 3))
    bar = tuple((int(red), int(green), int(blue)) for red, green, blue in colour_table(_COLORMAP)[::15])
    return Legend(bar=bar, ticks=(*ticks[:-1], f"≥ {ticks[-1]}"))


def _in_words(value: float, unit: str, *, digits: int) -> str:
    """A number with so many digits that count, and its unit."""
    places = digits - 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{min(max(places, 0), 9)}f}" + (unit if unit == "°" else f" {unit}" if unit else "")


def error_figure(
    comparisons: Sequence[Comparison],
    tasks: Sequence[Task],
    *,
    relative: bool = False,
    width: float = TEXT,
    dpi: int = DPI,
) -> Figure:
    """Images, their truth, and for each that predicts its map and where it errs, laid out as by ``panel_figure``.

    Maps of one image and task share one range of values, their errors another; see :func:`error_map` for what is drawn
    and for the number under it.

    Args:
        comparisons: the images; what has no label is left out.
        tasks: the tasks.
        relative: whether errors of values are divided by the true value, where a task's values are all positive.
        width: of the figure, inches.
        dpi: pixels to an inch at most of the pictures inside.

    Raises:
        ValueError: if there is nothing to compare, maps do not fit each other, or the figure is too narrow.
    """
    panels = [_panel(comparison, tasks, relative=relative) for comparison in comparisons]
    if not any(panel.keys for panel in panels):
        raise ValueError("nothing to compare: give images with labels of the chosen tasks, and predictions of them")
    return lay_out([panel for panel in panels if panel.keys], tasks, width=width, dpi=dpi)


def _panel(comparison: Comparison, tasks: Sequence[Task], *, relative: bool) -> Panel:
    lines: dict[str, dict[str, Tile]] = {"Truth": {}}
    keys = {}
    for task in tasks:
        truth = comparison.truth.get(task.name)
        shown = {name: maps[task.name] for name, maps in comparison.predictions.items() if task.name in maps}
        if truth is None or not shown:
            continue
        part = relative and task.valid_range is not None and task.valid_range[0] >= 0
        errors = {name: error_map(task, truth, array, relative=part) for name, array in shown.items()}
        span, reach = value_span(task, truth, *shown.values()), error_span(*errors.values())
        lines["Truth"][task.name] = map_tile(task, truth, span)
        for name, error in errors.items():
            lines.setdefault(name, {})[task.name] = map_tile(task, shown[name], span)
            lines.setdefault(f"{name}{ERROR}", {})[task.name] = Tile(colour_errors(error, reach), error.note)
        keys[task.name] = (*map_keys(task, [truth, *shown.values()], span), error_legend([*errors.values()], reach))
    return Panel(Tile(comparison.image, smooth=True), lines, keys)
