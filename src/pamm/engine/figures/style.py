"""How figures for papers look, and how they are written: sizes, type, colours, files that come out alike each time.

Figures are matplotlib's own, made without pyplot: nothing is kept between them and no window is opened.
"""

from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from pamm.data.files import atomic_write, check_name
from pamm.tasks import Colour

COLUMN = 3.3
"""Width of a column of a two-column paper, inches."""
TEXT = 6.9
"""Width of its text, inches."""
DPI = 300
"""Pixels to an inch, of photos and maps in a figure and of PNG files."""
WIDTHS, DPIS = (0.25, 50.0), (10, 1200)
"""Narrowest and widest figure, inches, and fewest and most pixels to an inch."""
MOST_PIXELS = 100_000_000
"""Most pixels of a PNG file."""
BODY, SMALL = 8.0, 6.5
"""Sizes of type in points: of headings, and of all else."""
INK, FAINT, RULE = "#22242a", "#686c76", "#c8cacf"
"""Colours of words, of what matters less, and of lines around things."""
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours of curves that people with any colour vision tell apart (Okabe and Ito)."""
STRONG: Colour = (213, 94, 0)
"""What calls for attention: mistakes, jumps."""

FORMATS: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
    ".png": {},
}
"""Suffixes of files that figures are written to, and what of their metadata is left out."""

_SETTINGS: dict[str, Any] = {
    # TrueType fonts inside, which every publisher takes, and words in SVG that can be searched and edited
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "pamm",
    "font.size": SMALL,
    "axes.titlesize": BODY,
    "axes.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # names of files and runs may hold dollar signs
    "text.parse_math": False,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Matplotlib's defaults, whatever the user's own file says, with the settings of this module; also a decorator."""
    with matplotlib.style.context(["default", _SETTINGS]):
        yield


def check_figure_file(path: Path) -> None:
    """See that a figure can be written to a file of this name.

    Raises:
        ValueError: if its suffix names no known format, or it is a folder.
    """
    check_name(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: no format for figures: give a name that ends in {', '.join(FORMATS)}")


def check_size(width: float, dpi: int) -> None:
    """See that a figure of this size can be drawn.

    Args:
        width: of the figure, inches.
        dpi: pixels to an inch.

    Raises:
        ValueError: if one of them is out of bounds.
    """
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ValueError(f"width: got {width:g} inches: give {WIDTHS[0]:g} to {WIDTHS[1]:g}, for example {TEXT:g}")
    if not DPIS[0] <= dpi <= DPIS[1]:
        raise ValueError(f"dpi: got {dpi} pixels to an inch: give {DPIS[0]} to {DPIS[1]}, for example {DPI}")


def save_figure(figure: Figure, path: str | Path, *, dpi: int = DPI) -> Path:
    """Write a figure; the same figure gives the same bytes, with the same version of matplotlib.

    Args:
        figure: what to write; it is drawn at its own size, nothing is cut off.
        path: file to write, in the format that its suffix names; missing folders are made.
        dpi: pixels to an inch of a PNG file.

    Returns:
        The file.

    Raises:
        ValueError: if the suffix names no known format, the file cannot be written, or has too many pixels.
    """
    path = Path(path)
    check_figure_file(path)
    suffix = path.suffix.lower()
    wide, tall = figure.get_size_inches()
    check_size(wide, dpi)
    if suffix == ".png" and wide * tall * dpi**2 > MOST_PIXELS:
        raise ValueError(
            f"{path}: {wide:.1f} × {tall:.1f} inches have more than {MOST_PIXELS:,} pixels at {dpi} to an inch: give "
            "fewer to an inch, or a name that ends in .pdf"
        )
    with paper_style(), atomic_write(path) as temporary:
        smaller: Any = {"pil_kwargs": {"optimize": True}} if suffix == ".png" else {}
        figure.savefig(temporary, format=suffix[1:], dpi=dpi, metadata=FORMATS[suffix], **smaller)
    return path


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Width of a line of text in inches.

    Args:
        text: the line.
        size: of the type, points.
    """
    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", size=size)
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().width) / 72


def fitted(text: str, room: float, *, size: float = SMALL, smallest: float = 5.0) -> tuple[str, float]:
    """A line of text that fits: in smaller type if need be, and with an ellipsis if that is not enough.

    Args:
        text: the line.
        room: width that it may take, inches.
        size: wanted size of the type, points.
        smallest: smallest size that can be read, points.

    Returns:
        The line, and the size of its type.
    """
    wide = text_width(text, size)
    if wide <= room:
        return text, size
    if wide * smallest / size <= room:
        return text, size * room / wide
    # to measure takes milliseconds, and there may be many long lines
    kept = bisect(range(1, len(text)), room, key=lambda count: text_width(f"{text[:count].rstrip()}…", smallest))
    return f"{text[:kept].rstrip()}…", smallest
