"""Derived labels against surfaces whose normals are known, and lines that are one pixel wide."""

import cv2
import numpy as np
import pytest

from pamm.data.geometry import boundaries_from_labels, normals_from_depth
from pamm.data.images import read_map

SIZE, FOCAL, CENTRE = (90, 120), (100.0, 110.0), (59.5, 44.5)


def rays():
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (columns - CENTRE[0]) / FOCAL[0], (rows - CENTRE[1]) / FOCAL[1]


def plane(normal, distance=2.0):
    """Depth of the plane with this normal (x right, y up, z to the camera) at a distance from the camera."""
    x, y = rays()
    facing = normal[0] * x - normal[1] * y - normal[2]
    depth = np.where(facing < -1e-3, -distance / np.minimum(facing, -1e-3), 0)
    return np.where(depth < 50, depth, 0).astype(np.float32)


def angle(one, other):
    return np.degrees(2 * np.arctan2(np.linalg.norm(one - other, axis=-1), np.linalg.norm(one + other, axis=-1)))


def unit(*vector):
    return np.array(vector) / np.linalg.norm(vector)


NORMALS = [unit(0, 0, 1), unit(0.5, 0, 1), unit(-1, 0.1, 0.3), unit(0, 1, 0), unit(0, -1, 0.2), unit(0.3, 0.5, 0.8)]


@pytest.mark.parametrize("normal", NORMALS, ids=str)
@pytest.mark.parametrize("step", [0, 0.001])
def test_planes(normal, step):
    depth = plane(normal, 1.0)
    if step:
        depth = np.where(depth < 4, np.round(depth / step) * step, 0).astype(np.float32)
    normals = normals_from_depth(depth, FOCAL, CENTRE)
    found = (normals != 0).any(-1)
    assert found[depth > 0].mean() > 0.9
    assert not found[depth == 0].any()
    assert np.linalg.norm(normals[found], axis=-1) == pytest.approx(1, abs=1e-5)
    errors = angle(normals[found], normal)
    assert errors.mean() < (1 if step else 0.05)
    assert normals.dtype == np.float32


def test_a_wall_and_a_floor_meet_crisply():
    depth = np.minimum(*(np.where(d > 0, d, np.inf) for d in (plane(unit(0, 1, 0), 1), plane(unit(0, 0, 1), 3))))
    normals = normals_from_depth(depth.astype(np.float32), FOCAL, CENTRE)
    # away from the crease each pixel belongs to one of the two
    nearest = np.minimum(angle(normals, unit(0, 1, 0)), angle(normals, unit(0, 0, 1)))
    assert (nearest < 1).mean() > 0.99
    floor = angle(normals, unit(0, 1, 0)) < 1
    assert floor[-1].all()
    assert not floor[0].any()


def test_a_step_in_depth_does_not_bend_the_walls():
    depth = plane(unit(0, 0, 1), 3)
    depth[:, 60:] = 2
    normals = normals_from_depth(depth, FOCAL, CENTRE)
    assert (angle(normals, unit(0, 0, 1)) < 0.1).mean() > 0.99


def test_a_sphere():
    x, y = rays()
    direction = np.stack([x, y, np.ones_like(x)], -1)
    middle, radius = np.array([0, 0, 3.0]), 1.0
    a, b, c = (direction**2).sum(-1), direction @ middle, middle @ middle - radius**2
    inside = b * b - a * c > 0
    depth = np.where(inside, (b - np.sqrt(np.maximum(b * b - a * c, 0))) / a, 0).astype(np.float32)
    wanted = (direction * depth[..., None] - middle) * (1, -1, -1)
    normals = normals_from_depth(depth, FOCAL, CENTRE, window=5)
    found = (normals != 0).any(-1)
    assert found[inside].mean() > 0.9
    assert angle(normals, wanted)[found].mean() < 5


def test_single_points_have_no_normal():
    depth = np.zeros((30, 30), np.float32)
    depth[::6, ::6] = 2
    depth[0, 0] = np.nan
    assert (normals_from_depth(depth, FOCAL, CENTRE) == 0).all()
    assert (normals_from_depth(np.zeros((4, 4), np.float32), FOCAL, CENTRE) == 0).all()


def test_a_scanned_room_is_rectangular(shared):
    """The two walls of the first frame and the floor stand at right angles within a degree."""
    folder = shared / "data" / "replica_office0"
    depth = read_map(folder / "depth_mm" / "0000.png") * np.float32(0.001)
    classes = read_map(folder / "semantic" / "0000.png")
    normals = normals_from_depth(depth, (300, 300), (299.5, 169.5))
    walls, floor = normals[classes == 93], normals[classes == 40]
    left, right = (np.median(walls[walls[:, 0] * side > 0.3], axis=0) for side in (-1, 1))
    up = np.median(floor, axis=0)
    for one, other in ((left, right), (left, up), (right, up)):
        assert np.degrees(np.arccos(one @ other / np.linalg.norm(one) / np.linalg.norm(other))) == pytest.approx(
            90, abs=1
        )
    assert up[1] > 0.5
    assert up[2] > 0.5


def test_boundaries_lie_where_labels_meet_and_are_thin():
    labels = np.zeros((40, 50), np.int32)
    labels[10:30, 15:40] = 7
    cv2.circle(labels, (12, 30), 6, 9, -1)
    lines = boundaries_from_labels(labels)
    assert lines.dtype == np.uint8
    assert set(np.unique(lines)) == {0, 1}
    changes = np.zeros(labels.shape, bool)
    changes[1:] |= labels[1:] != labels[:-1]
    changes[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    near_change = cv2.dilate(changes.astype(np.uint8), np.ones((3, 3)))
    assert (lines <= near_change).all()
    assert (changes <= cv2.dilate(lines, np.ones((3, 3)))).all()
    blocks = lines[1:, 1:] + lines[:-1, 1:] + lines[1:, :-1] + lines[:-1, :-1]
    assert (blocks == 4).sum() == 0


def test_no_boundaries_in_an_even_map():
    assert boundaries_from_labels(np.full((5, 6), 3)).sum() == 0
