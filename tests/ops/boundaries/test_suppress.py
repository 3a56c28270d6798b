"""Non-maximum suppression keeps ridges."""

import numpy as np
import pytest

from pamm.ops.boundaries.suppress import suppress


def ridge(angle, size=(60, 60), width=3.0):
    """(H, W): a straight ridge through the middle, along a direction in degrees, and the distance from it."""
    rows, columns = np.mgrid[: size[0], : size[1]] - np.reshape([(side - 1) / 2 for side in size], (2, 1, 1))
    radians = np.deg2rad(angle)
    distance = columns * np.sin(radians) - rows * np.cos(radians)
    return np.exp(-((distance / width) ** 2)).astype(np.float32), np.abs(distance)


@pytest.mark.parametrize("angle", [1, 20, 45, 70, 90, 110, 135, 160])
def test_a_ridge_becomes_a_line(angle):
    strength, distance = ridge(angle)
    kept = suppress(strength)[6:-6, 6:-6] > 0.2
    assert (distance[6:-6, 6:-6][kept] < 1.5).all()
    # no gaps: the line crosses the image
    assert kept.any(axis=0).all() or kept.any(axis=1).all()
    assert kept.sum() < 3 * len(kept)


def test_values_are_kept_and_fade_at_the_border():
    strength, _ = ridge(90)
    kept = suppress(strength)
    inside = kept[5:-5]
    assert (inside[inside > 0] == strength[5:-5][inside > 0]).all()
    np.testing.assert_allclose(kept[:6].max(axis=1), strength.max() * np.arange(6) / 5, rtol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 4), (2, 30)])
def test_awkward_sizes(size):
    kept = suppress(np.ones(size, np.float32))
    assert kept.shape == size
    assert np.isfinite(kept).all()


def test_nothing_in_nothing_out():
    assert not suppress(np.zeros((20, 30), np.float32)).any()
