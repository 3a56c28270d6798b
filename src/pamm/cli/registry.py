"""The commands by name, where they lie, and what kinds of options they have.

A command is imported when it is wanted, so that ``pamm --help`` need not wait for the libraries of all.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
SEVERAL = ("--baselines",)
"""Lists of files that take all up to the next option; it would not do for files that are written."""
ARGUMENTS = {
    "images": (
        "+",
        "photos, in any format that Pillow reads, videos, folders of them, and patterns in quotes, such as "
        "'holiday/**/*.jpg'",
    ),
    "photos": ("*", "photos, in any format that Pillow reads; none for images of a data set"),
    "logs": ("+", "folders of runs, or the CSV logs in them"),
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
    "maps": (
        None,
        "folder of the predictions: a folder for each photo with `values.npz` in it, as `pamm predict` writes them, or "
        "a folder for each task with a map for each photo",
    ),
    "predictions": (None, "folder of grey pictures, the probability of a boundary"),
    "truth": (None, "folder of true boundaries"),
}
"""What is given without an option: how many, of paths or of text, and help."""


@dataclass(frozen=True)
class Options:
    """The options of one command that stand for more than a word."""

    flags: frozenset[str] = field(default_factory=frozenset)
    """Options that alone mean yes."""
    paths: frozenset[str] = field(default_factory=frozenset)
    """Options that take a list of files: one, and can be given several times."""
    words: frozenset[str] = field(default_factory=frozenset)
    """Options that take a list of words, all up to the next option."""
    records: frozenset[str] = field(default_factory=frozenset)
    """Options that stand for several settings, which a YAML file can hold."""


@dataclass(frozen=True)
class Command:
    """A command, and where it lies."""

    summary: str
    """What it does, in a sentence."""
    home: str
    """The function to call, ``module:name``; it returns the exit code."""
    settings: str = ""
    """The function whose parameters are the options, if it is another one."""

    @property
    def run(self) -> Callable[..., int]:
        """The function to call."""
        found: Callable[..., int] = resolve_name(self.home)
        return found

    @property
    def signature(self) -> Callable[..., Any]:
        """The function whose parameters are the options, with what they mean in its docstring."""
        found: Callable[..., Any] = resolve_name(self.settings or self.home)
        return found

    def options(self) -> Options:
        """The options that are more than a word, by kind."""
        return Options(
            flags=self._named(lambda parameter: isinstance(parameter.default, bool)),
            paths=self._named(lambda parameter: parameter.annotation in (list[Path], list[Path] | None)),
            words=self._named(lambda parameter: parameter.annotation in (list[str], list[str] | None)),
            records=self._named(lambda parameter: is_dataclass(parameter.annotation)),
        )

    def _named(self, wanted: Callable[[inspect.Parameter], bool]) -> frozenset[str]:
        return frozenset(
            f"--{name}"
            for name, parameter in inspect.signature(self.signature).parameters.items()
            if parameter.kind not in POSITIONAL and wanted(parameter)
        )


COMMANDS: dict[str, Command] = {
    "demo": Command(
        "Score weights on scenes they never saw, predict two photos, and draw a page of it all.",
        "pamm.cli.commands:demo_command",
    ),
    "predict": Command(
        "Predict the maps of photos, folders of photos and videos: pictures a person can read, and raw values.",
        "pamm.cli.predict_command:predict_command",
    ),
    "eval": Command(
        "Score weights on a labelled data set, beside the best constant prediction and published results.",
        "pamm.cli.commands:eval_command",
    ),
    "score": Command(
        "Score the maps that any network left in files, beside the best constant prediction and published results.",
        "pamm.cli.score_command:score_command",
    ),
    "compare": Command(
        "Set scored networks side by side, with the mean gain over the first or over single-task networks.",
        "pamm.cli.compare_command:compare_command",
    ),
    "train": Command(
        "Train a network and write its weights, checkpoints, logs and pictures to a folder.",
        "pamm.cli.commands:train_command",
        "pamm.engine.train:train",
    ),
    "info": Command(
        "Show the parameters and multiply-adds of recipes or of a preset.", "pamm.cli.info_command:info_command"
    ),
    "convert": Command(
        "Turn a checkpoint of the authors' released code into weights for this package, or weights into a checkpoint.",
        "pamm.cli.commands:convert_command",
    ),
    "serve": Command(
        "Serve a page where visitors drop a photo, look at its maps, and take them away.",
        "pamm.cli.serve_command:serve_command",
    ),
    "export": Command(
        "Write a network to a file that runs without this package, once its numbers are compared.",
        "pamm.cli.export_command:export_command",
    ),
    "boundary score": Command(
        "Score a folder of boundary maps against a folder of true ones: odsF, oisF and AP.",
        "pamm.cli.boundary_commands:boundary_score_command",
    ),
    "data check": Command(
        "Read a whole data set: which it is, what is missing or corrupt, ranges of its labels, and a contact sheet.",
        "pamm.cli.data_commands:check_command",
    ),
    "data fetch": Command(
        "Download and unpack NYUD-v2 (`nyud`) or PASCAL-Context (`pascal_context`), or take them from an archive.",
        "pamm.cli.data_commands:fetch_command",
    ),
    "data pack": Command(
        "Write a data set as Parquet shards, for `--data shards`; called again, it goes on where it stopped.",
        "pamm.cli.data_commands:pack_command",
    ),
    "draw panels": Command(
        "Draw images, their truth, and the maps that one or several networks predict, side by side.",
        "pamm.cli.draw_commands:panels_command",
    ),
    "draw errors": Command(
        "Draw where predictions differ from the truth, and by how much.", "pamm.cli.draw_commands:errors_command"
    ),
    "draw gates": Command(
        "Draw which experts a network uses for each task, at each stage, as a mean over images.",
        "pamm.cli.draw_commands:gates_command",
    ),
    "draw orders": Command(
        "Draw the orders in which a scan visits a grid, with their jumps.", "pamm.cli.draw_commands:orders_command"
    ),
    "draw features": Command(
        "Draw what the features of each stage tell apart: their three main components as red, green and blue.",
        "pamm.cli.draw_commands:features_command",
    ),
    "draw curves": Command(
        "Draw how losses and scores of training runs developed.", "pamm.cli.draw_commands:curves_command"
    ),
    "hub save": Command(
        "Write weights to a folder as they go to the hub: with a model card made of their scores.",
        "pamm.cli.hub_commands:hub_save_command",
    ),
    "hub push": Command(
        "Push weights to the hub, with a model card made of their scores or the edited one that lies with them.",
        "pamm.cli.hub_commands:hub_push_command",
    ),
}
"""The commands; the first of two words is a group."""
GROUPS: dict[str, str] = {
    "boundary": "Scores of boundary maps.",
    "data": "Data sets on this disk.",
    "draw": "Figures for papers.",
    "hub": "Weights on the hub.",
}
"""What the commands of each group are about."""


def wanted_command(args: Sequence[str]) -> str:
    """The name of the command that some arguments begin with, or nothing."""
    words = [*args, "", ""]
    return next((name for name in (f"{words[0]} {words[1]}", words[0]) if name in COMMANDS), "")
