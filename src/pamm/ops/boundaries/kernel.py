"""Thinning and matching of boundaries at all thresholds, compiled by numba when it is first called, if it is there.

Maps cut at falling thresholds are nested and differ little, so everything is carried from one level to the next: each
pixel enters the map once, and tells its eight neighbours; thinning looks only at pixels whose neighbourhood lets them
go, and is undone after the level; a matching is kept, loses the pixels that thinning took, and grows along augmenting
paths. A maximum matching has one size whatever it grew from, so the counts depend on nothing but the maps.

Letters: ``n`` pixels that ever enter, ``g`` true pixels of all annotators together, ``A`` annotators.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pamm.ops.boundaries.grid import NEIGHBOURS, LevelMap, thinning_table

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_TABLE = thinning_table()


def _jit(kernel: Kernel) -> Kernel:
    """Compile a kernel when it is first called, and keep it for the next process where there is room for it."""
    if find_spec("numba") is None:
        return kernel
    import numba

    try:
        return cast(Kernel, numba.njit(nogil=True, cache=True)(kernel))
    except RuntimeError:  # neither the package's folder nor the user's can be written to
        return cast(Kernel, numba.njit(nogil=True)(kernel))


def count_by_kernel(grid: LevelMap, levels: int) -> Ints:
    """Count matches at every level; see :func:`pamm.ops.boundaries.counts.boundary_counts`."""
    return _count(
        grid.pixels,
        grid.levels,
        levels,
        grid.size,
        _steps(grid.stride),
        _TABLE,
        grid.truth,
        grid.truth_starts,
        grid.reach,
    )


def thin_by_kernel(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a map (H, W) until it is stable."""
    around = np.pad(marked, 1)
    thinned = _thinned(np.flatnonzero(around), around.size, _steps(around.shape[1]), _TABLE)
    return np.asarray(thinned.reshape(around.shape)[1:-1, 1:-1], dtype=bool)


def _steps(stride: int) -> Ints:
    return np.array([down * stride + right for down, right in NEIGHBOURS], dtype=np.int64)


@_jit
def _thinned(pixels: Ints, size: int, steps: Ints, table: Bytes) -> Bytes:
    around, on = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for pixel in pixels:
        _put(pixel, on, around, steps)
    _thin(pixels, on, around, steps, table, np.empty_like(pixels), np.empty_like(pixels), np.zeros_like(on))
    return on


@_jit
def _count(
    pixels: Ints,
    entered: Ints,
    levels: int,
    size: int,
    steps: Ints,
    table: Bytes,
    truth: Ints,
    truth_starts: Ints,
    reach: Ints,
) -> Ints:
    n, annotators = len(pixels), len(truth_starts) - 1
    starts, neighbours = _adjacency(pixels, size, truth, truth_starts, reach)
    around, on = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    partner = np.full((annotators, n), -1, np.int64)  # true pixel of each predicted one
    taken = np.full(len(truth), -1, np.int64)  # predicted pixel of each true one
    seen = np.zeros(len(truth), np.uint8)
    work = np.zeros((4, max(n, len(truth)) + 2), np.int64)
    gone, candidates, queued = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(size, np.uint8)
    counts = np.zeros((levels, 4), np.int64)
    counts[:, 1] = len(truth)
    active = 0
    for level in range(levels, 0, -1):
        before = active
        while active < n and entered[active] == level:
            _put(pixels[active], on, around, steps)
            active += 1
        row = counts[level - 1]
        if active == before:
            if level < levels:
                row[:] = counts[level]
            continue
        removed = _thin(pixels[:active], on, around, steps, table, gone, candidates, queued)
        matched = 0
        for annotator in range(annotators):
            matched += _match(
                pixels[:active],
                on,
                starts[annotator],
                neighbours,
                partner[annotator],
                taken,
                truth_starts[annotator : annotator + 2],
                seen,
                work,
            )
        row[0], row[3] = matched, active - removed
        for place in range(active):
            for annotator in range(annotators):
                if partner[annotator, place] >= 0:
                    row[2] += 1
                    break
        for place in range(removed):
            _put(gone[place], on, around, steps)
    return counts


