"""Draw how the validation scores of a training run, or of several that built on each other, developed.

python benchmarks/curves.py runs/scenes_tiny/log runs/scenes_tiny_2/log --out curves.png --csv curves.csv
"""

import argparse
import csv
from pathlib import Path

from pamm.engine.figures import curve_figure, joined, read_log, save_figure
from pamm.engine.figures.curves import chosen_columns


def main() -> None:
    """Read the arguments, write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, nargs="+", help="folders with the CSV logs of runs, in their order")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--csv", type=Path, required=True, help="table to write")
    arguments = parser.parse_args()
    logs = [read_log(path) for path in arguments.logs]
    run = joined(logs)
    columns = [name for name in chosen_columns({"run": run}) if name.startswith("val/")]
    part = [number for number, log in enumerate(logs, start=1) for _ in log["val/loss"].steps]
    with arguments.csv.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["part", "step", *(name.removeprefix("val/") for name in columns)])
        values = [run[name].values.round(4).tolist() for name in columns]
        writer.writerows(zip(part, run["val/loss"].steps.tolist(), *values, strict=True))
    save_figure(curve_figure({"run": run}, columns=columns), arguments.out, dpi=200)


if __name__ == "__main__":
    main()
