"""Size, speed and scores of exported files, beside the network they come from.

Run ``python benchmarks/export.py`` (``--help`` lists the options; the extra ``export`` is needed). Files are made anew,
which takes minutes. Times are medians over rounds in which all take turns, on as many threads each, so that a busy
machine slows all alike; the ratio is to the fused network in PyTorch, as `pamm predict` runs it. Scores are on rendered
scenes that the weights never saw; ``--preset`` takes a network with new weights instead, which has none.

    python benchmarks/export.py --json benchmarks/results/export.json
    python benchmarks/export.py --preset pamm_small --files ONNX --json benchmarks/results/export_small.json
"""

import argparse
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch
from network_timing import Work, clock_of, in_turns, machine_name
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.evaluate import evaluate
from pamm.engine.export.compare import Runner, compare
from pamm.engine.export.export import export
from pamm.engine.export.onnx_file import Precision, lower_precision, run_onnx
from pamm.engine.weights import load_weights
from pamm.models import PAMM, create_model, fuse

FILES: dict[str, dict[str, Any]] = {
    "ONNX": {"out": "any.onnx"},
    "ONNX, one size": {"out": "fixed.onnx", "image_size": (128, 160)},
    "torch": {"out": "standard.pt2"},
    "torch, fast": {"out": "fast.pt2", "fast": True},
}
"""What is exported, and how."""
LOWER: dict[str, Precision] = {"ONNX, fp16": "fp16", "ONNX, int8": "int8"}
"""What is made of the first of them."""


class FileNetwork(nn.Module):
    """A file in the place of the network, so that it is scored in the same way."""

    def __init__(self, model: PAMM, run: Runner) -> None:
        """Take the network, for its config, and what runs the file."""
        super().__init__()
        self.model, self.config, self.run = model, model.config, run
        self.mean, self.std = (torch.tensor(values).view(3, 1, 1) for values in (model.config.mean, model.config.std))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Outputs of a normalised image (b, 3, H, W)."""
        return dict(self.run(image * self.std + self.mean))


@dataclass(frozen=True)
class Row:
    """A file, or the network itself."""

    name: str
    megabytes: float
    """What is stored, in 10⁶ bytes."""
    relative: float | None
    """Largest difference from the network over the largest value."""
    milliseconds: float
    """Median time of one image."""
    ratio: float
    """That time over the network's."""
    scores: dict[str, float]
    """Headline scores by task."""


def _runner(file: Path) -> Runner:
    return run_onnx(file) if file.suffix == ".onnx" else torch.export.load(file).module()


def _facts(file: Path, network: FileNetwork, image_size: tuple[int, int] | None) -> tuple[float, float]:
    """Size in 10⁶ bytes, and largest difference from the network."""
    _, found = compare(network.run, network.model, image_size=image_size, decode=False)
    return file.stat().st_size / 1e6, max(difference.relative for difference in found.values())


def measure(
    weights: str, preset: str | None, names: list[str], scenes: int, rounds: int, onnx: Path | None, console: Console
) -> list[Row]:
    """Export, time and, without a preset, score."""
    model = load_weights(weights) if preset is None else create_model(preset).eval()
    config = model.config
    data = open_dataset(DataConfig(seed=7, length=scenes), canvas=config.image_size, scoring=True, tasks=config.tasks)
    image = torch.rand(1, 3, *config.image_size, generator=torch.Generator().manual_seed(0))
    fused = fuse(model)
    networks: dict[str, nn.Module] = {"network": fused}
    stored = sum(value.nbytes for value in model.state_dict().values()) / 1e6
    facts: dict[str, tuple[float, float | None]] = {"network": (stored, None)}
    with TemporaryDirectory() as folder:
        for name in names:
            options = FILES[name]
            file = onnx if onnx and name == "ONNX" else Path(folder) / options["out"]
            if file != onnx:
                console.print(f"exporting {name}", highlight=False)
                export(model, **{**options, "out": file})
            networks[name] = FileNetwork(model, _runner(file))
            facts[name] = _facts(file, networks[name], options.get("image_size"))
            for lower, precision in LOWER.items() if name == "ONNX" else ():
                smaller = Path(folder) / f"{precision}.onnx"
                shutil.copyfile(file, smaller)
                lower_precision(smaller, precision)
                networks[lower] = FileNetwork(model, _runner(smaller))
                facts[lower] = _facts(smaller, networks[lower], None)
        works: dict[str, Work] = {name: lambda network=network: network(image) for name, network in networks.items()}
        with torch.inference_mode():
            seconds = in_turns(works, rounds, clock_of("cpu"))
        rows = []
        for name, network in networks.items():
            scored = {}
            # the others' numbers are the network's
            if preset is None and name in ("network", "ONNX", *LOWER):
                console.print(f"scoring {name}", highlight=False)
                scored = evaluate(network, data, batch_size=1).tasks
            scores = {task: found.value for task, found in scored.items()}
            rows.append(Row(name, *facts[name], 1e3 * seconds[name], seconds[name] / seconds["network"], scores))
    return rows


def results_table(rows: list[Row]) -> Table:
    """One row a file."""
    tasks = list(rows[0].scores)
    table = Table("", title="exported files beside the network")
    for column in ("MB", "largest difference", "ms", "× network", *tasks):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.megabytes:.1f}",
            "" if row.relative is None else f"{row.relative:.0e}",
            f"{row.milliseconds:.0f}",
            f"{row.ratio:.2f}",
            *(f"{row.scores[task]:.3f}" if row.scores else "" for task in tasks),
        )
    return table


def main() -> None:
    """Print the table, and write the results as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="pamm-tiny-scenes", help="of images of 128×160 pixels, for the fixed size")
    parser.add_argument("--preset", help="a network with new weights instead, without scores")
    parser.add_argument("--files", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument(
        "--onnx", type=Path, help="file of these weights that `pamm export` wrote, instead of a new one"
    )
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="file to write the results to")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console()
    record = {
        "machine": machine_name("cpu"),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "load": os.getloadavg()[0],
        **{key: getattr(arguments, key) for key in ("weights", "preset", "scenes", "rounds", "threads")},
    }
    console.print(
        "{machine}, torch {torch}, onnxruntime {onnxruntime}, {threads} thread(s), load {load:.1f} at the start, "
        "{scenes} scenes".format_map(record)
    )
    given = (arguments.weights, arguments.preset)
    rows = measure(*given, arguments.files, arguments.scenes, arguments.rounds, arguments.onnx, console)
    console.print(results_table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps({**record, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
