"""The command line: each command parses its arguments and calls the Python API."""

import inspect
import json as json_format
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pamm import __version__
from pamm.data.files import atomic_write
from pamm.engine.config import DataConfig
from pamm.engine.convert import convert
from pamm.engine.datasets import DATASETS, open_dataset
from pamm.engine.demo import demo
from pamm.engine.evaluate import evaluate
from pamm.engine.predictor import load, predict_files
from pamm.engine.train import train
from pamm.models import PRESETS, create_model
from pamm.models.info import count_macs, count_parameters
from pamm.ops.backends import ENVIRONMENT, scan_backends_here

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
ARGUMENTS = {
    "images": ("+", "photos, in any format that Pillow reads"),
    "source": (None, "checkpoint of the released code; or weights, by shipped name or folder, to make a checkpoint of"),
}
"""What is given without an option: how many paths, and help."""
USAGE_ERROR = 2
INTERRUPTED = 130

console = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=True
    )


def _is_first() -> bool:
    """Whether this is the first of the processes that train together, the one that speaks."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def train_command(**settings: Any) -> int:
    """Train a network and say where its weights are."""
    best = train(**settings)
    if _is_first():
        console.print(f"Best weights: {best}", soft_wrap=True)
    return 0


def eval_command(
    *,
    weights: str = "pamm-tiny-scenes",
    data: DataConfig = DataConfig(),
    json: Path | None = None,
    batch_size: int = 8,
    workers: int = 1,
    device: str = "auto",
) -> int:
    """Score weights on a labelled data set, beside the best constant prediction.

    Args:
        weights: a shipped name, a folder of weights, or a hub name.
        data: images to score on.
        json: file to write the scores to.
        batch_size: images at a time.
        workers: processes that read images; 0 reads in the main process.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    predictor = load(weights, device=device)
    dataset = open_dataset(data, canvas=predictor.model.config.image_size)
    with _progress_bar() as bar:
        row = bar.add_task("evaluating", total=len(dataset))
        result = evaluate(
            predictor.model,
            dataset,
            canvas=(data.height, data.width) if data.height and data.width else None,
            batch_size=batch_size,
            workers=workers,
            progress=lambda done, total: bar.update(row, completed=done, total=total),
        )
    console.print(result.table())
    if json is not None:
        with atomic_write(json) as path:
            path.write_text(json_format.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    return _report(result.failed.values())


def predict_command(
    images: list[Path],
    *,
    out: Path = Path("predictions"),
    weights: str = "pamm-tiny-scenes",
    native: bool = False,
    device: str = "auto",
) -> int:
    """Predict the maps of photos: pictures a person can read, raw values, and one overview for each photo.

    Args:
        images: photos, in any format that Pillow reads.
        out: folder to write to (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        native: predict at the photo's own size instead of the size the weights were trained at.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    predictor = load(weights, device=device, resize=not native)
    with _progress_bar() as bar:
        row = bar.add_task("predicting", total=len(images))
        result = predict_files(predictor, images, out, progress=lambda done, total: bar.update(row, completed=done))
    for folder in result.done:
        console.print(f"{folder}", soft_wrap=True)
    return _report(result.failed.values())


def _report(failed: Iterable[str]) -> int:
    """Say what went wrong with some of the images, and give the exit code."""
    code = 0
    for message in failed:
        errors.print(f"[red]error:[/red] {escape(message)}")
        code = USAGE_ERROR
    return code


def info_command(
    *,
    preset: str = "pamm_tiny",
    overrides: dict[str, Any] | None = None,
    tasks: list[str] | None = None,
    scan: bool = False,
) -> int:
    """Show a preset's parameters by part and its multiply-adds.

    Args:
        preset: name of a preset.
        overrides: fields of the preset to change, for example `{scan_kind: z}`.
        tasks: names of the tasks; all six if left out.
        scan: show the ways to compute the scan instead, and why one cannot serve on this machine.
    """
    if scan:
        table = Table("backend", "what it is", "here", title="the selective scan on this machine's CPU")
        for name, (summary, refusal) in scan_backends_here().items():
            table.add_row(name, summary, refusal or "serves")
        console.print(table)
        console.print(f"The first that serves is used; {ENVIRONMENT} names another.", highlight=False)
        return 0
    with torch.device("meta"):  # counting needs no numbers, and large presets have many
        model = create_model(preset, tasks=tasks, **(overrides or {}))
    height, width = model.config.image_size
    table = Table(title=f"{preset}: {', '.join(task.name for task in model.config.tasks)}")
    table.add_column("part")
    table.add_column("parameters", justify="right")
    parts = count_parameters(model)
    for part, count in parts.items():
        table.add_row(part, f"{count:,}")
    table.add_section()
    table.add_row("all", f"{sum(parts.values()):,}")
    table.add_row(f"multiply-adds at {height}×{width}", f"{count_macs(model, height, width):,}")
    console.print(table)
    console.print(f"presets: {', '.join(PRESETS)}")
    return 0


def convert_command(source: Path, *, out: Path, overrides: dict[str, Any] | None = None) -> int:
    """Turn a checkpoint of the authors' released code into weights for this package, or weights into a checkpoint.

    Args:
        source: checkpoint of the released code; or a folder of weights, to make a checkpoint of.
        out: folder to write the weights to, or the checkpoint (`-o` for short).
        overrides: what tensors do not tell, for example `{encoder_heads: 12, image_size: [448, 576]}`.
    """
    done = convert(source, out, **(overrides or {}))
    for note in done.notes:
        console.print(note, highlight=False, soft_wrap=True)
    console.print(f"{done.tensors} tensors: {done.out}", soft_wrap=True)
    return 0


def demo_command(
    *,
    out: Path = Path("runs/demo"),
    weights: str = "pamm-tiny-scenes",
    scenes: int = 100,
    device: str = "auto",
) -> int:
    """Score weights on scenes they never saw, predict two photos, and draw a page of it all.

    Args:
        out: folder of the page (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        scenes: how many held-out scenes to score.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    page = demo(out=out, weights=weights, scenes=scenes, device=device, console=console)
    console.print(f"Open {page}", soft_wrap=True)
    return 0


COMMANDS: dict[str, tuple[Callable[..., int], Callable[..., Any]]] = {
    "demo": (demo_command, demo_command),
    "predict": (predict_command, predict_command),
    "eval": (eval_command, eval_command),
    "train": (train_command, train),
    "info": (info_command, info_command),
    "convert": (convert_command, convert_command),
}
"""Function to call and function whose parameters are the options, by command."""
FLAGS = {
    f"--{name}"
    for _, signature in COMMANDS.values()
    for name, parameter in inspect.signature(signature).parameters.items()
    if isinstance(parameter.default, bool)
}
"""Options that alone mean yes."""


def build_parser() -> ArgumentParser:
    """The parser of all commands, with help from the docstrings."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog="pamm", description="Six dense maps from one photo.", version=__version__, exit_on_error=False
    )
    commands = parser.add_subcommands(
        metavar="COMMAND", title="commands", description="`pamm COMMAND --help` says more."
    )
    for title, (_, signature) in COMMANDS.items():
        summary = (signature.__doc__ or "").partition("\n")[0]
        command = ArgumentParser(description=summary, exit_on_error=False)
        command.add_argument("--config", action="config", help="YAML file of options; options after it win.")
        positional: set[str | int] = {
            name for name, parameter in inspect.signature(signature).parameters.items() if parameter.kind in POSITIONAL
        }
        for name in positional:
            nargs, help_ = ARGUMENTS[str(name)]
            command.add_argument(str(name), nargs=nargs, type=Path, help=help_)
        command.add_function_arguments(signature, skip=positional, fail_untyped=True)
        commands.add_subcommand(title, command, help=summary)
    return parser


def _spell_out(args: Sequence[str]) -> list[str]:
    """Let ``-o`` stand for ``--out``, ``--data scenes`` for ``--data.name scenes`` and ``--scan`` for ``--scan=true``.

    Anything that is not the name of a data set after ``--data`` is a YAML file.
    """
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
        run, _ = COMMANDS[settings.subcommand]
        options = settings[settings.subcommand].as_dict()
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
