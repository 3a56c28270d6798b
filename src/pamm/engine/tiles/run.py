"""From a photo to maps, tile by tile."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import torch
from torch import Tensor

from pamm.engine.colours import Map, Pixels, decoded
from pamm.engine.stop import check_stop
from pamm.engine.tiles.blend import Blend
from pamm.engine.tiles.grid import Grid
from pamm.engine.tiles.guide import Guide
from pamm.tasks import Task

Network = Callable[[Sequence[Pixels]], Sequence[Tensor]]
"""What makes raw values, (channels of all tasks, h, w), of photos that are all of one size."""


def predict_tiles(
    photo: Pixels,
    maps: Mapping[str, Map],
    *,
    grid: Grid,
    tasks: Sequence[Task],
    network: Network,
    guide: Guide | None,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Fill the maps of a photo.

    Raw values are blended, not what is made of them: the mean of two classes is no class.

    Args:
        photo: (H, W, 3) RGB; it is read tile by tile.
        maps: by task name, arrays that take what :func:`pamm.engine.colours.decoded` makes of the whole photo.
        grid: where the tiles lie.
        tasks: what the network predicts.
        network: predicts tiles at their own size.
        guide: what tiles are fitted to, if anything.
        batch_size: tiles the network sees at a time, at most.
        progress: called with the number of tiles done, and in all.

    Raises:
        Stopped: if the thread is told to end.
    """
    channels = [task.channels for task in tasks]
    blend: Blend | None = None
    done = 0
    tiles = iter(grid)
    while batch := list(islice(tiles, batch_size)):
        check_stop()
        outputs = network([photo[tile.rows, tile.columns] for tile in batch])
        for tile, values in zip(batch, outputs, strict=True):
            if blend is None:
                blend = Blend(grid, channels=len(values), device=values.device)
            block = blend.add(tile, values if guide is None else guide.fit(tile, values))
            for task, part in zip(tasks, torch.split(block.values, channels), strict=True):
                maps[task.name][block.rows, block.columns] = decoded(task, part)
        done += len(batch)
        if progress is not None:
            progress(done, len(grid))
