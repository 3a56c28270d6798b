"""Training runs from configs: which network, which data, which tasks."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from pamm.engine.balancing import BalanceConfig
from pamm.engine.config import AugmentConfig, ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig
from pamm.engine.recipe import Recipe
from pamm.engine.results.run_facts import data_facts, run_facts, short_name
from pamm.engine.run_data import RunData, open_run_data
from pamm.engine.weights import load_weights
from pamm.models import PAMM, create_model
from pamm.models.adapters import add_adapters
from pamm.models.transfer import transfer_weights


def train(
    *,
    model: ModelChoice = ModelChoice(),
    data: DataConfig = DataConfig(),
    val: DataConfig = DataConfig(seed=1),
    augment: AugmentConfig = AugmentConfig(),
    optim: OptimConfig = OptimConfig(),
    run: RunConfig = RunConfig(),
    tasks: list[str] | None = None,
    losses: dict[str, str] | None = None,
    loss_weights: dict[str, float] | None = None,
    balance: BalanceConfig = BalanceConfig(),
) -> Path:
    """Train a network and write its weights, checkpoints, logs and pictures to a folder.

    Args:
        model: which network, and its first weights.
        data: images to learn from.
        val: images to validate on; manifest, root, sets, storage options and size are those of `data` if left out.
        augment: how training images vary.
        optim: how the weights are learnt.
        run: where the run is kept and how it is carried out.
        tasks: names of the tasks to learn; all that the training data labels if left out.
        losses: names of losses, by task, that replace the usual ones: keys of `pamm.losses.LOSSES`.
        loss_weights: factors of the tasks' losses that replace the usual ones.
        balance: how the losses, times their factors, are balanced.

    Returns:
        The folder of the best weights, for `pamm.load`.

    Raises:
        ValueError: if the parts do not fit each other, or the folder holds another run.
        ModuleNotFoundError: if the extra ``train`` is not installed.
    """
    try:
        from pamm.engine.fit import checked_canvas, fit
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"training needs {error.name}: pip install 'pamm[train]'") from error
    recipe = Recipe(
        model=model,
        data=data,
        val=val.filled(data),
        augment=augment,
        optim=optim,
        run=run,
        tasks=None if tasks is None else tuple(tasks),
        losses=losses,
        loss_weights=loss_weights,
        balance=balance,
    )
    read = open_run_data(recipe)
    torch.manual_seed(run.seed)
    network = build_network(recipe, read)
    scored_at = checked_canvas("val", read.val_canvas, network)
    return fit(
        network,
        read.train,
        read.val,
        optim=optim,
        run=run,
        augment=augment,
        balance=balance,
        train_canvas=read.canvas,
        val_canvas=scored_at,
        record=asdict(recipe),
        facts=replace(
            run_facts(network, recipe.val, weights=run.out, canvas=scored_at),
            trained=_trained(recipe, read.canvas),
        ),
    )


def _trained(recipe: Recipe, canvas: tuple[int, int]) -> str:
    """How a network is trained, in words, with ``{step}`` for the steps that are done."""
    optim, model, data = recipe.optim, recipe.model, recipe.data
    images = optim.batch_size * optim.accumulate * recipe.run.processes
    first = [short_name(source) for source in (model.init, model.encoder_weights) if source]
    facts = data_facts(data, canvas=canvas)
    images_of = " ".join(filter(None, (facts.data, data.split, f"({facts.source})" if facts.source else "")))
    begun = f", starting from {' and '.join(first)}" if first else ""
    return (
        f"{{step}} of {optim.steps} steps of {images} images of {images_of} with {optim.name}, learning "
        f"rate {optim.lr:g}{begun}."
    )


def build_network(recipe: Recipe, read: RunData) -> PAMM:
    """The network of a recipe before its first step.

    Args:
        recipe: the recipe.
        read: its data, see :func:`pamm.engine.run_data.open_run_data`.

    Raises:
        ValueError: if there is no such network, or its first weights cannot be had.
    """
    model = recipe.model
    overrides = {"image_size": read.canvas} | model.overrides
    network = create_model(model.preset, tasks=read.tasks, pretrained=model.encoder_weights, **overrides)
    if model.init is not None:
        transfer_weights(load_weights(model.init), network)
    if model.lora_rank and model.frozen_blocks != "all":
        add_adapters(network.encoder, rank=model.lora_rank, alpha=model.lora_alpha, frozen_blocks=model.frozen_blocks)
    elif model.frozen_blocks:
        network.encoder.freeze(None if model.frozen_blocks == "all" else model.frozen_blocks)
    return network
