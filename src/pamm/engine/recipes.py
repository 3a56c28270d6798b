"""Recipes: the YAML files of `pamm train`, laid over each other, and the networks that they make.

A base recipe is whole; an overlay holds what it changes and nothing else, so that one file per ablation serves every
base.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pamm.benchmarks import BENCHMARKS
from pamm.engine.datasets import open_dataset
from pamm.engine.plain import lay_over, read_plain
from pamm.engine.recipe import Recipe
from pamm.engine.run_data import choose_tasks, input_canvas
from pamm.models import PAMMConfig, create_model
from pamm.models.build import resolve_config
from pamm.models.info import count_macs, count_parameters
from pamm.records import build


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network costs."""

    parameters: dict[str, int]
    """Learnt numbers by part, see :func:`pamm.models.info.count_parameters`."""
    macs: int
    """Multiply-adds of one image's forward pass."""
    image_size: tuple[int, int]
    """Height and width of that image in pixels."""


def read_recipe(*paths: str | Path) -> Recipe:
    """Read a recipe and the overlays that follow it.

    Args:
        *paths: YAML files; what a later one says wins.

    Raises:
        ValueError: if a file cannot be read, or a key or value does not fit.
    """
    values: dict[str, Any] = {}
    for path in paths:
        values = lay_over(values, read_plain(path))
    return build(Recipe, values, " + ".join(map(str, paths)))


def recipe_config(recipe: Recipe) -> PAMMConfig:
    """The network that a recipe makes, found without reading a benchmark or fetching weights that are listed.

    Raises:
        ValueError: if the parts do not fit each other, or the encoder's weights are not listed and cannot be had.
    """
    model, data = recipe.model, recipe.data
    canvas = input_canvas(model, data, offline=True)
    labelled = BENCHMARKS[data.name].tasks if data.name in BENCHMARKS else open_dataset(data, canvas=canvas).tasks
    tasks = choose_tasks(labelled, recipe.tasks, recipe.losses or {}, recipe.loss_weights or {})
    overrides = {"image_size": canvas} | model.overrides
    return resolve_config(model.preset, tasks=tasks, pretrained=model.encoder_weights, offline=True, **overrides)


def cost(config: PAMMConfig) -> Cost:
    """Count what the network of a config costs, at the size that the config names."""
    with torch.device("meta"):  # counting needs no numbers, and large networks have many
        model = create_model(config)
    size = config.image_size
    return Cost(parameters=count_parameters(model), macs=count_macs(model, *size), image_size=size)


def describe_changes(base: str | Path, overlay: str | Path) -> str:
    """What an overlay changes of a network, in one line: ``model.overrides.scan_kind`` is called ``scan_kind``."""
    before = dict(_leaves(read_plain(base)))
    words = []
    for name, value in _leaves(read_plain(overlay)):
        if name.partition(".")[0] not in ("model", "tasks") or before.get(name) == value:
            continue
        short = name.removeprefix("model.").removeprefix("overrides.")
        words.append(f"{short}: {_word(value)}")
    return ", ".join(words)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
