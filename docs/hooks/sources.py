"""Code and records of the package, read from its source."""

import ast
import pkgutil
import re
import textwrap
import typing
from pathlib import Path

from options import HEADING, cell, words

SOURCE = Path(__file__).resolve().parents[2] / "src"
Definition = ast.FunctionDef | ast.ClassDef


def find(name: str) -> tuple[Path, Definition]:
    """The file and the definition of a function, method or class.

    Args:
        name: its full name, such as ``pamm.models.stage.Stage.forward``.

    Raises:
        ValueError: if there is none.
    """
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        file = SOURCE.joinpath(*parts[:count]).with_suffix(".py")
        if file.is_file():
            node: ast.AST = ast.parse(file.read_text())
            for part in parts[count:]:
                inside = ast.iter_child_nodes(node)
                node = next((one for one in inside if isinstance(one, Definition) and one.name == part), ast.Pass())
            if isinstance(node, Definition):
                return file, node
    raise ValueError(f"there is no {name} in src/")


def source(name: str) -> str:
    """The code of a function or method without its docstring."""
    file, node = find(name)
    lines = file.read_text().splitlines()
    kept = lines[node.lineno - 1 : node.end_lineno]
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del kept[first.lineno - node.lineno : (first.end_lineno or first.lineno) - node.lineno + 1]
    code = textwrap.dedent("\n".join(kept)).strip()
    place = file.relative_to(SOURCE.parent)
    return f'``` {{.python title="{place}: {name.removeprefix(module_of(file) + ".")}"}}\n{code}\n```'


def module_of(file: Path) -> str:
    """Dotted name of a module."""
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts)


def record(name: str) -> str:
    """A table of the fields of a dataclass: name, type, default, and the sentence under it."""
    file, node = find(name)
    hints = typing.get_type_hints(pkgutil.resolve_name(f"{module_of(file)}:{node.name}"))
    lines = list(HEADING)
    for field, note in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant):
            key = ast.unparse(field.target)
            lines.append(f"| `{key}` | {words(hints[key])} | {default(field.value)} | {tidy(note.value.value)} |")
    return "\n".join(lines)


def tidy(docstring: object) -> str:
    """A docstring as a cell of a table, with the markup of Markdown."""
    return cell(re.sub(r":\w+:`~?([^`]+)`", r"`\1`", str(docstring)).replace("``", "`"))


def default(value: ast.expr | None) -> str:
    """The default of a field as code; nothing for none."""
    if value is None:
        return "required"
    text = ast.unparse(value)
    empty = {"None", "''", "()", "field(default_factory=dict)"}
    return "" if text in empty else f"`{text}`"
