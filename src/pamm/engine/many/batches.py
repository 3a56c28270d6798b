"""Which photos go through the network together.

That does not depend on what is finished already: the last bits of a prediction depend on how many photos went through
the network with it, so a run that was interrupted, or is spread over machines, makes the same batches as any other.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pamm.data.images import ImageError, image_size
from pamm.engine.many.sources import Source
from pamm.engine.predictor import Predictor

_WINDOW = 4
"""So many batches' photos are looked at together, to find those of one size."""
_PIXELS = 1 << 26
"""A batch holds no more pixels of photos, unless it is of one photo: bounds the memory."""


@dataclass(frozen=True)
class Batch:
    """Photos that go through the network together."""

    photos: tuple[Source, ...]
    """Photos of one size in the network."""
    wanted: tuple[bool, ...]
    """Those of them that are not finished yet; the others only count."""


def plan_batches(
    photos: Sequence[Source], predictor: Predictor, *, batch_size: int, finished: Collection[str] = ()
) -> Iterator[Batch]:
    """Make batches of photos, reading no more than the heads of their files, a few batches at a time.

    Args:
        photos: all photos of the run.
        predictor: knows the size of a photo in the network, and what it was trained at.
        batch_size: photos in a batch, at most.
        finished: names of photos that are finished; batches of nothing else are left out.

    Yields:
        Batches; one whose photo cannot be read is of that photo alone.
    """
    step = _WINDOW * batch_size
    for start in range(0, len(photos), step):
        window = photos[start : start + step]
        wanted = [photo.name not in finished for photo in window]
        if not any(wanted):
            continue
        for group in _by_size(window, predictor, batch_size):
            if any(wanted[place] for place in group):
                yield Batch(tuple(window[place] for place in group), tuple(wanted[place] for place in group))


def largest_batch(predictor: Predictor, canvas: tuple[int, int], batch_size: int) -> int:
    """How many photos go through the network together.

    Args:
        predictor: the network.
        canvas: rows and columns of the network's input.
        batch_size: the most of the size it was trained at; of much larger ones fewer go, for the memory.
    """
    room = 2 * batch_size * math.prod(predictor.model.config.image_size)
    return min(batch_size, max(1, room // math.prod(canvas)))


def _by_size(window: Sequence[Source], predictor: Predictor, batch_size: int) -> list[list[int]]:
    """Places of photos that go together."""
    groups: list[list[int]] = []
    open_groups: dict[tuple[int, int], tuple[list[int], int]] = {}
    for place, photo in enumerate(window):
        try:
            height, width = image_size(photo.path)
        except ImageError:
            groups.append([place])
            continue
        _, canvas = predictor.network_size(height, width)
        most = largest_batch(predictor, canvas, batch_size)
        group, pixels = open_groups.get(canvas, ([], 0))
        pixels += height * width
        if not group or len(group) >= most or pixels > _PIXELS:
            group, pixels = [], height * width
            groups.append(group)
        group.append(place)
        open_groups[canvas] = (group, pixels)
    return groups
