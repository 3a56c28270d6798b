"""A table of results, and how it is shown: in the terminal, as Markdown, as LaTeX, as plain values for JSON."""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from pamm.data.files import atomic_write, check_name

Mark = Literal["", "best", "second_best"]

PLACES: tuple[Mark, Mark] = ("best", "second_best")
"""Marks of the first and the second place."""
MISSING = "–"
"""What stands in a cell without a value."""
_STYLES: dict[Mark, str] = {"": "", "best": "bold", "second_best": "underline"}
_MARKDOWN: dict[Mark, str] = {"": "{}", "best": "**{}**", "second_best": "<ins>{}</ins>"}
_LATEX: dict[Mark, str] = {"": "{}", "best": r"\textbf{{{}}}", "second_best": r"\underline{{{}}}"}
_BREAK = re.compile(r" (?![↑↓])")
"""Where a heading is broken into lines."""
_MARKDOWN_SPECIAL = re.compile(r"[\\`*_|<&~$]|(?<=\])\(")
_LATEX_SPECIAL = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "Δ": r"$\Delta$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "°": r"$^\circ$",
        "×": r"$\times$",
        "−": "$-$",
        "–": "--",
    }
)


@dataclass(frozen=True)
class Column:
    """What one column holds."""

    name: str
    """Heading, without unit and direction."""
    unit: str = ""
    """Unit of its numbers."""
    higher_is_better: bool | None = None
    """Direction of its numbers; without one no number is the best."""
    numeric: bool = True
    """Whether it holds numbers, which stand at the right."""
    aside: bool = False
    """Whether LaTeX gives it as a comment at the end of each row, as it is of no use in print."""

    @property
    def heading(self) -> str:
        """Name, unit and direction."""
        arrow = {None: "", True: " ↑", False: " ↓"}[self.higher_is_better]
        return self.name + (f" [{self.unit}]" if self.unit else "") + arrow


@dataclass(frozen=True)
class Cell:
    """One value of a table."""

    value: float | str | None
    """A number, a text, or None where there is nothing to say."""
    decimals: int = 2
    """Digits of a number after the point."""
    signed: bool = False
    """Whether a positive number has its sign."""

    @property
    def text(self) -> str:
        """The value as it is shown; a number that is not finite is "nan"."""
        if self.value is None:
            return MISSING
        if isinstance(self.value, str):
            return " ".join(self.value.split()) or MISSING
        if not math.isfinite(self.value):
            return "nan"
        return f"{self.rank:{'+' if self.signed else ''}.{self.decimals}f}".replace("-", "−")

    @property
    def rank(self) -> float | None:
        """The number as far as it is shown, if there is one: what looks equal is equal."""
        if isinstance(self.value, str) or self.value is None or not math.isfinite(self.value):
            return None
        return float(f"{self.value:.{self.decimals}f}") + 0.0  # no minus before a zero