@_jit
def _adjacency(pixels: Ints, size: int, truth: Ints, truth_starts: Ints, reach: Ints) -> tuple[Ints, Ints]:
    """True pixels within reach of each predicted one, by annotator, the nearest first.

    Returns:
        Where each list begins, (A, n + 1), and the lists one after the other.
    """
    n, annotators = len(pixels), len(truth_starts) - 1
    place_of = np.full(size, -1, np.int64)
    place_of[pixels] = np.arange(n)
    starts = np.zeros((annotators, n + 1), np.int64)
    total = 0
    for annotator in range(annotators):
        row = starts[annotator]
        for g in range(truth_starts[annotator], truth_starts[annotator + 1]):
            for offset in reach:
                place = place_of[truth[g] + offset]
                if place >= 0:
                    row[place + 1] += 1
        row[0] = total
        for place in range(n):
            row[place + 1] += row[place]
        total = row[n]
    neighbours = np.empty(total, np.int64)
    for annotator in range(annotators):
        filled = starts[annotator].copy()
        for offset in reach:
            for g in range(truth_starts[annotator], truth_starts[annotator + 1]):
                place = place_of[truth[g] + offset]
                if place >= 0:
                    neighbours[filled[place]] = g
                    filled[place] += 1
    return starts, neighbours


@_jit
def _put(pixel: int, on: Bytes, around: Bytes, steps: Ints) -> None:
    """Put a pixel into the map, and tell its neighbours."""
    on[pixel] = 1
    for side in range(8):
        around[pixel + steps[side]] |= np.uint8(1 << ((side + 4) & 7))


@_jit
def _thin(
    pixels: Ints,
    on: Bytes,
    around: Bytes,
    steps: Ints,
    table: Bytes,
    gone: Ints,
    candidates: Ints,
    queued: Bytes,
) -> int:
    """Thin the map in place until it is stable; returns how many pixels went, listed in ``gone``."""
    waiting, removed = 0, 0
    for pixel in pixels:
        if table[around[pixel]]:
            candidates[waiting] = pixel
            queued[pixel] = 1
            waiting += 1
    changed = True
    while changed:
        changed = False
        for turn in (1, 2):
            first = removed
            kept = 0
            for place in range(waiting):
                pixel = candidates[place]
                if table[around[pixel]] & turn:
                    gone[removed] = pixel
                    removed += 1
                    queued[pixel] = 0
                else:
                    candidates[kept] = pixel
                    kept += 1
            waiting = kept
            for place in range(first, removed):
                pixel = gone[place]
                on[pixel] = 0
                for side in range(8):
                    around[pixel + steps[side]] &= np.uint8(255 ^ (1 << ((side + 4) & 7)))
            for place in range(first, removed):
                for side in range(8):
                    other = gone[place] + steps[side]
                    if on[other] and not queued[other]:
                        candidates[waiting] = other
                        queued[other] = 1
                        waiting += 1
            changed |= removed > first
    for place in range(waiting):
        queued[candidates[place]] = 0
    return removed


@_jit
def _match(
    pixels: Ints,
    on: Bytes,
    starts: Ints,
    neighbours: Ints,
    partner: Ints,
    taken: Ints,
    truth_range: Ints,
    seen: Bytes,
    work: Ints,
) -> int:
    """Make one annotator's matching the largest there is for the thinned map; returns its size."""
    for g in range(truth_range[0], truth_range[1]):
        seen[g] = 0
        place = taken[g]
        if place >= 0 and not on[pixels[place]]:
            partner[place] = -1
            taken[g] = -1
    for place in range(len(pixels)):  # the nearest true pixel, where it is free
        if on[pixels[place]] and partner[place] < 0 and starts[place] < starts[place + 1]:
            g = neighbours[starts[place]]
            if taken[g] < 0:
                partner[place], taken[g] = g, place
    size = 0
    for place in range(len(pixels)):
        if on[pixels[place]] and partner[place] < 0 and starts[place] < starts[place + 1]:
            _augment(place, starts, neighbours, partner, taken, seen, work)
        size += partner[place] >= 0
    return size


@_jit
def _augment(root: int, starts: Ints, neighbours: Ints, partner: Ints, taken: Ints, seen: Bytes, work: Ints) -> None:
    """Look for an augmenting path from a free predicted pixel, in depth, and match along it.

    True pixels that a search without success has seen lead nowhere until the map changes, and stay marked.
    """
    stack, cursor, through, trail = work
    stack[0], cursor[0] = root, -1
    depth, visited = 0, 0
    while depth >= 0:
        place = stack[depth]
        if cursor[depth] < 0:
            cursor[depth] = starts[place]
            for edge in range(starts[place], starts[place + 1]):
                g = neighbours[edge]
                if taken[g] < 0:
                    while depth >= 0:
                        place = stack[depth]
                        partner[place], taken[g] = g, place
                        g = through[depth]
                        depth -= 1
                    for step in range(visited):
                        seen[trail[step]] = 0
                    return
        while cursor[depth] < starts[place + 1] and seen[neighbours[cursor[depth]]]:
            cursor[depth] += 1
        if cursor[depth] == starts[place + 1]:
            depth -= 1
            continue
        g = neighbours[cursor[depth]]
        seen[g] = 1
        trail[visited] = g
        visited += 1
        depth += 1
        stack[depth], cursor[depth], through[depth] = taken[g], -1, g
