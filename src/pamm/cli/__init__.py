"""The command line: arguments to commands."""

import inspect
import sys
from collections.abc import Callable, Sequence
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
from pamm.cli.console import USAGE_ERROR, errors
from pamm.cli.registry import ARGUMENTS, COMMANDS, GROUPS, POSITIONAL
from pamm.cli.spelling import spell_out
from pamm.engine.data_config import MixedSet
from pamm.engine.memory import keep_memory
from pamm.engine.recipes import lay_over

INTERRUPTED = 130
"""Exit code where the user stopped a command."""


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


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: the arguments; those of the process if left out.

    Returns:
        The exit code: 0, 2 if the user has something to mend, 130 if interrupted.
    """
    parser = build_parser()
    try:
        settings = parser.instantiate(parser.parse_args(spell_out(sys.argv[1:] if args is None else args)))
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