@dataclass(frozen=True)
class ResultTable:
    """A table of results."""

    title: str
    """What it shows."""
    columns: tuple[Column, ...]
    """Its columns."""
    groups: tuple[tuple[tuple[Cell, ...], ...], ...]
    """Its rows, in groups that are set apart; empty groups do not show."""
    notes: tuple[str, ...] = ()
    """Sentences to read with it."""

    @property
    def rows(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows of all groups."""
        return tuple(row for group in self.groups for row in group)

    def mark(self, row: tuple[Cell, ...], place: int) -> Mark:
        """How a cell's number does among those of its column.

        Args:
            row: one of the rows.
            place: number of the column.

        Returns:
            Whether it is the best, or the best but one; equal numbers share a place. Nothing if there is only one.
        """
        better = self.columns[place].higher_is_better
        ranks = [rank for other in self.rows if (rank := other[place].rank) is not None]
        own = row[place].rank
        if better is None or own is None or len(ranks) < 2:
            return ""
        marks: dict[float, Mark] = dict(zip(sorted(set(ranks), reverse=better), PLACES, strict=False))
        return marks.get(own, "")

    def to_rich(self, *, turned: bool = False) -> Table:
        """For the terminal: the best bold, the second best underlined.

        Args:
            turned: whether rows and columns change places, for few rows of many columns.
        """
        cells = [[Text(cell.text, _STYLES[self.mark(row, at)]) for at, cell in enumerate(row)] for row in self.rows]
        table = Table(
            title=Text(self.title),
            caption=Text("\n".join(self.notes)),
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            padding=(0, 1, 0, 0),
        )
        if turned:
            names = [Text(column.heading) for column in self.columns]
            for head in (names[0], *(row[0] for row in cells)):
                table.add_column(head, justify="left" if head is names[0] else "right", overflow="fold")
            for line in zip(names[1:], *(row[1:] for row in cells), strict=True):
                table.add_row(*line)
            return table
        for column in self.columns:
            heading = Text(_BREAK.sub("\n", column.heading))
            # texts wrap in a narrow terminal, numbers do not
            justify: Literal["right", "left"] = "right" if column.numeric else "left"
            table.add_column(heading, justify=justify, no_wrap=column.numeric, overflow="fold")
        ends = list(accumulate(map(len, self.groups)))
        for number, row in enumerate(cells, start=1):
            table.add_row(*row, end_section=number in ends)
        return table

    def to_markdown(self) -> str:
        """For GitHub: the best bold, the second best underlined."""
        lines = [
            [markdown(column.heading) for column in self.columns],
            ["---:" if column.numeric else "---" for column in self.columns],
            *(
                [_MARKDOWN[self.mark(row, at)].format(markdown(cell.text)) for at, cell in enumerate(row)]
                for row in self.rows
            ),
        ]
        table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return f"{markdown(self.title)}\n\n{table}" + "".join(f"\n{markdown(note)}\n" for note in self.notes)

    def to_latex(self) -> str:
        """A ``tabular`` with the rules of booktabs: the best bold, the second best underlined."""
        shown = [at for at, column in enumerate(self.columns) if not column.aside]
        layout = "".join("r" if self.columns[at].numeric else "l" for at in shown)
        lines = [
            f"% {self.title}",
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            _latex_row([_latex(self.columns[at].heading) for at in shown]),
        ]
        for group in filter(None, self.groups):
            lines.append(r"\midrule")
            for row in group:
                cells = _latex_row([_LATEX[self.mark(row, at)].format(_latex(row[at].text)) for at in shown])
                aside = [cell.text for column, cell in zip(self.columns, row, strict=True) if column.aside]
                lines.append(" % ".join([cells, *aside]))
        lines += [r"\bottomrule", r"\end{tabular}", *(f"% {note}" for note in self.notes)]
        return "".join(f"{' '.join(line.split())}\n" for line in lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, numbers in full; None where a number is missing or not finite."""
        return {
            "title": self.title,
            "columns": [
                {"name": column.name, "unit": column.unit, "higher_is_better": column.higher_is_better}
                for column in self.columns
            ],
            "rows": [
                {
                    **{column.name: _plain(cell.value) for column, cell in zip(self.columns, row, strict=True)},
                    **{
                        mark: [column.name for at, column in enumerate(self.columns) if self.mark(row, at) == mark]
                        for mark in PLACES
                    },
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }


def markdown(text: str) -> str:
    """A text as Markdown that shows it as it is."""
    return _MARKDOWN_SPECIAL.sub(r"\\\g<0>", text)


def _latex(text: str) -> str:
    return text.translate(_LATEX_SPECIAL)


def _latex_row(cells: Sequence[str]) -> str:
    r"""One line of a ``tabular``; ``{}`` keeps the \\ before it from taking a first [ or * for its own argument."""
    shield = "{}" if cells[0].startswith(("[", "*")) else ""
    return rf"{shield}{' & '.join(cells)} \\"


def _plain(value: float | str | None) -> float | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(tables: Sequence[ResultTable]) -> str:
    return json.dumps({"tables": [table.to_dict() for table in tables]}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sequence[ResultTable]], str]] = {
    ".md": lambda tables: "\n".join(table.to_markdown() for table in tables),
    ".tex": lambda tables: "\n".join(table.to_latex() for table in tables),
    ".json": _json,
}
"""How tables are written, by the suffix of the file."""


def check_table_file(path: Path) -> None:
    """See whether tables can be written under a name.

    Raises:
        ValueError: if its suffix is none of :data:`FORMATS`, or it is a folder.
    """
    check_name(path)
    if path.suffix.lower() not in FORMATS:
        *some, last = FORMATS
        raise ValueError(f"{path}: no format of tables ends so: give a file that ends in {', '.join(some)} or {last}")


def write_tables(path: Path, tables: Sequence[ResultTable]) -> None:
    """Write tables to a file, in the format that its suffix names.

    Raises:
        ValueError: if its suffix is none of :data:`FORMATS`, or it cannot be written.
    """
    check_table_file(path)
    with atomic_write(path) as temporary:
        temporary.write_text(FORMATS[path.suffix.lower()](tables), encoding="utf-8")
