"""The order in which training draws from several data sets."""

import numpy as np
import pytest

from pamm.data.draws import Part, draw

PARTS = [Part(5, 5.0), Part(3, 1.0), Part(11, 2.5)]
TOTAL = 19


def sets_of(numbers):
    return np.searchsorted([5, 8, 19], numbers % TOTAL, side="right")


@pytest.mark.parametrize("seed", [0, 7])
def test_shares_hold_in_every_short_stretch(seed):
    seen = sets_of(draw(PARTS, 0, 400, seed=seed))
    shares = np.array([5.0, 1.0, 2.5]) / 8.5
    for length in (1, 8, 17, 100):
        for start in range(400 - length):
            counts = np.bincount(seen[start : start + length], minlength=3)
            assert np.abs(counts - length * shares).max() <= 2 * len(PARTS)


def test_each_set_is_walked_in_shuffled_passes_of_its_own():
    numbers = draw(PARTS, 0, 300, seed=1)
    assert len(set(numbers.tolist())) == 300
    turns, indices = np.divmod(numbers, TOTAL)
    for first, last in ((0, 5), (5, 8), (8, 19)):
        inside = (indices >= first) & (indices < last)
        passes = [indices[inside & (turns == turn)].tolist() for turn in range(2)]
        assert [sorted(one) for one in passes] == [list(range(first, last))] * 2
    orders = [indices[(indices >= 8) & (turns == turn)].tolist() for turn in range(2)]
    assert orders[0] != orders[1]


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (1, 2), (17, 60), (59, 200), (200, 200)])
def test_any_stretch_is_found_without_those_before_it(start, stop):
    whole = draw(PARTS, 0, 200, seed=3)
    assert draw(PARTS, start, stop, seed=3).tolist() == whole[start:stop].tolist()
    assert draw(PARTS, 0, 200, seed=4).tolist() != whole.tolist()


def test_processes_that_read_every_other_draw_see_every_set():
    even = [Part(10, 1.0)] * 4
    for processes in (2, 4, 8):
        numbers = draw(even, 0, 40 * processes, seed=0)
        for rank in range(processes):
            counts = np.bincount(numbers[rank::processes] % 40 // 10, minlength=4)
            assert counts.min() >= 4


def test_far_draws_are_exact():
    numbers = draw(PARTS, 10**8, 10**8 + 50, seed=0)
    assert numbers[20:30].tolist() == draw(PARTS, 10**8 + 20, 10**8 + 30, seed=0).tolist()
    assert len(set(numbers.tolist())) == 50
