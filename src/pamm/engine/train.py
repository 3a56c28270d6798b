"""Training runs from configs: which network, which data, which tasks."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from pamm.engine.config import AugmentConfig, DataConfig, ModelChoice, OptimConfig, RunConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.weights import load_weights
from pamm.models import create_model
from pamm.models.transfer import transfer_weights
from pamm.names import unknown_name
from pamm.tasks import Task


def train(
    *,
    model: ModelChoice = ModelChoice(),
    data: DataConfig = DataConfig(),
    val: DataConfig = DataConfig(seed=1),
    augment: AugmentConfig = AugmentConfig(),
    optim: OptimConfig = OptimConfig(),
    run: RunConfig = RunConfig(),
    tasks: list[str] | None = None,
    loss_weights: dict[str, float] | None = None,
) -> Path:
    """Train a network and write its weights, checkpoints, logs and pictures to a folder.

    Args:
        model: which network, and its first weights.
        data: images to learn from.
        val: images to validate on; a folder without manifest or root takes those of `data`.
        augment: how training images vary.
        optim: how the weights are learnt.
        run: where the run is kept and how it is carried out.
        tasks: names of the tasks to learn; all that the training data labels if left out.
        loss_weights: factors of the tasks' losses that replace the usual ones.

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
    if data.name == val.name:
        val = replace(val, manifest=val.manifest or data.manifest, root=val.root or data.root)
    train_set, val_set = open_dataset(data), open_dataset(val)
    chosen = choose_tasks(train_set.tasks, tasks, loss_weights or {})
    record = {
        "model": asdict(model),
        "data": asdict(data),
        "val": asdict(val),
        "augment": asdict(augment),
        "optim": asdict(optim),
        "run": asdict(run),
        "tasks": tasks,
        "loss_weights": loss_weights,
    }
    torch.manual_seed(run.seed)
    network = create_model(model.preset, tasks=chosen, **({"image_size": (data.height, data.width)} | model.overrides))
    if model.init is not None:
        transfer_weights(load_weights(model.init), network)
    return fit(
        network,
        train_set,
        val_set,
        optim=optim,
        run=run,
        augment=augment,
        train_canvas=(data.height, data.width),
        val_canvas=(val.height, val.width),
        record=record,
    )


def choose_tasks(
    available: tuple[Task, ...], names: list[str] | None, loss_weights: dict[str, float]
) -> tuple[Task, ...]:
    """Pick tasks of a data set by name and give them their loss weights.

    Raises:
        ValueError: if the data set has no such task.
    """
    known = {task.name: task for task in available}
    names = list(known) if names is None else names
    for name in [*names, *loss_weights]:
        if name not in known:
            raise unknown_name("task with labels in the data", name, known)
    return tuple(replace(known[name], loss_weight=loss_weights.get(name, known[name].loss_weight)) for name in names)
