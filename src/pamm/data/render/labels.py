"""The six label maps of a rendered scene, exact at the centres of the pixels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage import morphology

from pamm.data.render.camera import Floats, View
from pamm.data.render.stage import Scene

_thin: Callable[..., NDArray[np.bool_]] = morphology.thin
_JUMP = 0.06
"""Distance between neighbours' planes, as a share of their depth, that counts as a discontinuity of depth."""


def instances_by_distance(instance: NDArray[np.int16], depth: Floats, sides: int) -> NDArray[np.int32]:
    """Renumber instances (H, W) so that a larger number is nearer; the first ``sides`` stay behind all others."""
    flat = instance.ravel().astype(np.intp)
    count = np.bincount(flat)
    mean = np.bincount(flat, depth.ravel()) / np.maximum(count, 1)
    mean[:sides] = 1e6 - np.arange(min(sides, len(mean)))
    rank = np.empty(len(mean), np.int32)
    rank[np.argsort(-mean, kind="stable")] = np.arange(len(mean))
    return rank[instance]


def boundaries(rank: NDArray[np.int32], depth: Floats, normal: Floats, view: View) -> NDArray[np.uint8]:
    """Boundaries (H, W), one pixel wide, on the nearer side of each.

    A boundary lies between neighbours of different instances, and where the depth [m] of one instance jumps: where a
    pixel's point is further than 6 % of its depth from the plane through its neighbour, seen from both. Where something
    is so slim that its two boundaries touch, they are thinned to one line.

    Args:
        rank: (H, W) instances, larger ones nearer.
        depth: (H, W) metres.
        normal: (H, W, 3) camera-frame unit normals.
        view: the camera.
    """
    u, v = view.u[1::2], view.v[1::2]
    point = np.stack([depth * u, depth * v[:, None], -depth], axis=-1)
    offset = np.einsum("hwk,hwk->hw", point, normal)
    out = np.zeros(rank.shape, np.uint8)
    for first, second in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        differs = rank[first] != rank[second]
        closer = np.minimum(depth[first], depth[second])
        one = np.abs(np.einsum("hwk,hwk->hw", point[second], normal[first]) - offset[first])
        other = np.abs(np.einsum("hwk,hwk->hw", point[first], normal[second]) - offset[second])
        jump = ~differs & (np.minimum(one, other) > _JUMP * closer)
        near_first = np.where(differs, rank[first] > rank[second], depth[first] < depth[second])
        edge = differs | jump
        out[first] |= edge & near_first
        out[second] |= edge & ~near_first
    return _thin(out, max_num_iter=2).astype(np.uint8)


def label_maps(
    scene: Scene,
    view: View,
    classes: dict[str, int],
    subject: int,
    *,
    depth: Floats,
    row: NDArray[np.int16],
    normal: Floats,
) -> dict[str, NDArray[np.generic]]:
    """All six maps.

    Args:
        scene: what was rendered.
        view: the camera.
        classes: number of each class by name.
        subject: instance that is salient.
        depth: (H, W) metres along the optical axis.
        row: (H, W) solid.
        normal: (H, W, 3) unit normals in the world.
    """
    instance = scene.instance[row]
    to_class = np.array([classes[label] for label in scene.labels], np.uint8)
    camera_normal = normal @ view.axes.T
    rank = instances_by_distance(instance, depth, 6)
    return {
        "semseg": to_class[instance],
        "depth": depth,
        "normals": camera_normal,
        "edge": boundaries(rank, depth, camera_normal, view),
        "saliency": (instance == subject).astype(np.uint8),
        "human_parts": scene.part[row],
    }
