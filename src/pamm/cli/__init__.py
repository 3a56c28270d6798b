"""The command line: arguments to commands."""

import inspect
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentError,
    ArgumentParser,
    get_loader,
    set_parsing_settings,
)
from rich.markup import escape

from pamm import __version__
from pamm.cli.boundary_commands import boundary_score_command
from pamm.cli.commands import (
    USAGE_ERROR,
    convert_command,
    demo_command,
    errors,
    eval_command,
    predict_command,
    train_command,
)
from pamm.cli.compare_command import compare_command
from pamm.cli.data_commands import check_command, fetch_command, pack_command
from pamm.cli.info_command import info_command
from pamm.engine.data_config import MixedSet
from pamm.engine.datasets import DATASETS
from pamm.engine.memory import keep_memory
from pamm.engine.recipes import lay_over, read_plain
from pamm.engine.train import train

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
ARGUMENTS = {
    "images": ("+", "photos, in any format that Pillow reads"),
    "runs": ("+", "files of scores, as `pamm eval --json` writes them; the others are held against the first"),
    "folder": (
        None,
        "folder of NYUD-v2, PASCAL-Context or shards, the manifest of a folder of your own, or the YAML file of a mix, "
        "as `pamm eval --data` takes it",
    ),
    "name": (None, "`nyud` or `pascal_context`"),
    "recipes": (
        "*",
        "YAML files of `pamm train`: one, to show its network by parts; several, for a table of the first, alone and "
        "with each of the others laid over it",
    ),
    "source": (None, "checkpoint of the released code; or weights, by shipped name or folder, to make a checkpoint of"),
    "predictions": (None, "folder of grey pictures, the probability of a boundary"),
    "truth": (None, "folder of true boundaries"),
}
"""What is given without an option: how many, of paths or of text, and help."""
INTERRUPTED = 130


COMMANDS: dict[str, tuple[Callable[..., int], Callable[..., Any]]] = {
    "demo": (demo_command, demo_command),
    "predict": (predict_command, predict_command),
    "eval": (eval_command, eval_command),
    "compare": (compare_command, compare_command),
    "train": (train_command, train),
    "info": (info_command, info_command),
    "convert": (convert_command, convert_command),
    "boundary score": (boundary_score_command, boundary_score_command),
    "data check": (check_command, check_command),
    "data fetch": (fetch_command, fetch_command),
    "data pack": (pack_command, pack_command),
}
"""Function to call and function whose parameters are the options, by command; the first of two words is a group."""
GROUPS: dict[str, str] = {"boundary": "Scores of boundary maps.", "data": "Data sets on this disk."}
"""What the commands of each group are about."""


def _options(wanted: Callable[[inspect.Parameter], bool]) -> set[str]:
    """The options of all commands that stand for certain parameters."""
    return {
        f"--{name}"
        for _, signature in COMMANDS.values()
        for name, parameter in inspect.signature(signature).parameters.items()
        if parameter.kind not in POSITIONAL and wanted(parameter)
    }


FLAGS = _options(lambda parameter: isinstance(parameter.default, bool))
"""Options that alone mean yes."""
PATHS = _options(lambda parameter: parameter.annotation in (list[Path], list[Path] | None))
"""Options that take a list of files: one, and can be given several times."""
WORDS = _options(lambda parameter: parameter.annotation in (list[str], list[str] | None))
"""Options that take a list of words."""
RECORDS = _options(lambda parameter: is_dataclass(parameter.annotation))
"""Options that stand for several settings, which a YAML file can hold."""
SEVERAL = {"--baselines", *WORDS}
"""Those of paths and words that take all up to the next option; it would not do for files that are written."""


class LayOver(ActionConfigFile):
    """Reads a file of options, and joins its mappings, such as ``model.overrides``, with those given before."""

    def __call__(self, *call: Any, **options: Any) -> None:
        """Add what the file says to the settings, the second argument."""
        _, settings, *_ = call
        before = settings.clone()
        super().__call__(*call, **options)  # type: ignore[no-untyped-call]
        for name, value in list(settings.items()):
            old = before.get(name)
            if isinstance(value, dict) and isinstance(old, dict):
                settings[name] = lay_over(old, value)


def build_parser() -> ArgumentParser:
    """The parser of all commands, with help from the docstrings."""
    set_parsing_settings(
        docstring_parse_attribute_docstrings=True,
        # a config may come from anyone: it names no classes, so none that it names is imported or built; records inside
        # a mapping are the exception, which the parser takes for classes by name
        import_path_denylist=["*"],
        import_path_allowlist=[f"{MixedSet.__module__}.{MixedSet.__qualname__}"],
        instantiate_subclass_spec_in_any=False,
    )
    parser = ArgumentParser(
        prog="pamm", description="Six dense maps from one photo.", version=__version__, exit_on_error=False
    )
    commands = parser.add_subcommands(
        metavar="COMMAND", title="commands", description="`pamm COMMAND --help` says more."
    )
    groups: dict[str, Any] = {"": commands}
    for title, (_, signature) in COMMANDS.items():
        group, _, name = title.rpartition(" ")
        if group not in groups:
            parent = ArgumentParser(description=GROUPS[group], exit_on_error=False)
            commands.add_subcommand(group, parent, help=GROUPS[group])
            groups[group] = parent.add_subcommands(metavar="COMMAND", title="commands")
        summary = (signature.__doc__ or "").partition("\n")[0]
        groups[group].add_subcommand(name, _command_parser(signature, summary), help=summary)
    return parser


