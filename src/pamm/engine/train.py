"""Training runs from configs: which network, which data, which tasks."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from pamm.data.mix import MixDataset
from pamm.engine.balancing import BalanceConfig
from pamm.engine.config import AugmentConfig, ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset, usual_canvas
from pamm.engine.weights import load_weights
from pamm.losses import LOSSES
from pamm.models import create_model
from pamm.models.adapters import add_adapters
from pamm.models.build import resolve_config
from pamm.models.transfer import transfer_weights
from pamm.names import unknown_name
from pamm.tasks import TASKS, Task


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
        from pamm.engine.fit import fit
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"training needs {error.name}: pip install 'pamm[train]'") from error
    val = val.filled(data)
    canvas = input_canvas(model, data)
    train_set = open_dataset(data, canvas=canvas, split="train")
    val_set = open_dataset(val, canvas=canvas, tasks=train_set.tasks)
    chosen = choose_tasks(train_set.tasks, tasks, losses or {}, loss_weights or {})
    if augment.crop_task is not None and augment.crop_task not in (known := _known(train_set.tasks)):
        raise unknown_name("task to crop by", augment.crop_task, known)
    if isinstance(train_set, MixDataset):
        train_set = train_set.with_labels_of([task.name for task in chosen])
    record = {
        "model": asdict(model),
        "data": asdict(data),
        "val": asdict(val),
        "augment": asdict(augment),
        "optim": asdict(optim),
        "run": asdict(run),
        "tasks": tasks,
        "losses": losses,
        "loss_weights": loss_weights,
        "balance": asdict(balance),
    }
    torch.manual_seed(run.seed)
    overrides = {"image_size": canvas} | model.overrides
    network = create_model(model.preset, tasks=chosen, pretrained=model.encoder_weights, **overrides)
    if model.init is not None:
        transfer_weights(load_weights(model.init), network)
    if model.lora_rank and model.frozen_blocks != "all":
        add_adapters(network.encoder, rank=model.lora_rank, alpha=model.lora_alpha, frozen_blocks=model.frozen_blocks)
    elif model.frozen_blocks:
        network.encoder.freeze(None if model.frozen_blocks == "all" else model.frozen_blocks)
    return fit(
        network,
        train_set,
        val_set,
        optim=optim,
        run=run,
        augment=augment,
        balance=balance,
        train_canvas=canvas,
        val_canvas=val.canvas(canvas),
        record=record,
    )


def input_canvas(model: ModelChoice, data: DataConfig, *, offline: bool = False) -> tuple[int, int]:
    """Height and width of the input that a network is trained on.

    Args:
        model: which network.
        data: images to learn from.
        offline: as for :func:`pamm.models.build.resolve_config`.

    Raises:
        ValueError: if there is no such network.
    """
    usual = resolve_config(model.preset, pretrained=model.encoder_weights, offline=offline, **model.overrides)
    return data.canvas(usual_canvas(data, usual.image_size, patch=usual.patch_size))


def choose_tasks(
    available: tuple[Task, ...], names: list[str] | None, losses: dict[str, str], loss_weights: dict[str, float]
) -> tuple[Task, ...]:
    """Pick tasks of a data set by name and give them their losses and loss weights.

    Args:
        available: the tasks that the data set labels.
        names: the tasks to pick; all if None.
        losses: names of losses by task; those of tasks that are not picked do nothing.
        loss_weights: factors by task, likewise.

    Raises:
        ValueError: if the data set has no such task, a loss or a weight is for no known task, or there is no such loss.
    """
    labelled = {task.name: task for task in available}
    names = list(labelled) if names is None else names
    for name in names:
        if name not in labelled:
            raise unknown_name("task with labels in the data", name, labelled)
    for what, mentioned in (("task to give a loss", losses), ("task to weigh", loss_weights)):
        for name in mentioned:
            if name not in (known := _known(available)):
                raise unknown_name(what, name, known)
    for loss in losses.values():
        if loss not in LOSSES:
            raise unknown_name("loss", loss, LOSSES)
    return tuple(
        replace(
            labelled[name],
            loss=losses.get(name, labelled[name].loss),
            loss_weight=loss_weights.get(name, labelled[name].loss_weight),
        )
        for name in names
    )


def _known(available: tuple[Task, ...]) -> list[str]:
    """Names of the tasks that a config may mention, whether or not this data labels them."""
    return list(dict.fromkeys([*(task.name for task in available), *TASKS]))
