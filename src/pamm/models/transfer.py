"""Starting a network from another one's weights, although tasks or classes differ."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from pamm.models.build import create_model
from pamm.models.pamm import PAMM


@dataclass(frozen=True)
class Transfer:
    """What became of the target's tensors."""

    taken: tuple[str, ...]
    """Tensors that hold the source's values, wholly or in the rows of the tasks both networks have."""
    fresh: tuple[str, ...]
    """Tensors left as they were, because the source has none of that shape."""


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

    Shared tensors are taken where name and shape agree. Of tensors that hold one block of rows per task, the blocks
    of the tasks both networks have are taken, whatever their order or number. Heads of tasks with other channels
    stay as they are.

    Args:
        source: the network to copy from; unchanged.
        target: the network to copy into.

    Returns:
        The names of the tensors taken and of those left.
    """
    theirs, ours = source.state_dict(), target.state_dict()
    their_rows, our_rows = task_rows(source), task_rows(target)
    places = {task.name: place for place, task in enumerate(source.config.tasks)}
    taken = []
    for name, tensor in ours.items():
        if name not in theirs:
            continue
        if name not in our_rows:
            if name not in their_rows and theirs[name].shape == tensor.shape:
                tensor.copy_(theirs[name])
                taken.append(name)
            continue
        rows = our_rows[name]
        if their_rows.get(name) != rows or theirs[name].shape[1:] != tensor.shape[1:]:
            continue
        pairs = [(place, places[task.name]) for place, task in enumerate(target.config.tasks) if task.name in places]
        for place, their_place in pairs:
            _block(tensor, place, rows).copy_(_block(theirs[name], their_place, rows))
        if pairs:
            taken.append(name)
    return Transfer(taken=tuple(taken), fresh=tuple(sorted(set(ours) - set(taken))))


def _block(tensor: Tensor, place: int, rows: int) -> Tensor:
    return tensor[place * rows : (place + 1) * rows]
