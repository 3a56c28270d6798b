"""What a training run reads: images to learn from and to validate on, their tasks and sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pamm.data.mix import MixDataset
from pamm.data.sample import SampleSource
from pamm.engine.config import ModelChoice
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset, usual_canvas
from pamm.engine.recipe import Recipe
from pamm.losses import LOSSES
from pamm.models.build import resolve_config
from pamm.names import unknown_name
from pamm.tasks import TASKS, Task


@dataclass(frozen=True, kw_only=True)
class RunData:
    """What a training run reads."""

    train: SampleSource
    """Images to learn from."""
    val: SampleSource
    """Images to validate on."""
    tasks: tuple[Task, ...]
    """The tasks to learn."""
    canvas: tuple[int, int]
    """Height and width of the network's input in training."""
    val_canvas: tuple[int, int]
    """Height and width of it in validation."""


def open_run_data(recipe: Recipe) -> RunData:
    """Open the data sets of a recipe, whose ``val`` is whole.

    Raises:
        ValueError: if a data set cannot be read, or tasks, losses or sizes do not fit.
    """
    canvas = input_canvas(recipe.model, recipe.data)
    train = open_dataset(recipe.data, canvas=canvas, split="train")
    val = open_dataset(recipe.val, canvas=canvas, tasks=train.tasks)
    tasks = choose_tasks(train.tasks, recipe.tasks, recipe.losses or {}, recipe.loss_weights or {})
    wanted = recipe.augment.crop_task
    if wanted is not None and wanted not in (known := _known(train.tasks)):
        raise unknown_name("task to crop by", wanted, known)
    if isinstance(train, MixDataset):
        train = train.with_labels_of([task.name for task in tasks])
    return RunData(train=train, val=val, tasks=tasks, canvas=canvas, val_canvas=recipe.val.canvas(canvas))


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
    available: tuple[Task, ...], names: Sequence[str] | None, losses: dict[str, str], loss_weights: dict[str, float]
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
    names = tuple(labelled) if names is None else names
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
