"""How long odsF takes, and how far its matching is from the cheapest one-to-one assignment.

    python benchmarks/boundary.py

Writes 654 maps of 425×560 pixels (rendered rooms: their true boundaries blurred, with the photo's own edges and noise)
and times `pamm boundary score --protocol nyud` on them, start-up included: once with nothing compiled yet, once with
the compiled kernels that the first run left. Then matches some of them exactly, at the least sum of distances among
the largest matchings, with scipy's linear_sum_assignment, as the original program means to.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from scipy.optimize import linear_sum_assignment
from scipy.spatial import KDTree
from skimage.morphology import thin

from pamm.data.scenes import ScenesDataset
from pamm.engine.boundaries.files import read_probability, read_truth
from pamm.metrics.boundary import PROTOCOLS, f_measures, image_counts
from pamm.ops.boundaries.suppress import suppress

SIZE = (425, 560)
SCENES = 24
ALONE = 1e4
"""Price of a pair out of reach, more than any sum of distances that it could save."""


def write_maps(folder: Path, count: int) -> None:
    """Write so many predictions and truths, all different."""
    scenes = ScenesDataset(seed=11, length=SCENES, height=SIZE[0], width=SIZE[1])
    rng = np.random.default_rng(0)
    samples = [scenes[index] for index in range(min(SCENES, count))]
    for name in ("pred", "true"):
        (folder / name).mkdir()
    for number in range(count):
        sample = samples[number % len(samples)]
        lines = sample.labels["edge"] == 1
        grey = cv2.GaussianBlur(cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5)
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        soft = cv2.GaussianBlur(lines.astype(np.float32), (0, 0), rng.uniform(1, 2.5))
        chance = 0.7 * soft / soft.max() + 0.5 * slope / slope.max() + rng.normal(0, 0.01, SIZE)
        mirror = np.s_[:, :: rng.choice((-1, 1))]
        for name, share in (("pred", np.clip(chance, 0, 1)), ("true", lines)):
            cv2.imwrite(f"{folder}/{name}/{number:04d}.png", np.rint(255 * share[mirror]).astype(np.uint8))


def time_command(folder: Path, cache: Path) -> float:
    """Seconds of the whole command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pamm", "boundary", "score", folder / "pred", folder / "true"]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    options = ["--protocol", "nyud", "--json", folder / "scores.json"]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def cheapest_assignment(predicted: np.ndarray, true: np.ndarray, tolerance: float) -> int:
    """Number of pairs of the assignment at the least sum of distances, in which each pixel may also stay alone."""
    near = KDTree(predicted).sparse_distance_matrix(KDTree(true), tolerance, output_type="coo_matrix")
    cost = np.full((len(predicted), len(true)), ALONE, np.float32)
    cost[near.row, near.col] = near.data
    cost = cost[np.unique(near.row)]
    return int((cost[linear_sum_assignment(cost)] < ALONE).sum())


def compare(folder: Path, images: int, console: Console) -> dict[str, float]:
    """Time and counts of exact matching beside ours, at every tenth threshold of some images."""
    protocol = PROTOCOLS["nyud"]
    tolerance = protocol.tolerance * float(np.hypot(*SIZE))
    image_counts(np.zeros(SIZE), np.zeros(SIZE), protocol)  # compiles
    ours = exact = 0.0
    largest, pairs = 0.0, 0
    for number in range(images):
        name = f"{number:04d}.png"
        probability, truth = read_probability(folder / "pred" / name), read_truth(folder / "true" / name, protocol)
        start = time.perf_counter()
        counts = image_counts(probability, truth, protocol)
        ours += time.perf_counter() - start
        lines, true = suppress(probability), np.argwhere(truth[0])
        for level in range(0, len(protocol.thresholds), 10):
            predicted = np.argwhere(thin(lines > np.float32(protocol.thresholds[level])))
            start = time.perf_counter()
            matched = cheapest_assignment(predicted, true, tolerance)
            exact += (time.perf_counter() - start) * len(protocol.thresholds) / len(protocol.thresholds[::10])
            pairs += abs(matched - int(counts[level, 0]))
            theirs = np.array([matched, len(true), matched, len(predicted)])
            largest = max(largest, float(abs(f_measures(theirs) - f_measures(counts[level]))[2]))
    console.print(
        f"{images} images at 101 thresholds: ours {ours / images:.3f} s an image, cheapest assignment "
        f"{exact / images:.1f} s, {exact / ours:.0f} times as long; {pairs} pairs differ, F by at most {largest:.4f}"
    )
    return {"ours_s": ours / images, "exact_s": exact / images, "ratio": exact / ours, "largest_f": largest}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=654)
    parser.add_argument("--exact", type=int, default=2, help="images that are matched exactly too")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_maps(folder, options.images)
        cold, warm = (time_command(folder, folder / "cache") for _ in range(2))
        odsf = json.loads((folder / "scores.json").read_text())["odsF"]
        console.print(
            f"{options.images} maps of {SIZE[0]}×{SIZE[1]}, 101 thresholds, {os.cpu_count()} processors: {cold:.0f} s "
            f"with compiling, {warm:.0f} s without (odsF {odsf:.4f})"
        )
        found = {"images": options.images, "processors": os.cpu_count(), "cold_s": cold, "warm_s": warm}
        if options.exact:
            found |= compare(folder, options.exact, console)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
