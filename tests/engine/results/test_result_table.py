"""Tables, drawn in three ways."""

import json
import math
import re

import pytest
from rich.console import Console

from pamm.engine.results.result_table import Cell, Column, ResultTable, write_tables

COLUMNS = (
    Column("method", numeric=False),
    Column("F", "%", True),
    Column("RMSE", "m", False),
    Column("Δ", "%", True),
    Column("source", numeric=False, aside=True),
)


def row(method, f, rmse, gain=None, source="paper"):
    return (Cell(method), Cell(f), Cell(rmse, 4), Cell(gain, signed=True), Cell(source))


TABLE = ResultTable(
    "Set_1, val",
    COLUMNS,
    ((row("A|B", 60.004, 0.5), row("C_d", 60.0, None)), (), (row("[ours]", 59.9, 0.25, -1.5, "100 % here"),)),
    ("50 % of _x_",),
)


def test_markdown():
    assert TABLE.to_markdown() == (
        r"""Set\_1, val

| method | F [%] ↑ | RMSE [m] ↓ | Δ [%] ↑ | source |
| --- | ---: | ---: | ---: | --- |
| A\|B | **60.00** | <ins>0.5000</ins> | – | paper |
| C\_d | **60.00** | – | – | paper |
| [ours] | <ins>59.90</ins> | **0.2500** | −1.50 | 100 % here |

50 % of \_x\_
"""
    )


def test_latex():
    text = TABLE.to_latex()
    assert text == (
        r"""% Set_1, val
% \usepackage{booktabs}
\begin{tabular}{lrrr}
\toprule
method & F [\%] $\uparrow$ & RMSE [m] $\downarrow$ & $\Delta$ [\%] $\uparrow$ \\
\midrule
A\textbar{}B & \textbf{60.00} & \underline{0.5000} & -- \\ % paper
C\_d & \textbf{60.00} & -- & -- \\ % paper
\midrule
{}[ours] & \underline{59.90} & \textbf{0.2500} & $-$1.50 \\ % 100 % here
\bottomrule
\end{tabular}
% 50 % of _x_
"""
    )


@pytest.mark.parametrize(
    "name", ["{", "}", "\\", "$x", "a%b", "#1", "x^2 ~ y_i", "a & b", "<|>", "two\nlines", "*", ""]
)
def test_latex_is_balanced_whatever_the_names(name):
    text = ResultTable(name, COLUMNS, ((row(name, 1.0, 2.0, source=name),),), (name,)).to_latex()
    code = [re.sub(r"(?<!\\)%.*", "", line) for line in text.splitlines()]
    bare = re.sub(r"\\[\\{}$&%#_]", "", "\n".join(code))
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not set("^~#_<>|") & set(bare)
    rows = [line for line in bare.splitlines() if "&" in line]
    assert len(rows) == 2
    assert all(line.count("&") == 3 for line in rows)
    assert not rows[1].startswith(("[", "*"))


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a*b*", r"a\*b\*"), ("`x`", r"\`x\`"), ("[t](u)", r"[t]\(u)"), ("<b>", r"\<b>"), ("a\nb", "a b")],
)
def test_markdown_is_escaped(name, safe):
    assert f"| {safe} |" in ResultTable("", COLUMNS[:1], (((Cell(name),),),)).to_markdown()


def test_plain_values():
    plain = TABLE.to_dict()
    assert plain["rows"][0] == {
        "method": "A|B",
        "F": 60.004,
        "RMSE": 0.5,
        "Δ": None,
        "source": "paper",
        "best": ["F"],
        "second_best": ["RMSE"],
    }
    assert plain["columns"][2] == {"name": "RMSE", "unit": "m", "higher_is_better": False}
    assert plain["notes"] == ["50 % of _x_"]


def test_marks():
    def marks(*values, better=True):
        table = ResultTable("", (Column("x", "", better),), (tuple((Cell(value),) for value in values),))
        return [table.mark(line, 0) for line in table.rows]

    assert marks(1.0, 3.0, 2.0, 2.001) == ["", "best", "second_best", "second_best"]
    assert marks(1.0, 3.0, 2.0, better=False) == ["best", "", "second_best"]
    assert marks(1.0, None, math.nan, 2.0) == ["second_best", "", "", "best"]
    assert marks(1.0, None) == ["", ""]
    assert marks(1.0, 2.0, better=None) == ["", ""]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Cell(-0.001, signed=True), "+0.00"),
        (Cell(-0.5), "−0.50"),
        (Cell(2), "2.00"),
        (Cell(math.inf), "nan"),
        (Cell(None), "–"),
        (Cell(""), "–"),
        (Cell("a-b"), "a-b"),
    ],
)
def test_text_of_cells(cell, text):
    assert cell.text == text


@pytest.mark.parametrize("turned", [False, True])
def test_numbers_stay_whole_in_a_narrow_terminal(turned):
    console = Console(width=60, record=True, file=open("/dev/null", "w"))
    wide = ResultTable("", COLUMNS, ((row("some/[red]long/path/of/weights", 60.25, 0.125, -1.5),),))
    console.print(wide.to_rich(turned=turned))
    text = console.export_text()
    assert all(number in text for number in ("60.25", "0.1250", "−1.50", "[red]"))
    assert max(map(len, text.splitlines())) <= 60


def test_files_by_suffix(tmp_path):
    for suffix, text in ((".md", TABLE.to_markdown()), (".tex", TABLE.to_latex())):
        path = tmp_path / f"new/table{suffix}"
        write_tables(path, [TABLE, TABLE])
        assert path.read_text() == f"{text}\n{text}"
    write_tables(tmp_path / "table.JSON", [TABLE])
    assert json.loads((tmp_path / "table.JSON").read_text()) == {"tables": [TABLE.to_dict()]}
    with pytest.raises(ValueError, match=r"table.csv: no format of tables ends so: give a file that ends in .md, .tex"):
        write_tables(tmp_path / "table.csv", [TABLE])
