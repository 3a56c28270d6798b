"""What users type, spelt out as the parser wants it."""

import json
from collections.abc import Sequence
from itertools import pairwise

import yaml
from jsonargparse import get_loader

from pamm.cli.registry import SEVERAL, Options
from pamm.engine.plain import read_plain


def spell_out(args: Sequence[str], options: Options) -> list[str]:
    """Let ``-o`` stand for ``--out``, ``--data scenes`` for ``--data.name scenes`` and ``--scan`` for ``--scan=true``.

    Anything that is not the name of a data set after ``--data`` is a YAML file, as after all ``options.records``.
    Names of options may have hyphens in place of underscores.
    Options of ``options.paths`` and ``options.words`` gather theirs into one list. Mappings are given as files are, so
    that :class:`pamm.cli.LayOver` joins them.

    Args:
        args: the arguments, the command's name first.
        options: the kinds of the command's options.
    """
    sets = _dataset_names() if options.records else frozenset()
    args = _join_mappings(_join_lists([_underscored(arg) for arg in args], options), options, sets)
    spelt = ["--out" if arg == "-o" else arg for arg in args]
    for place, (option, value) in enumerate(pairwise([*args, ""])):
        if option in options.flags and value.lower() not in ("true", "false"):
            spelt[place] = f"{option}=true"
    for place, (option, value) in enumerate(pairwise(args)):
        if option in ("--data", "--val") and value in sets:
            spelt[place] = f"{option}.name"
    for place, (option, equals, value) in enumerate(arg.partition("=") for arg in args):
        if option in ("--data", "--val") and value in sets:
            spelt[place] = f"{option}.name{equals}{value}"
    return spelt


def _underscored(arg: str) -> str:
    """``--batch_size=8`` for ``--batch-size=8``."""
    if not arg.startswith("--"):
        return arg
    option, equals, value = arg.removeprefix("--").partition("=")
    return f"--{option.replace('-', '_')}{equals}{value}"


def _dataset_names() -> frozenset[str]:
    # the data sets take a second to import, and few commands know them
    from pamm.engine.datasets import DATASETS

    return frozenset(DATASETS)


def _join_mappings(args: Sequence[str], options: Options, sets: frozenset[str]) -> list[str]:
    """Let ``--model.overrides '{scan: false}'`` stand for a ``--config`` that says so and nothing else.

    The files of ``options.records`` are read here, since the parser would take their names for those of classes.
    """
    spelt: list[str] = []
    words = iter(pairwise([*args, ""]))
    for arg, following in words:
        option, equals, value = arg.partition("=")
        text = value if equals else following
        if option in options.records and text not in sets and text.lstrip()[:1] not in ("", "-", "{"):
            text = json.dumps(read_plain(text))
        if not option.startswith("--") or option == "--config" or not _is_mapping(text):
            spelt.append(arg)
            continue
        for key in reversed(option.removeprefix("--").split(".")):
            text = f"{{{json.dumps(key)}: {text}\n}}"
        spelt += ["--config", text]
        if not equals:
            next(words)
    return spelt


def _is_whole_list(text: str) -> bool:
    """Whether a text holds a list in square brackets, or "null"."""
    return text == "null" or (text.startswith("[") and text.endswith("]"))


def _is_mapping(text: str) -> bool:
    """Whether a text holds a mapping in curly brackets."""
    try:
        return text.lstrip().startswith("{") and isinstance(get_loader("yaml")(text), dict)
    except yaml.YAMLError:
        return False


def _join_lists(args: Sequence[str], options: Options) -> list[str]:
    """Let ``--table a.md --table b.tex`` and ``--tasks depth edge`` stand for lists of two.

    What is a YAML list of words, or none of them, such as ``[depth, edge]`` and ``null``, is left as it is.
    """
    spelt: list[str] = []
    option, wanted = "", 0
    for arg, following in pairwise([*args, ""]):
        name, equals, value = arg.partition("=")
        if name in options.words and _is_whole_list(value if equals else following):
            spelt.append(arg)
            wanted = 0
        elif name in options.paths | options.words:
            if f"{name}=[]" not in spelt:
                spelt.append(f"{name}=[]")
            option, wanted = name, len(args) if name in options.words.union(SEVERAL) else 1
            if equals:
                spelt.append(f"{name}+={value}")
                wanted -= 1
        elif wanted and not arg.startswith("-"):
            spelt.append(f"{option}+={arg}")
            wanted -= 1
        else:
            spelt.append(arg)
            wanted = 0
    return spelt
