"""The command that says what networks cost."""

import dataclasses
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import track
from rich.table import Table

from pamm.cli.console import console
from pamm.engine.plain import lay_over
from pamm.engine.recipe import Recipe
from pamm.engine.recipes import cost, describe_changes, read_recipe, recipe_config
from pamm.models import PRESETS, PAMMConfig
from pamm.models.build import resolve_config
from pamm.ops.backends import ENVIRONMENT, scan_backends_here

DEFAULT_PRESET = "pamm_tiny"


def info_command(
    recipes: list[Path],
    *,
    preset: str | None = None,
    overrides: dict[str, Any] | None = None,
    tasks: list[str] | None = None,
    merge: bool = False,
    scan: bool = False,
) -> int:
    """Show the parameters and multiply-adds of recipes or of a preset.

    Args:
        recipes: YAML files of `pamm train`; none for a preset.
        preset: name of a preset; `pamm_tiny` if neither it nor a recipe is named.
        overrides: fields of the network to change, for example `{scan_kind: z}`.
        tasks: names of the tasks; those of the recipe or the preset if left out.
        merge: lay all recipes over each other and show by parts the one network that they make.
        scan: show the ways to compute the scan instead, and why one cannot serve on this machine.
    """
    if scan:
        _show_scan()
    elif not recipes:
        chosen = preset or DEFAULT_PRESET
        _show_parts(chosen, resolve_config(chosen, tasks=tasks, **(overrides or {})))
        console.print(f"presets: {', '.join(PRESETS)}")
    elif preset is not None:
        raise ValueError(f"got the preset {preset!r} and recipes, which name their own: leave one of both out")
    elif merge or len(recipes) == 1:
        recipe = _changed(read_recipe(*recipes), overrides, tasks)
        _show_parts(" + ".join(map(str, recipes)), recipe_config(recipe))
    else:
        _show_variants(recipes, overrides, tasks)
    return 0


def _changed(recipe: Recipe, overrides: dict[str, Any] | None, tasks: list[str] | None) -> Recipe:
    model = dataclasses.replace(recipe.model, overrides=lay_over(recipe.model.overrides, overrides or {}))
    return dataclasses.replace(recipe, model=model, tasks=recipe.tasks if tasks is None else tuple(tasks))


def _show_scan() -> None:
    table = Table("backend", "what it is", "here", title="the selective scan on this machine's CPU")
    for name, (summary, refusal) in scan_backends_here().items():
        table.add_row(name, summary, refusal or "serves")
    console.print(table)
    console.print(f"The first that serves is used; {ENVIRONMENT} names another.", highlight=False)


def _show_parts(title: str, config: PAMMConfig) -> None:
    found = cost(config)
    height, width = found.image_size
    table = Table(title=f"{title}: {', '.join(task.name for task in config.tasks)}")
    table.add_column("part")
    table.add_column("parameters", justify="right")
    for part, count in found.parameters.items():
        table.add_row(part, f"{count:,}")
    table.add_section()
    table.add_row("all", f"{sum(found.parameters.values()):,}")
    table.add_row(f"multiply-adds at {height}×{width}", f"{found.macs:,}")
    console.print(table)


def _show_variants(recipes: list[Path], overrides: dict[str, Any] | None, tasks: list[str] | None) -> None:
    base, *overlays = recipes
    table = Table(title=f"{base}, alone and with one overlay each")
    table.add_column("overlay, and what it changes", overflow="fold")
    for name in ("parameters", "encoder", "10⁹ MACs", "at"):
        table.add_column(name, justify="right", no_wrap=True)
    for overlay in track([None, *overlays], "counting", console=console, transient=True):
        files = [base] if overlay is None else [base, overlay]
        recipe = read_recipe(*files)
        try:
            found = cost(recipe_config(_changed(recipe, overrides, tasks)))
        except ValueError as error:
            raise ValueError(f"{' + '.join(map(str, files))}: {error}") from error
        table.add_row(
            "" if overlay is None else f"{overlay.stem}\n{escape(describe_changes(base, overlay))}",
            f"{sum(found.parameters.values()):,}",
            f"{found.parameters['encoder']:,}",
            f"{found.macs / 1e9:.1f}",
            "{}×{}".format(*found.image_size),
        )
    console.print(table)
