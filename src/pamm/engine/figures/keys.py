"""What colours mean, drawn beside a row of pictures or below a column of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pamm.engine.colours import NEUTRAL, Legend
from pamm.engine.figures.style import FAINT, RULE, SMALL, fitted, text_width
from pamm.tasks import Colour

_WIDEST = 0.95
"""Widest legend beside a row, inches."""
_LINE, _SWATCH, _BAR, _PAD = 0.115, 0.075, 0.08, 0.04
"""Inches: from line to line, side of a swatch, thickness of a colour bar, between swatch and words."""
_BELOW = 5.5
"""Size of type of words below a column, points."""
_LINES = 8
"""Most lines below a column."""

Swatches = Sequence[tuple[Colour, str]]


def beside_width(key: Legend) -> float:
    """Width of a legend at the side of a row, inches."""
    words = max((text_width(text, SMALL) for text in (*key.ticks, *(name for _, name in key.swatches))), default=0.0)
    return min(_WIDEST, words + max(_SWATCH, _BAR) + 2 * _PAD)


def beside_key(axes: Axes, key: Legend, *, width: float, height: float) -> None:
    """Draw a legend from top to bottom: the lowest value at the bottom, or one class a line."""
    _measure(axes, width, height)
    if key.bar:
        _bar(axes, key, (0, _BAR, height, 0), upright=True)
        _measure(axes, width, height)
        last = max(1, len(key.ticks) - 1)
        for number, words in enumerate(key.ticks):
            place = {0: "bottom", last: "top"}.get(number, "center")
            text, size = fitted(words, width - _BAR - _PAD)
            axes.text(_BAR + _PAD, height * (1 - number / last), text, size=size, va=place, color=FAINT)
    for number, (colour, words) in enumerate(_first(key.swatches, max(4, int(height / _LINE)))):
        _swatch(axes, colour, words, left=0, top=number * _LINE, room=width, size=SMALL)


def below_height(key: Legend, width: float) -> float:
    """Height of a legend below a column of a width, inches."""
    if key.bar:
        return _BAR + _LINE
    return _LINE * len(_lines(key.swatches, width))


def below_key(axes: Axes, key: Legend, *, width: float, height: float) -> None:
    """Draw a legend from left to right: the lowest value at the left, or classes one after the other."""
    _measure(axes, width, height)
    if key.bar:
        _bar(axes, key, (0, width, _BAR, 0), upright=False)
        _measure(axes, width, height)
        ends = (key.ticks[0], key.ticks[-1]) if key.ticks else ()
        for words, place, side in zip(ends, (0, width), ("left", "right"), strict=False):
            text, size = fitted(words, width / 2 - _PAD / 2, size=_BELOW)
            axes.text(place, _BAR + 0.02, text, size=size, ha=side, va="top", color=FAINT)
    for number, line in enumerate(_lines(key.swatches, width)):
        left = 0.0
        for colour, words in line:
            _swatch(axes, colour, words, left=left, top=number * _LINE, room=width - left, size=_BELOW)
            left += _entry_width(words)


def _measure(axes: Axes, width: float, height: float) -> None:
    """Let data be inches from the top left corner."""
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
    axes.set_axis_off()


def _bar(axes: Axes, key: Legend, extent: tuple[float, float, float, float], *, upright: bool) -> None:
    colours = np.array(key.bar, dtype=np.uint8)
    shades = colours[::-1, None] if upright else colours[None]
    axes.imshow(shades, extent=extent, interpolation="bilinear", aspect="auto", clip_on=False)
    left, right, bottom, top = extent
    axes.add_patch(
        Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=RULE, linewidth=0.4, clip_on=False)
    )


def _swatch(axes: Axes, colour: Colour, words: str, *, left: float, top: float, room: float, size: float) -> None:
    red, green, blue = (value / 255 for value in colour)
    middle = top + _LINE / 2
    corner = (left, middle - _SWATCH / 2)
    axes.add_patch(
        Rectangle(corner, _SWATCH, _SWATCH, facecolor=(red, green, blue), edgecolor=RULE, linewidth=0.3, clip_on=False)
    )
    text, size = fitted(words, room - _SWATCH - _PAD, size=size)
    axes.text(left + _SWATCH + _PAD, middle, text, size=size, va="center_baseline", color=FAINT)


def _entry_width(words: str) -> float:
    return _SWATCH + _PAD + text_width(words, _BELOW) + 0.07


def _lines(swatches: Swatches, width: float) -> list[list[tuple[Colour, str]]]:
    """Entries in lines of a width; where they are too many lines, the last entry counts the rest."""
    for most in range(len(swatches), 0, -1):
        lines: list[list[tuple[Colour, str]]] = []
        left = width
        for entry in _first(swatches, most):
            wide = _entry_width(entry[1])
            if left + wide - 0.07 > width:
                lines.append([])
                left = 0.0
            lines[-1].append(entry)
            left += wide
        if len(lines) <= _LINES:
            return lines
    return []


def _first(swatches: Swatches, most: int) -> list[tuple[Colour, str]]:
    """The first entries of a legend; where there are more, the last one counts the rest."""
    if len(swatches) <= most:
        return list(swatches)
    return [*swatches[: most - 1], (NEUTRAL, f"{len(swatches) - most + 1} more")]
