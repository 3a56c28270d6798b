"""The demonstration: score the shipped weights on scenes they never saw, predict two photos, draw a page of it."""

import json
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from skimage import data as sample_photos

from pamm.data.files import atomic_write
from pamm.data.scenes import ScenesDataset
from pamm.engine.draw import overview
from pamm.engine.evaluate import evaluate
from pamm.engine.predictor import Predictor, load
from pamm.engine.report import Example, write_report

PHOTOS = ("astronaut", "coffee")
"""Photos that scikit-image ships, by the names of their functions."""


def demo(
    *,
    out: str | Path = "runs/demo",
    weights: str = "pamm-tiny-scenes",
    scenes: int = 100,
    seed: int = 7,
    drawn: int = 4,
    device: str | torch.device = "cpu",
    console: Console | None = None,
) -> Path:
    """Show what some weights can do.

    Args:
        out: folder to write to: ``index.html``, ``scores.json``, ``scenes/`` with pictures of scenes, truth above
            prediction, and a folder for each photo.
        weights: a shipped name, a folder of weights, or a hub name.
        scenes: how many held-out scenes to score.
        seed: the series of held-out scenes; shipped weights were trained on series 0.
        drawn: how many of the scenes to draw.
        device: where to predict, by name; ``auto`` takes the fastest there is.
        console: where to print the table of scores; by default the terminal.

    Returns:
        The page.

    Raises:
        ValueError: if there are no such weights or no such device, or the folder cannot be written to.
    """
    start = time.perf_counter()
    folder, console = Path(out), console or Console()
    predictor = load(weights, device=device)
    config = predictor.model.config
    height, width = config.image_size
    dataset = ScenesDataset(seed=seed, length=scenes, height=height, width=width)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task("scoring scenes", total=scenes)
        result = evaluate(
            predictor.model, dataset, progress=lambda done, total: bar.update(row, completed=done, total=total)
        )
    console.print(result.table())
    with atomic_write(folder / "scores.json") as path:
        path.write_text(json.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
    scene_examples = _scene_examples(predictor, dataset, folder / "scenes", count=min(drawn, scenes))
    photo_start = time.perf_counter()
    photos = [Example(name, predictor(getattr(sample_photos, name)())) for name in PHOTOS]
    photo_seconds = (time.perf_counter() - photo_start) / len(PHOTOS)
    for example in photos:
        example.prediction.save(folder / example.name)
    used = next(predictor.model.parameters()).device
    parameters = sum(parameter.numel() for parameter in predictor.model.parameters())
    facts = {
        "Command": f"`pamm demo --weights {weights} --scenes {scenes} --out {folder}`",
        "Weights": f"{weights}: {parameters / 1e6:.1f} million parameters, trained at {height}×{width} pixels",
        "Images": f"{scenes} rendered rooms of series {seed}; photos from scikit-image ({', '.join(PHOTOS)})",
        "Versions": f"pamm {version('pamm')}, PyTorch {torch.__version__}, Python {platform.python_version()}",
        "Machine": f"{platform.machine()}, {torch.get_num_threads()} threads; network on {used}",
        "Time": f"{result.seconds:.1f} s to render and score the scenes, {photo_seconds:.2f} s a photo, "
        f"{time.perf_counter() - start:.0f} s in all",
        "Date": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
    }
    return write_report(folder, tasks=config.tasks, result=result, scenes=scene_examples, photos=photos, facts=facts)


def _scene_examples(predictor: Predictor, dataset: ScenesDataset, folder: Path, *, count: int) -> list[Example]:
    """Predict and draw the first scenes."""
    samples = [dataset[index] for index in range(count)]
    examples = []
    for number, (sample, prediction) in enumerate(
        zip(samples, predictor.predict_batch([sample.image for sample in samples]), strict=True), start=1
    ):
        picture = overview(sample.image, prediction.maps, prediction.tasks, truth=sample.labels)
        with atomic_write(folder / f"scene_{number}.png") as path:
            picture.save(path, format="PNG")
        examples.append(Example(f"scene {number}", prediction, sample.labels))
    return examples
