"""Starting a network from another one's weights, although tasks or classes differ."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pamm.models.backbone import resize_position
from pamm.models.build import PRESETS, create_model
from pamm.models.config import PAMMConfig
from pamm.models.layers import Grid
from pamm.models.pamm import PAMM
from pamm.models.router import resize_places

_RESIZE: dict[str, Callable[[Tensor, Grid], Tensor]] = {"position": resize_position, "place_weight": resize_places}
"""Parameters whose last two dimensions are a grid of positions, and how they come to another one."""


@dataclass(frozen=True)
class Transfer:
    """What became of the target's tensors."""

    taken: tuple[str, ...]
    """Tensors that hold the source's values, wholly or in the rows of the tasks both networks have."""
    fresh: tuple[str, ...]
    """Tensors left as they were, because the source has none that fits."""


def task_rows(model: PAMM) -> dict[str, int]:
    """How many leading rows each stacked tensor of a network has per task.

    Tensors that belong to all tasks are left out. Found by building the same network for one task fewer or more, on
    the meta device, and seeing which shapes change: nothing has to be marked by hand.
    """
    config = model.config
    twin = dataclasses.replace(config.tasks[0], name=f"{config.tasks[0].name}_twin")
    with torch.device("meta"):
        wider = create_model(dataclasses.replace(config, tasks=(*config.tasks, twin)))
    other = wider.state_dict()
    count = len(config.tasks)
    rows = {}
    for name, tensor in model.state_dict().items():
        if tensor.ndim and other[name].shape[0] != tensor.shape[0]:
            rows[name] = tensor.shape[0] // count
            assert other[name].shape[0] == rows[name] * (count + 1), name
    return rows


@torch.no_grad()
def transfer_weights(source: PAMM, target: PAMM) -> Transfer:
    """Copy everything that fits from one network into another.

    Shared tensors are taken where name and shape agree, or differ by the grid of positions alone: then they are
    interpolated. Of tensors that hold one block of rows per task, the blocks of the tasks both networks have are
    taken, whatever their order or number. The last map of a head stays as it is where the task has other channels or
    other classes.

    Args:
        source: the network to copy from; unchanged.
        target: the network to copy into.

    Returns:
        The names of the tensors taken and of those left.

    Raises:
        ValueError: if not one tensor of the encoder fits; the target is then unchanged.
    """
    theirs, ours = source.state_dict(), target.state_dict()
    their_rows, our_rows = task_rows(source), task_rows(target)
    places = {task.name: place for place, task in enumerate(source.config.tasks)}
    pairs = [(place, places[task.name]) for place, task in enumerate(target.config.tasks) if task.name in places]
    apart = tuple(
        f"heads.heads.{task.name}.predict."
        for task, other in (
            (target.config.tasks[place], source.config.tasks[their_place]) for place, their_place in pairs
        )
        if (task.kind, task.class_names) != (other.kind, other.class_names)
    )
    fitting: dict[str, Tensor] = {}
    for name, tensor in ours.items():
        if name not in theirs or name.startswith(apart) or their_rows.get(name) != our_rows.get(name):
            continue
        value = _on_grid_of(tensor, theirs[name], name)
        first = 1 if name in our_rows else 0
        if value.shape[first:] == tensor.shape[first:] and (pairs or not first):
            fitting[name] = value
    if not any(name.startswith("encoder.") for name in fitting):
        raise _unfit(source.config, target.config)
    for name, value in fitting.items():
        if name not in our_rows:
            ours[name].copy_(value)
            continue
        rows = our_rows[name]
        for place, their_place in pairs:
            _block(ours[name], place, rows).copy_(_block(value, their_place, rows))
    return Transfer(taken=tuple(fitting), fresh=tuple(sorted(set(ours) - set(fitting))))


def _block(tensor: Tensor, place: int, rows: int) -> Tensor:
    return tensor[place * rows : (place + 1) * rows]


def _on_grid_of(tensor: Tensor, value: Tensor, name: str) -> Tensor:
    """A tensor of the source on the target's grid of positions, where it has one."""
    resize = _RESIZE.get(name.rpartition(".")[2])
    return value if resize is None else resize(value, (tensor.shape[-2], tensor.shape[-1]))


def _unfit(source: PAMMConfig, target: PAMMConfig) -> ValueError:
    names = ("encoder", "encoder_width", "encoder_depth", "encoder_heads", "patch_size")
    form, wanted = ({name: getattr(config, name) for name in names} for config in (source, target))
    presets = [
        preset for preset, config in PRESETS.items() if all(getattr(config, name) == form[name] for name in names)
    ]
    differing = ", ".join(
        f"{name} {form[name]} instead of {wanted[name]}" for name in names if form[name] != wanted[name]
    )
    advice = f"preset {presets[0]}" if presets else "the sizes in the config.json of the weights"
    return ValueError(f"no tensor of the encoder fits ({differing}): build the network from {advice}, or start without")
