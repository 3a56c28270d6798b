"""The commands by name, and what kinds of options they have."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pamm.cli.boundary_commands import boundary_score_command
from pamm.cli.commands import convert_command, demo_command, eval_command, predict_command, train_command
from pamm.cli.compare_command import compare_command
from pamm.cli.data_commands import check_command, fetch_command, pack_command
from pamm.cli.info_command import info_command
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
