"""Boundaries of label maps, as the published boundary scores define the truth."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage import measure, morphology

from pamm.ops.boundaries.counts import choose_backend

_thin: Callable[[NDArray[np.bool_]], NDArray[np.bool_]] = morphology.thin
_components: Callable[..., NDArray[np.int64]] = measure.label


def label_boundaries(labels: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Pixels whose neighbour to the east, south or south-east carries another label.

    The last column looks south only, the last row east only.

    Args:
        labels: (H, W), of any integers.

    Returns:
        (H, W), true on a boundary.
    """
    marked = np.zeros(labels.shape, dtype=bool)
    marked[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    marked[:-1] |= labels[:-1] != labels[1:]
    marked[:-1, :-1] |= labels[:-1, :-1] != labels[1:, 1:]
    return marked


def boundary_truth(labels: NDArray[np.generic], *, relabel: bool) -> NDArray[np.uint8]:
    """The true boundaries of the published protocols: those of a label map, thinned to one pixel.

    Args:
        labels: (H, W), of any integers. NYUD-v2's protocol takes the stored edge map for a map of two labels.
        relabel: whether parts of one label that do not touch along a side count as different, as for PASCAL-Context.

    Returns:
        (H, W) uint8, 1 on a boundary.
    """
    if relabel:
        labels = _components(labels, background=-1, connectivity=1)
    return thin(label_boundaries(labels)).astype(np.uint8)


def thin(marked: NDArray[np.bool_], *, backend: str | None = None) -> NDArray[np.bool_]:
    """Thin a map (H, W) to lines of one pixel: Guo and Hall's algorithm until nothing changes.

    Args:
        marked: (H, W).
        backend: see :func:`pamm.ops.boundaries.counts.boundary_counts`; with ``scipy`` it is scikit-image's.
    """
    if choose_backend(backend) == "scipy":
        return np.asarray(_thin(marked), dtype=bool)
    from pamm.ops.boundaries.kernel import thin_by_kernel

    return thin_by_kernel(marked)
