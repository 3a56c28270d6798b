"""Many photos: reading ahead, batches and writing in threads beside the plain loop, and where the time goes.

Run ``python benchmarks/many.py`` (``--help`` lists the options). The photos are four that scikit-image ships, at their
own sizes (300×451 to 512×512), as JPEG files, some of each. The plain loop is ``predictor(path).save(folder)``, one
photo after the other; the others are ``predict_files`` with so many threads that read, and as many that write. All
write the same files: pictures, values and overview. They are measured in turns, in one process; times are medians over
the rounds. PyTorch has as many threads as there are processors, unless ``OMP_NUM_THREADS`` says otherwise.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from skimage import data

from pamm.engine.predict_files import predict_files
from pamm.engine.prediction import PARTS
from pamm.engine.predictor import Predictor, load

NAMES = ("astronaut", "chelsea", "coffee", "rocket")


def write_photos(folder: Path, count: int) -> list[Path]:
    """Photos as JPEG files, in turns."""
    paths = []
    for number in range(count):
        path = folder / f"{number:04d}.jpg"
        Image.fromarray(getattr(data, NAMES[number % len(NAMES)])()).save(path, quality=90)
        paths.append(path)
    return paths


def plain_loop(predictor: Predictor, photos: list[Path], out: Path) -> None:
    """One after the other."""
    for path in photos:
        predictor(path).save(out / path.stem)


def many(predictor: Predictor, photos: list[Path], out: Path, *, batch_size: int, workers: int) -> None:
    """The way of ``pamm predict``."""
    result = predict_files(predictor, photos, out, batch_size=batch_size, workers=workers)
    assert len(result.done) == len(photos)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def steps(predictor: Predictor, photos: list[Path], out: Path) -> dict[str, float]:
    """Milliseconds of processor time a photo of each step of the plain loop."""
    total = dict.fromkeys(("read, resize, pad", "network", "maps at the photo's size", *PARTS), 0.0)
    for path in photos:
        start = time.process_time()
        item = predictor.prepare(path)
        total["read, resize, pad"] += time.process_time() - start
        start = time.process_time()
        outputs = {name: values[0] for name, values in predictor.forward(item.tensor[None]).items()}
        total["network"] += time.process_time() - start
        start = time.process_time()
        prediction = predictor.finish(item, outputs)
        total["maps at the photo's size"] += time.process_time() - start
        for part in PARTS:
            start = time.process_time()
            prediction.save(out / path.stem, parts=[part])
            total[part] += time.process_time() - start
    return {name: 1000 * value / len(photos) for name, value in total.items()}


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--weights", default="pamm-tiny-scenes")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    options = parser.parse_args()
    predictor = load(options.weights, fused=True)
    ways: dict[str, Callable[..., None]] = {"plain loop": plain_loop}
    for batch_size, workers in ((8, 1), (8, 2), (1, 2)):
        ways[f"batches of {batch_size}, {workers} + {workers} threads"] = partial(
            many, batch_size=batch_size, workers=workers
        )
    times: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "photos").mkdir()
        photos = write_photos(Path(folder) / "photos", options.photos)
        plain_loop(predictor, photos[:4], Path(folder) / "warm")
        for turn in track(range(options.rounds), description="measuring", transient=True):
            for name, way in ways.items():
                out = Path(folder) / f"{turn}-{name}"
                times[name].append(seconds(partial(way, predictor, photos, out)))
        parts = steps(predictor, photos[:8], Path(folder) / "steps")
    found = {name: statistics.median(values) for name, values in times.items()}
    console = Console()
    table = Table(title=f"{len(photos)} photos, {os.cpu_count()} processors, {torch.get_num_threads()} PyTorch threads")
    for heading in ("way", "photos a second", "of the plain loop"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for name, value in found.items():
        table.add_row(name, f"{len(photos) / value:.2f}", f"{found['plain loop'] / value:.2f}×")
    console.print(table)
    table = Table("step of the plain loop", "ms of processor time a photo")
    for name, value in parts.items():
        table.add_row(name, f"{value:.1f}")
    console.print(table)
    if options.json is not None:
        record = {"photos": len(photos), "seconds": times, "milliseconds_of_steps": parts, "cpus": os.cpu_count()}
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
