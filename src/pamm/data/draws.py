"""In which order training draws from several data sets: shares that hold in every short stretch, shuffled passes.

Draw ``i`` depends on the seed, the sets and ``i`` alone and is found without those before it, so that a resumed run
goes on exactly and processes can share one stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """One of the data sets that follow each other in a mix."""

    size: int
    """Number of its samples."""
    weight: float
    """How often it is drawn from, in proportion to the weights of the others."""


def draw(parts: Sequence[Part], start: int, stop: int, *, seed: int) -> Numbers:
    """Numbers of the samples drawn in a stretch of the endless stream.

    Which set a draw comes from is spread as evenly as can be: in any n draws a set of share p comes n·p times, give or
    take no more than twice the number of sets. Each set is walked through in shuffled passes of its own.

    Args:
        parts: the sets, in the order in which their samples are numbered.
        start: first draw.
        stop: draw after the last.
        seed: seed of the order.

    Returns:
        (stop - start,): ``turn * total + index``, the index being that of the sample among all and the turn the number
        of passes through its set that went before, so that no number comes twice.
    """
    sizes = np.array([part.size for part in parts])
    offsets = sizes.cumsum() - sizes
    which, nth = _sets(parts, start, stop, seed)
    turns, places = np.divmod(nth, sizes[which])
    numbers = np.empty(stop - start, dtype=np.int64)
    for part, turn in sorted(set(zip(which.tolist(), turns.tolist(), strict=True))):
        order = np.random.default_rng([seed, turn, part]).permutation(parts[part].size)
        here = (which == part) & (turns == turn)
        numbers[here] = turn * sizes.sum() + offsets[part] + order[places[here]]
    return numbers


def _sets(parts: Sequence[Part], start: int, stop: int, seed: int) -> tuple[Numbers, Numbers]:
    """By draw, the set it comes from, and how many draws came from that set before.

    Draw k of a set with share p and phase q has its due time at (k + q) / p; all draws follow each other by due time.
    Blocks as long as there are sets are shuffled then: otherwise processes that read every other draw could each get
    sets of their own.
    """
    count = len(parts)
    first, last = start // count * count, -(-stop // count) * count
    shares = np.array([part.weight for part in parts]) / sum(part.weight for part in parts)
    phases = np.random.default_rng(seed).random(count)
    # before time t, between t - count and t + count draws are due
    skipped = np.maximum(np.floor(shares * (first - count) - phases).astype(np.int64), 0)
    ends = np.floor(shares * (last + count) - phases).astype(np.int64) + 2
    which = np.repeat(np.arange(count), ends - skipped)
    nth = np.concatenate([np.arange(low, high) for low, high in zip(skipped, ends, strict=True)])
    order = np.lexsort((which, (nth + phases[which]) / shares[which]))
    order = order[first - skipped.sum() : last - skipped.sum()].reshape(-1, count)
    if count > 1:
        for block, number in zip(order, range(first // count, last // count), strict=True):
            np.random.default_rng([seed, number, count]).shuffle(block)
    order = order.reshape(-1)[start - first : stop - first]
    return which[order], nth[order]
