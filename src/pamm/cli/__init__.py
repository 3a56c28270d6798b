"""The command line: arguments to commands."""

import inspect
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentError,
    ArgumentParser,
    set_parsing_settings,
)
from rich.markup import escape

from pamm import __version__
from pamm.cli.console import INTERRUPTED, USAGE_ERROR, errors
from pamm.cli.registry import ARGUMENTS, COMMANDS, GROUPS, POSITIONAL, Options, wanted_command
from pamm.cli.spelling import spell_out
from pamm.engine.memory import keep_memory
from pamm.engine.plain import lay_over


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


def build_parser(wanted: Collection[str] = tuple(COMMANDS)) -> ArgumentParser:
    """The parser, with help from the docstrings.

    Args:
        wanted: the commands whose options it knows; those of the others need not be imported.
    """
    parser = ArgumentParser(
        prog="pamm", description="Six dense maps from one photo.", version=__version__, exit_on_error=False
    )
    commands = parser.add_subcommands(
        metavar="COMMAND", title="commands", description="`pamm COMMAND --help` says more."
    )
    groups: dict[str, Any] = {"": commands}
    for title, command in COMMANDS.items():
        group, _, name = title.rpartition(" ")
        if group not in groups:
            parent = ArgumentParser(description=GROUPS[group], exit_on_error=False)
            commands.add_subcommand(group, parent, help=GROUPS[group])
            groups[group] = parent.add_subcommands(metavar="COMMAND", title="commands")
        options = ArgumentParser(description=command.summary, exit_on_error=False)
        if title in wanted:
            _add_options(options, command.signature)
        groups[group].add_subcommand(name, options, help=command.summary)
    return parser


def _add_options(parser: ArgumentParser, signature: Callable[..., Any]) -> None:
    """Let a parser know the parameters of a function, with help from its docstring."""
    # a config may hold these records in a mapping, which the parser takes for classes by name
    from pamm.engine.data_config import MixedSet

    set_parsing_settings(
        docstring_parse_attribute_docstrings=True,
        # a config may come from anyone: it names no other classes, so none that it names is imported or built
        import_path_denylist=["*"],
        import_path_allowlist=[f"{MixedSet.__module__}.{MixedSet.__qualname__}"],
        instantiate_subclass_spec_in_any=False,
    )
    parser.add_argument(
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
        parser.add_argument(name, nargs=nargs, type=str if kind is str else Path, help=help_)
    parser.add_function_arguments(signature, skip=set(positional), fail_untyped=True)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: the arguments; those of the process if left out.

    Returns:
        The exit code: 0, 2 if the user has something to mend, 130 if interrupted.
    """
    args = sys.argv[1:] if args is None else args
    title = wanted_command(args)
    try:
        parser = build_parser([title])
        known = COMMANDS[title].options() if title else Options()
        chosen = parser.instantiate(parser.parse_args(spell_out(args, known)))
        for word in title.split():
            chosen = chosen[word]
        keep_memory()
        options = chosen.as_dict()
        options.pop("config", None)
        return COMMANDS[title].run(**options)
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
