"""How near odsF is to the original program's, map by map.

    python benchmarks/boundary_original.py PATH/golden/boundary

PATH holds ``NAME_pred.png``, ``NAME_gt.png`` and ``NAME.csv``, the original's F, P, R, cntR, sumR, cntP, sumP at 101
thresholds. The original adds random edges to its graph, so the last column matters: by how much its own F varies on
one and the same cut map.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pamm.engine.boundaries.files import read_probability, read_truth
from pamm.metrics.boundary import PROTOCOLS, f_measures, image_counts
from pamm.ops.boundaries.suppress import suppress


def own_spread(strength: np.ndarray, thresholds: tuple[float, ...], f_measure: np.ndarray) -> float:
    """Largest difference of F between thresholds that cut the same map."""
    same: dict[bytes, list[float]] = {}
    for cut, value in zip(thresholds, f_measure, strict=True):
        same.setdefault((strength > np.float32(cut)).tobytes(), []).append(value)
    return max(np.ptp(values) for values in same.values())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    table = Table("map", "largest difference of F", "of odsF", "pairs the original lost", "spread of its own F")
    sums: dict[str, list[np.ndarray]] = {}
    for file in sorted(folder.glob("*.csv")):
        data = file.stem.partition("_")[0]
        protocol = PROTOCOLS["nyud" if data == "NYUD" else "pascal_context"]
        probability = read_probability(folder / f"{file.stem}_pred.png")
        ours = image_counts(probability, read_truth(folder / f"{file.stem}_gt.png", protocol), protocol)
        original = np.loadtxt(file, delimiter=",")
        theirs = original[:, [3, 4, 5, 6]]
        sums.setdefault(data, []).append(np.stack((ours, theirs)))
        spread = own_spread(suppress(probability), protocol.thresholds, original[:, 0])
        lost = int((ours - theirs)[:, 0].max())
        table.add_row(file.stem, *differences(ours, theirs), str(lost), f"{spread:.4f}")
    table.add_section()
    for data, pairs in sums.items():
        table.add_row(f"all of {data} together", *differences(*np.sum(pairs, axis=0)), "", "")
    Console(width=120).print(table)


def differences(ours: np.ndarray, theirs: np.ndarray) -> tuple[str, str]:
    """Largest difference of F over thresholds, and that of its maximum."""
    one, other = f_measures(ours)[2], f_measures(theirs)[2]
    return f"{np.abs(one - other).max():.4f}", f"{one.max() - other.max():+.4f}"


if __name__ == "__main__":
    main()
