"""Small maps of boundaries: lines of a Voronoi diagram, and what a detector might make of them."""

import cv2
import numpy as np

SEISM = (0.001, *(step / 100 for step in range(1, 100)), 0.999)


def regions(rng, size=(60, 80), count=9):
    """A label map of a few convex regions."""
    seeds = rng.uniform((0, 0), size, (count, 2))
    places = np.stack(np.mgrid[: size[0], : size[1]], axis=-1)
    return np.linalg.norm(places[:, :, None] - seeds, axis=-1).argmin(axis=-1).astype(np.uint16)


def detector(lines, rng, *, noise=0.1):
    """(H, W) uint8: blurred lines with noise."""
    soft = cv2.GaussianBlur(lines.astype(np.float32), (0, 0), 1.5)
    soft = soft / max(soft.max(), 1e-6) + rng.normal(0, noise, lines.shape)
    return np.rint(np.clip(soft, 0, 1) * 255).astype(np.uint8)
