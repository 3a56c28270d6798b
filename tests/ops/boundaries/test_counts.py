"""Thinning and matching: the compiled kernel and the plain one agree with each other and with exact assignments."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from skimage.morphology import thin as skimage_thin

from boundary_toys import SEISM, detector, regions
from pamm.ops.boundaries import counts as module
from pamm.ops.boundaries.counts import boundary_counts, choose_backend
from pamm.ops.boundaries.grid import offsets_within
from pamm.ops.boundaries.maps import boundary_truth, label_boundaries, thin

BACKENDS = ("kernel", "scipy")
SIZES = [(1, 1), (1, 9), (7, 1), (2, 2), (5, 8), (40, 33)]


def count(strength, truths, backend=None, *, thresholds=SEISM, tolerance=2.5, strict=True):
    return boundary_counts(strength, truths, thresholds=thresholds, tolerance=tolerance, strict=strict, backend=backend)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_backends_agree(size, density):
    rng = np.random.default_rng(0)
    strength = (rng.random(size) * (rng.random(size) < density)).astype(np.float32)
    truth = rng.random((1, *size)) < density / 2
    fast, plain = (count(strength, truth, backend) for backend in BACKENDS)
    np.testing.assert_array_equal(fast, plain)
    assert (fast[:, 0] == fast[:, 2]).all()
    assert (fast[:, 0] <= fast[:, [1, 3]].min(axis=1)).all()


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 1.4142135623730951, 3.7])
def test_backends_agree_on_lines(tolerance):
    rng = np.random.default_rng(1)
    lines = boundary_truth(regions(rng), relabel=False) > 0
    strength = detector(lines, rng).astype(np.float32) / 255
    fast, plain = (count(strength, lines[None], backend, tolerance=tolerance) for backend in BACKENDS)
    np.testing.assert_array_equal(fast, plain)


def test_several_annotators():
    rng = np.random.default_rng(2)
    truths = np.stack([boundary_truth(regions(rng, count=5), relabel=False) > 0 for _ in range(3)])
    strength = detector(truths.any(axis=0), rng).astype(np.float32) / 255
    alone = [count(strength, one[None]) for one in truths]
    fast, plain = (count(strength, truths, backend) for backend in BACKENDS)
    np.testing.assert_array_equal(fast[:, :2], sum(alone)[:, :2])
    np.testing.assert_array_equal(fast[:, [0, 1, 3]], plain[:, [0, 1, 3]])
    # which predicted pixels a largest matching holds is open, how many one annotator's does is not
    for counts in (fast, plain):
        assert (counts[:, 2] >= np.max([one[:, 2] for one in alone], axis=0)).all()
        assert (counts[:, 2] <= np.minimum(sum(alone)[:, 2], counts[:, 3])).all()
    assert np.abs(fast[:, 2] - plain[:, 2]).max() <= 0.1 * fast[:, 3].max()


@pytest.mark.parametrize("backend", BACKENDS)
def test_matches_as_many_as_the_cheapest_assignment(backend):
    rng = np.random.default_rng(3)
    lines = boundary_truth(regions(rng, (30, 40), 6), relabel=False) > 0
    strength = detector(lines, rng, noise=0.2).astype(np.float32) / 255
    thresholds = (0.1, 0.3, 0.6)
    found = count(strength, lines[None], backend, thresholds=thresholds, tolerance=2.0)
    for cut, row in zip(thresholds, found, strict=True):
        predicted, true = np.argwhere(skimage_thin(strength > np.float32(cut))), np.argwhere(lines)
        distance = np.linalg.norm(predicted[:, None] - true, axis=-1)
        cost = np.where(distance <= 2.0, distance, 1e4)
        assert row[0] == (cost[linear_sum_assignment(cost)] < 1e4).sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pixel_at_the_threshold(backend):
    strength = np.zeros((3, 3), np.float32)
    strength[1, 1] = 0.5
    truth = np.ones((1, 3, 3), bool)
    assert count(strength, truth, backend, thresholds=(0.5,), strict=True)[0, 3] == 0
    assert count(strength, truth, backend, thresholds=(0.5,), strict=False)[0, 3] == 1


@pytest.mark.parametrize("density", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_thinning_is_scikit_image_s(density):
    rng = np.random.default_rng(4)
    for size in SIZES:
        marked = rng.random(size) < density
        np.testing.assert_array_equal(thin(marked, backend="kernel"), skimage_thin(marked))
        np.testing.assert_array_equal(thin(marked, backend="scipy"), skimage_thin(marked))


def test_reach_begins_with_the_nearest():
    steps = offsets_within(2.0)
    assert steps[0] == (0, 0)
    assert len(steps) == 13
    assert (2, 0) in steps
    assert (2, 1) not in steps


def test_boundaries_look_east_south_and_south_east():
    labels = np.zeros((3, 4), np.uint8)
    labels[2, 3] = 1
    marked = label_boundaries(labels)
    assert {(int(row), int(column)) for row, column in np.argwhere(marked)} == {(1, 2), (1, 3), (2, 2)}


def test_parts_that_touch_at_a_corner_are_told_apart():
    labels = np.zeros((6, 6), np.uint8)
    labels[:3, :3] = labels[3:, 3:] = 7
    together, apart = (boundary_truth(labels, relabel=relabel) for relabel in (False, True))
    assert together.any()
    assert apart.sum() >= together.sum()


@pytest.mark.parametrize(("strength", "truths"), [((4, 4), (4, 4)), ((4, 4), (1, 4, 5)), ((4, 4, 1), (1, 4, 4))])
def test_sizes_that_do_not_fit(strength, truths):
    with pytest.raises(ValueError, match="of one size"):
        count(np.zeros(strength, np.float32), np.zeros(truths, bool))


def test_choosing_the_backend(monkeypatch):
    assert choose_backend() == "kernel"
    monkeypatch.setenv(module.ENVIRONMENT, "scipy")
    assert choose_backend() == "scipy"
    assert choose_backend("kernel") == "kernel"
    with pytest.raises(ValueError, match="did you mean 'kernel'"):
        choose_backend("kernal")


def test_without_numba():
    """The same kernel runs as plain Python, slowly, and says so."""
    text = (
        "import sys; sys.modules['numba'] = None\n"
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'numba' else find(name, *rest)\n"
        "import numpy as np\n"
        "from pamm.ops.boundaries.counts import boundary_counts\n"
        "rng = np.random.default_rng(0)\n"
        "maps = rng.random((20, 30), np.float32), rng.random((1, 20, 30)) < 0.1\n"
        "options = dict(thresholds=(0.1, 0.5, 0.9), tolerance=2.5, strict=True)\n"
        "print(*(boundary_counts(*maps, backend=way, **options).tolist() for way in ('kernel', 'scipy')), sep='|')\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    plain, twin = done.stdout.strip().split("|")
    assert plain == twin
    assert "pip install 'pamm[boundary]'" in done.stderr


def test_where_nothing_can_be_kept():
    """Neither the package's folder nor the user's can be written to."""
    text = (
        "import numpy as np; from numba.core import caching; caching.CacheImpl._locator_classes = []; "
        "from pamm.ops.boundaries.maps import thin; print(thin(np.ones((3, 9), bool)).sum())"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert done.stdout.strip() == "7", done.stderr
