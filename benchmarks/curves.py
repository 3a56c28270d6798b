"""Draw how the validation scores of a training run, or of several that built on each other, developed.

python benchmarks/curves.py runs/scenes_tiny/log runs/scenes_tiny_2/log --out curves.png --csv curves.csv
"""

import argparse
import csv
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

HEADLINES = ("mIoU", "RMSE", "mErr", "AP", "maxF")


def validations(folder: Path) -> list[dict[str, float]]:
    """The validations of a run, in the order of their steps."""
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/loss")]
    return [
        # steps are counted from 0
        {"step": int(row["step"]) + 1}
        | {key[4:]: float(value) for key, value in row.items() if key.startswith("val/") and value}
        for row in rows
    ]


def main() -> None:
    """Read the arguments, write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, nargs="+", help="folders with the CSV logs of runs, in their order")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--csv", type=Path, required=True, help="table to write")
    arguments = parser.parse_args()
    parts: list[list[dict[str, float]]] = []
    for number, log in enumerate(arguments.logs, start=1):
        before = parts[-1][-1]["step"] if parts else 0
        parts.append([row | {"part": number, "step": before + row["step"]} for row in validations(log)])
    rows = [row for part in parts for row in part]
    names = ["loss", *(name for name in rows[0] if name.count("/") == 1 and name.split("/")[1] in HEADLINES)]
    with arguments.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["part", "step", *names], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: round(value, 4) for key, value in row.items()} for row in rows)
    columns = 4
    figure, axes = pyplot.subplots(
        math.ceil(len(names) / columns), columns, figsize=(11, 5), layout="constrained", squeeze=False
    )
    for axis, name in zip(axes.flat, names, strict=False):
        for part in parts:
            steps, values = [row["step"] for row in part], [row[name] for row in part]
            axis.plot(steps, values, marker="o", markersize=3, color="#2a6f97")
        axis.set_title(name.replace("/", ": ").replace("_", " "), fontsize=10)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    figure.supxlabel("step", fontsize=10)
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
