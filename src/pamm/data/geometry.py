"""Labels that follow from other labels: normals from depth, boundaries from instances."""

from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.ops.boundaries.maps import thin

Floats = NDArray[np.float64]


def boundaries_from_labels(labels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Lines of one pixel where neighbouring pixels carry different labels.

    Pixels on both sides of a change are marked and the line is thinned, as for the boundaries of PASCAL-Context.

    Args:
        labels: (H, W), of instances or classes.

    Returns:
        (H, W) uint8, 1 on a boundary.
    """
    marked = np.zeros(labels.shape, dtype=bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = labels[one] != labels[other]
        marked[one] |= differs
        marked[other] |= differs
    return thin(marked).astype(np.uint8)


def normals_from_depth(
    depth: NDArray[np.float32],
    focal: tuple[float, float],
    centre: tuple[float, float],
    *,
    window: int = 9,
    tolerance: float = 0.02,
) -> NDArray[np.float32]:
    """Directions of the surfaces a pinhole camera sees.

    The inverse depth of a plane is linear in the pixel's place, so a plane is fitted to the inverse depth by least
    squares. Of nine windows around each pixel, one in its middle and eight beside it, the one with the smallest
    error counts, so that normals stay crisp where two surfaces meet.

    Args:
        depth: (H, W) metres along the optical axis; 0 or less, or not finite, where there is none.
        focal: focal lengths along x and y, in pixels.
        centre: column and row of the principal point, in pixels; the middle of the first pixel is (0, 0).
        window: side of the windows in pixels, odd.
        tolerance: largest relative distance of a pixel's inverse depth from its plane, and of the window's pixels on
            average; beyond it, as on thin or frayed things, there is no normal.

    Returns:
        (H, W, 3) unit vectors, x to the right, y up, z towards the camera; zero where there is none.
    """
    known = np.isfinite(depth) & (depth > 0)
    inverse = np.zeros(depth.shape)
    inverse[known] = 1 / depth[known].astype(np.float64)
    rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float64)
    x, y = (columns - centre[0]) / focal[0], (rows - centre[1]) / focal[1]
    radius = window // 2
    planes = _fit_planes(inverse, x, y, known, window).astype(np.float32)
    planes = np.pad(planes, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    x, y, inverse = x.astype(np.float32), y.astype(np.float32), inverse.astype(np.float32)
    best = np.full(planes[:, radius:-radius, radius:-radius].shape, np.inf, dtype=np.float32)
    for down, right in product((radius, 0, 2 * radius), repeat=2):
        plane = planes[:, down : down + depth.shape[0], right : right + depth.shape[1]]
        off = np.abs(plane[0] * x + plane[1] * y + plane[2] - inverse)
        np.copyto(best, plane, where=(off <= tolerance * inverse) & (plane[3] < best[3]))
    # a plane n·P = k seen at P = depth·(x, y, 1), y down, has 1/depth = n·(x, y, 1)/k; it faces the camera
    normals = np.stack([-best[0], best[1], best[2]], axis=-1)
    length = np.linalg.norm(normals, axis=-1)
    valid = known & (best[3] <= (tolerance * inverse) ** 2) & (length > 0)
    return np.where(valid[..., None], normals / np.where(valid, length, 1)[..., None], np.float32(0))


def _fit_planes(values: Floats, x: Floats, y: Floats, known: NDArray[np.bool_], window: int) -> Floats:
    """(4, H, W): slopes along x and y, constant, mean squared error of the plane through each window's known values.

    The error is infinite where fewer than half of the window's pixels are known, or they lie on a line.
    """

    def mean(of: Floats) -> Floats:
        total = cv2.boxFilter(of * known, cv2.CV_64F, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(total / count, dtype=np.float64)

    count = cv2.boxFilter(
        known.astype(np.float64), cv2.CV_64F, (window, window), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    enough = count > window * window / 2
    count = np.maximum(count, 1)
    mean_x, mean_y, mean_v = mean(x), mean(y), mean(values)
    xx, xy, yy = mean(x * x) - mean_x**2, mean(x * y) - mean_x * mean_y, mean(y * y) - mean_y**2
    xv, yv = mean(x * values) - mean_x * mean_v, mean(y * values) - mean_y * mean_v
    determinant = xx * yy - xy * xy
    enough &= determinant > 1e-6 * xx * yy
    determinant = np.where(enough, determinant, 1)
    slope_x, slope_y = (xv * yy - yv * xy) / determinant, (yv * xx - xv * xy) / determinant
    error = mean(values * values) - mean_v**2 - slope_x * xv - slope_y * yv
    constant = mean_v - slope_x * mean_x - slope_y * mean_y
    return np.stack([slope_x, slope_y, constant, np.where(enough, np.maximum(error, 0), np.inf)])
