"""The options of the commands, from the parser that reads them."""

import argparse
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Union

from pamm.cli import build_parser
from pamm.cli.registry import COMMANDS, GROUPS

Action = argparse.Action
RECIPE = "train"
"""The command whose options are the keys of a recipe, which have a page of their own."""
COMMON = ("help", "config", "print_config")
"""What all commands have."""
HEADING = ("| name | kind | default | meaning |", "| --- | --- | --- | --- |")
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", Any: "any"}


def commands() -> str:
    """A section for each command: usage, what is given without an option, and a table of options."""
    text = []
    for title, command in COMMANDS.items():
        group = title.rpartition(" ")[0]
        if group and f"## pamm {group}" not in text:
            text += [f"## pamm {group}", GROUPS[group]]
        parser = parser_of(title)
        text += [f"{'###' if group else '##'} pamm {title}", command.summary, f"```text\n{usage(title, parser)}\n```"]
        text += [table(places) for places in [positional(parser)] if places]
        if title == RECIPE:
            text.append("Its options are the keys of a recipe: [settings](settings.md).")
            continue
        for heading, rows in option_groups(parser):
            nested = any("." in row.dest for row in rows)
            body = table(rows)
            text.append(folded(f"`--{rows[0].dest.split('.')[0]}. …` {heading}", body) if nested else body)
    return "\n\n".join(text)


def settings() -> str:
    """A section for each record of `pamm train`, with a table of its keys."""
    text = []
    for heading, rows in option_groups(parser_of(RECIPE)):
        section = rows[0].dest.split(".")[0] if any("." in row.dest for row in rows) else "What is learnt"
        text += [f"## {section}", *([f"{heading[0].upper()}{heading[1:]}."] if "." in rows[0].dest else [])]
        text.append(table(rows, keys=True))
    return "\n\n".join(text)


def parser_of(title: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    parser: Any = build_parser([title])
    for word in title.split():
        (commands,) = (action for action in parser._actions if isinstance(action.choices, dict))
        parser = commands.choices[word]
    found: argparse.ArgumentParser = parser
    return found


def positional(parser: argparse.ArgumentParser) -> list[Action]:
    """What is given without an option."""
    return [action for action in parser._actions if not action.option_strings]


def option_groups(parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[Action]]]:
    """The options by the group that help shows them in."""
    for group in parser._action_groups:
        # an option that only shows help, or stands for a file of a whole group, has no default of its own
        rows = [
            action
            for action in group._group_actions
            if action.option_strings and action.dest not in COMMON and action.default is not argparse.SUPPRESS
        ]
        if rows:
            yield str(group.title), rows


def usage(title: str, parser: argparse.ArgumentParser) -> str:
    """The command in one line, with what must be given."""
    places = [
        {"+": f"{name} …", "*": f"[{name} …]"}.get(str(action.nargs), name)
        for action in positional(parser)
        for name in [action.dest.upper()]
    ]
    needed = [
        f"{action.option_strings[0]} {action.dest.upper()}"
        for _, rows in option_groups(parser)
        for action in rows
        if action.required
    ]
    return " ".join(["pamm", title, *places, *needed, "[options]"])


def table(rows: Iterable[Action], *, keys: bool = False) -> str:
    """What can be given, of what kind, the default, and what it means."""
    lines = list(HEADING)
    for row in rows:
        name = row.dest if keys else (row.option_strings or [row.dest.upper()])[0]
        kind = getattr(row, "_typehint", None) or row.type
        several = " (several)" if row.nargs in ("+", "*") else ""
        default = "required" if row.required else shown(row.default)
        lines.append(f"| `{name}` | {words(kind)}{several} | {default} | {cell(str(row.help or ''))} |")
    return "\n".join(lines)


def folded(title: str, body: str) -> str:
    """A block that opens when its title is clicked."""
    inside = "\n".join(f"    {line}" if line else line for line in body.splitlines())
    return f'??? abstract "{title}"\n\n{inside}'


def cell(text: str) -> str:
    """Text as a cell of a table, a sentence."""
    text = " ".join(text.split()).replace("|", "\\|")
    return text[:1].upper() + text[1:]


def shown(value: object) -> str:
    """A default as one would write it in YAML; nothing for none."""
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def words(hint: Any) -> str:  # noqa: ANN401  (a type hint)
    """A type in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(words(kind) for kind in arguments if kind is not types.NoneType)
    if origin is Literal:
        return ", ".join(f"`{value!s}`" for value in arguments)
    if origin is list:
        return f"{words(arguments[0])} (several)"
    if origin is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)}: "
        return f"list of {count}{words(arguments[0])}"
    if origin is dict:
        return f"mapping to {words(arguments[1])}"
    return WORDS.get(hint, getattr(hint, "__name__", str(hint)))
