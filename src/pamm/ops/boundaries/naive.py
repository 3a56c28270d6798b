"""Thinning and matching of boundaries level by level, by scipy and scikit-image: the slow twin of the kernel."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, spatial
from scipy.sparse.csgraph import maximum_bipartite_matching
from skimage import morphology

_thin: Callable[[NDArray[np.bool_]], NDArray[np.bool_]] = morphology.thin
_match: Callable[..., NDArray[np.int32]] = maximum_bipartite_matching
_tree: Callable[[NDArray[np.intp]], Any] = spatial.KDTree
_graph: Callable[..., Any] = sparse.csr_array
_ROUNDING = 1e-9


def count_naive(
    levels: NDArray[np.integer], truths: NDArray[np.bool_], *, tolerance: float, count: int
) -> NDArray[np.int64]:
    """Count matches at every level; see :func:`pamm.ops.boundaries.counts.boundary_counts`.

    Args:
        levels: (H, W), how many thresholds each pixel passes.
        truths: (A, H, W) true boundaries of each annotator.
        tolerance: largest distance of a match in pixels.
        count: number of levels.
    """
    counts = np.zeros((count, 4), dtype=np.int64)
    counts[:, 1] = truths.sum()
    trees = [_tree(np.argwhere(truth)) for truth in truths if truth.any()]
    for level in range(1, count + 1):
        predicted = np.argwhere(_thin(levels >= level))
        if len(predicted) == 0:
            break
        matches = [_matched(_tree(predicted), tree, tolerance) for tree in trees]
        counts[level - 1, 0] = sum(matched.sum() for matched in matches)
        counts[level - 1, 2] = np.any(matches, axis=0).sum() if matches else 0
        counts[level - 1, 3] = len(predicted)
    return counts


def _matched(predicted: Any, truth: Any, tolerance: float) -> NDArray[np.bool_]:  # noqa: ANN401  (untyped trees)
    """Which predicted pixels, given as trees of places like the true ones, a largest matching holds."""
    near: list[list[int]] = predicted.query_ball_tree(truth, tolerance * (1 + _ROUNDING))
    starts = np.cumsum([0, *map(len, near)])
    places = np.fromiter((place for row in near for place in row), dtype=np.int64, count=starts[-1])
    graph = _graph((np.ones(len(places), dtype=bool), places, starts), shape=(predicted.n, truth.n))
    return np.asarray(_match(graph, perm_type="column") >= 0)
