"""How many boundary pixels two maps have in common at each threshold, and which implementation counts them."""

import os
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pamm.names import unknown_name
from pamm.ops.boundaries.grid import level_map
from pamm.ops.boundaries.naive import count_naive

Backend = Literal["kernel", "scipy"]
ENVIRONMENT = "PAMM_BOUNDARY_BACKEND"
"""Environment variable with the name of the backend to use where the call names none."""


def boundary_counts(
    strength: NDArray[np.floating],
    truths: NDArray[np.bool_],
    *,
    thresholds: Sequence[float],
    tolerance: float,
    strict: bool,
    backend: str | None = None,
) -> NDArray[np.int64]:
    """Cut a map at each threshold, thin it, and match its pixels one to one with true ones nearby.

    A matching is a largest one (maximum cardinality). The original program looks for the cheapest, with a price on
    every pixel left alone; its matchings are at most a few pixels smaller.

    Args:
        strength: (H, W) strength of predicted boundaries.
        truths: (A, H, W) true boundaries of one or more annotators, each matched by itself.
        thresholds: ascending cuts of the strength.
        tolerance: largest distance of a match in pixels.
        strict: whether a pixel must be above a threshold, or may be equal to it.
        backend: ``kernel``, which numba compiles where it is installed, or ``scipy``, its slow twin; left out, what
            the environment variable ``PAMM_BOUNDARY_BACKEND`` names, or the kernel.

    Returns:
        (thresholds, 4): true pixels matched, true pixels (both summed over annotators), predicted pixels matched with
        any annotator, predicted pixels.

    Raises:
        ValueError: if the shapes do not fit, or the backend is unknown.
    """
    if strength.ndim != 2 or truths.ndim != 3 or truths.shape[1:] != strength.shape:
        raise ValueError(
            f"strength is {strength.shape}, the truth {truths.shape}: give (H, W) and (annotators, H, W) of one size"
        )
    cuts = np.asarray(thresholds, dtype=strength.dtype)
    levels = np.searchsorted(cuts, strength.ravel(), side="left" if strict else "right").reshape(strength.shape)
    truths = truths.astype(bool)
    if choose_backend(backend) == "scipy":
        return count_naive(levels, truths, tolerance=tolerance, count=len(cuts))
    from pamm.ops.boundaries.kernel import count_by_kernel

    return count_by_kernel(level_map(levels, truths, tolerance), len(cuts))


def choose_backend(name: str | None = None) -> Backend:
    """The implementation that serves: the one that is named, by argument or environment, or the kernel.

    Raises:
        ValueError: if there is none of that name.
    """
    wanted = name or os.environ.get(ENVIRONMENT) or "kernel"
    if wanted not in get_args(Backend):
        raise unknown_name("way to count boundaries", wanted, get_args(Backend))
    if wanted == "scipy":
        return "scipy"
    _warn_if_slow()
    return "kernel"


@cache
def _warn_if_slow() -> None:
    if find_spec("numba") is None:
        warnings.warn(
            "boundaries are scored without numba, many times slower: pip install 'pamm[boundary]'", stacklevel=3
        )
