"""Boxes, arrows and words as SVG.

Colours are those of the page that shows a diagram, dark or light; where a file is opened on its own, they are light.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

STYLE = """
.back { fill: var(--md-default-bg-color, #fff); }
.flow, .frame { fill: none; stroke: var(--md-default-fg-color, #1d2433); stroke-width: 1.4; }
.frame { stroke-dasharray: 5 4; opacity: 0.5; }
.tip { fill: var(--md-default-fg-color, #1d2433); }
.diagram text { fill: var(--md-typeset-color, #1d2433); font: 13px system-ui, sans-serif; text-anchor: middle;
  dominant-baseline: central; }
.diagram text.small { font-size: 11px; opacity: 0.8; }
.diagram text.start { text-anchor: start; }
.diagram .box { stroke-width: 1.4; }
.shared { fill: rgb(222 150 40 / 0.18); stroke: #d08a1e; }
.task { fill: rgb(40 150 150 / 0.18); stroke: #2a9d9d; }
.data { fill: rgb(120 130 150 / 0.14); stroke: #8590a6; }
.plain { fill: rgb(70 105 225 / 0.14); stroke: #5b79e6; }
"""
Point = tuple[float, float]


class Diagram:
    """A drawing that grows piece by piece."""

    def __init__(self, name: str, width: int, height: int) -> None:
        """Start with an empty sheet."""
        self.name, self.width, self.height = name, width, height
        self.parts: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, *lines: str, kind: str = "plain") -> None:
        """A box with its words in the middle, the first line large and the others small."""
        self.parts.append(
            f'<rect class="box {kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6"/>'
        )
        for number, line in enumerate(lines):
            place = y + height / 2 + 17 * (number - (len(lines) - 1) / 2)
            self.words(x + width / 2, place, line, small=number > 0)

    def grid(self, x: float, y: float, rows: int, columns: int, *, side: float, kind: str = "data") -> None:
        """A map of positions."""
        for place in range(rows * columns):
            left, top = x + side * (place % columns), y + side * (place // columns)
            self.parts.append(f'<rect class="box {kind}" x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}"/>')

    def words(self, x: float, y: float, text: str, *, small: bool = False, start: bool = False) -> None:
        """A line of words around a point, or from it on."""
        names = " ".join(name for name, on in (("small", small), ("start", start)) if on)
        self.parts.append(f'<text{f" class={names!r}" if names else ""} x="{x:g}" y="{y:g}">{escape(text)}</text>')

    def flow(self, *points: Point, tip: bool = True) -> None:
        """A line through points, with an arrow at its end."""
        self.parts.append(f'<polyline class="flow" points="{_places(points)}"/>')
        if tip:
            (x0, y0), (x, y) = points[-2:]
            length = max(abs(x - x0), abs(y - y0))
            along, down = (x - x0) / length, (y - y0) / length
            wings = [(x - 8 * along - 4 * s * down, y - 8 * down - 4 * s * along) for s in (1, -1)]
            self.parts.append(f'<polygon class="tip" points="{_places([(x, y), *wings])}"/>')

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """A dashed frame around things that belong together."""
        self.parts.append(f'<rect class="frame" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10"/>')

    def sign(self, x: float, y: float, text: str) -> None:
        """A small circle with a sign, such as a sum or a product."""
        self.parts.append(f'<circle class="box data" cx="{x:g}" cy="{y:g}" r="11"/>')
        self.words(x, y, text)

    def key(self, x: float, y: float) -> None:
        """What the colours of the boxes mean."""
        for number, (kind, text) in enumerate((("shared", "shared by the tasks"), ("task", "one for each task"))):
            self.parts.append(
                f'<rect class="box {kind}" x="{x + 160 * number:g}" y="{y - 7:g}" width="14" height="14" rx="3"/>'
            )
            self.words(x + 160 * number + 21, y, text, small=True, start=True)

    def save(self, folder: Path) -> Path:
        """Write the file."""
        path = folder / f"{self.name}.svg"
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        back = f'<rect class="back" width="{self.width}" height="{self.height}" rx="8"/>'
        lines = [f'<svg xmlns="http://www.w3.org/2000/svg" class="diagram" {size}>', f"<style>{STYLE}</style>", back]
        path.write_text("\n".join([*lines, *self.parts, "</svg>"]) + "\n")
        return path


def _places(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