def _command_parser(signature: Callable[..., Any], summary: str) -> ArgumentParser:
    """The parser of one command, from the parameters of a function and its docstring."""
    command = ArgumentParser(description=summary, exit_on_error=False)
    command.add_argument(
        "--config",
        action=LayOver,
        help="YAML file of options; options after it win, and the keys of mappings and of another file are added.",
    )
    positional: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in inspect.signature(signature).parameters.items()
        if parameter.kind in POSITIONAL
    }
    for name, kind in positional.items():
        nargs, help_ = ARGUMENTS[name]
        command.add_argument(name, nargs=nargs, type=str if kind is str else Path, help=help_)
    command.add_function_arguments(signature, skip=set(positional), fail_untyped=True)
    return command


def _spell_out(args: Sequence[str]) -> list[str]:
    """Let ``-o`` stand for ``--out``, ``--data scenes`` for ``--data.name scenes`` and ``--scan`` for ``--scan=true``.

    Anything that is not the name of a data set after ``--data`` is a YAML file, as after all :data:`RECORDS`. Options
    of :data:`PATHS` and :data:`WORDS` gather theirs into one list. Mappings are given as files are, so that
    :class:`LayOver` joins them.
    """
    args = _join_mappings(_join_lists(args))
    spelt = ["--out" if arg == "-o" else arg for arg in args]
    for place, (option, value) in enumerate(pairwise([*args, ""])):
        if option in FLAGS and value.lower() not in ("true", "false"):
            spelt[place] = f"{option}=true"
    for place, (option, value) in enumerate(pairwise(args)):
        if option in ("--data", "--val") and value in DATASETS:
            spelt[place] = f"{option}.name"
    for place, (option, equals, value) in enumerate(arg.partition("=") for arg in args):
        if option in ("--data", "--val") and value in DATASETS:
            spelt[place] = f"{option}.name{equals}{value}"
    return spelt


def _join_mappings(args: Sequence[str]) -> list[str]:
    """Let ``--model.overrides '{scan: false}'`` stand for a ``--config`` that says so and nothing else.

    The files of :data:`RECORDS` are read here, since the parser would take their names for those of classes.
    """
    spelt: list[str] = []
    words = iter(pairwise([*args, ""]))
    for arg, following in words:
        option, equals, value = arg.partition("=")
        text = value if equals else following
        if option in RECORDS and text not in DATASETS and text.lstrip()[:1] not in ("", "-", "{"):
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


def _join_lists(args: Sequence[str]) -> list[str]:
    """Let ``--table a.md --table b.tex`` and ``--tasks depth edge`` stand for lists of two.

    What is a YAML list of words, or none of them, such as ``[depth, edge]`` and ``null``, is left as it is.
    """
    spelt: list[str] = []
    option, wanted = "", 0
    for arg, following in pairwise([*args, ""]):
        name, equals, value = arg.partition("=")
        if name in WORDS and _is_whole_list(value if equals else following):
            spelt.append(arg)
            wanted = 0
        elif name in PATHS | WORDS:
            if f"{name}=[]" not in spelt:
                spelt.append(f"{name}=[]")
            option, wanted = name, len(args) if name in SEVERAL else 1
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


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: the arguments; those of the process if left out.

    Returns:
        The exit code: 0, 2 if the user has something to mend, 130 if interrupted.
    """
    parser = build_parser()
    try:
        settings = parser.instantiate(parser.parse_args(_spell_out(sys.argv[1:] if args is None else args)))
        title, chosen = settings.subcommand, settings[settings.subcommand]
        if title in GROUPS:
            title, chosen = f"{title} {chosen.subcommand}", chosen[chosen.subcommand]
        run, _ = COMMANDS[title]
        keep_memory()
        options = chosen.as_dict()
        options.pop("config", None)
        return run(**options)
    except ArgumentError as error:
        errors.print(f"[red]error:[/red] {escape(_one_line(error))}: see `pamm --help`, `pamm COMMAND --help`")
        return USAGE_ERROR
    except (ValueError, OSError, ModuleNotFoundError) as error:
        errors.print(f"[red]error:[/red] {escape(_one_line(error))}")
        return USAGE_ERROR
    except KeyboardInterrupt:
        errors.print("interrupted")
        return INTERRUPTED


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
