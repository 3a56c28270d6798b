"""odsF of OpenCV's Canny detector on photos with the boundaries that several people drew.

    python benchmarks/boundary_bsds.py PATH/bsds_sod

PATH holds ``images``, ``boundaries`` (16 bits: the number of annotators and their lines) and ``val.txt``. The detector
smooths the grey photo and keeps, for each pixel, the share of thresholds at which Canny marks it. Published for a
Canny of this kind on the 200 test photos of BSDS500: odsF 0.60, oisF 0.63, AP 0.58 (Arbelaez et al. 2011, table 3,
https://doi.org/10.1109/TPAMI.2010.161).
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from pamm.engine.boundaries.folders import score_folders
from pamm.metrics.boundary import PROTOCOLS

SIGMA = 2.0
"""Standard deviation of the smoothing in pixels."""
LOW = 0.4
"""Lower threshold of the hysteresis over the upper one."""
STEEPEST = 40.0
"""Upper threshold of the last cut, in grey levels a pixel."""
GAIN = 32
"""Values of the slopes that Canny gets for a grey level a pixel: 8 of the Sobel filter, four times finer."""


def canny(photo: np.ndarray, cuts: int = 100) -> np.ndarray:
    """(H, W) uint8: 255 times the share of thresholds at which a pixel of a BGR photo is a boundary."""
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY).astype(np.float32), (0, 0), SIGMA)
    across, down = (
        np.rint(cv2.Sobel(grey, cv2.CV_32F, *order, scale=GAIN / 8)).astype(np.int16) for order in ((1, 0), (0, 1))
    )
    uppers = np.linspace(0, GAIN * STEEPEST, cuts + 1)[1:]
    marks = [cv2.Canny(across, down, LOW * upper, upper, L2gradient=True) > 0 for upper in uppers]
    return np.rint(255 * np.mean(marks, axis=0)).astype(np.uint8)


def main() -> None:
    """Score the validation photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    root = parser.parse_args().root
    names = (root / "val.txt").read_text().split()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            photo = cv2.imread(str(next((root / "images").glob(f"{name}.*"))))
            cv2.imwrite(f"{folder}/{name}.png", canny(photo))
        start = time.perf_counter()
        result = score_folders(Path(folder), root / "boundaries", PROTOCOLS["bsds"], workers=2)
    scores = result.scores
    Console(width=120).print(
        f"{len(names)} photos in {time.perf_counter() - start:.1f} s: odsF {scores.odsF:.3f} at {scores.threshold:g}, "
        f"oisF {scores.oisF:.3f}, AP {scores.AP:.3f} (published for Canny on BSDS500: 0.60, 0.63, 0.58)"
    )


if __name__ == "__main__":
    main()
