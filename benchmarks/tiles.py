"""What tiles do to the scores, and how much of their seams is left.

Run ``python benchmarks/tiles.py`` (``--help`` lists the options). Rendered rooms, several times as high and wide as
those the shipped weights were trained on, are predicted as a whole at the trained size; in tiles that do not overlap,
on their own and fitted to the whole; and in tiles that overlap and are blended, again on their own and fitted. The
scores are those of ``pamm eval``. A seam is the largest mean step of the depth between two lines of pixels where tiles
begin or end, over the largest between any others: above 1 where tiles can be told.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from pamm.data.sample import to_tensors
from pamm.data.scenes import SCENES_TASKS, ScenesDataset
from pamm.engine.colours import Map, colour_map, value_span
from pamm.engine.evaluate import common_tasks
from pamm.engine.prediction import Prediction
from pamm.engine.predictor import Predictor, load
from pamm.engine.tiles.grid import Axis, Grid, Tiling
from pamm.engine.tiles.predictor import TiledPredictor
from pamm.metrics import task_scores
from pamm.tasks import Task

TRAINED = (128, 160)
TASKS = ["semseg", "depth", "normals", "saliency", "human_parts"]

Way = tuple[Callable[..., Prediction], Tiling | None]
"""What predicts a photo, and how it cuts it."""


def raw(task: Task, array: Map) -> Tensor:
    """Raw values that decode to a map, (1, channels, H, W)."""
    values = torch.from_numpy(np.array(array))
    if task.kind == "classes":
        return F.one_hot(values.long(), task.channels).permute(2, 0, 1)[None].float()
    if task.kind == "binary":
        logit = values.logit(eps=1e-6)
        return torch.stack([torch.zeros_like(logit), logit] if task.channels == 2 else [logit])[None]
    return torch.atleast_3d(values).permute(2, 0, 1)[None]


def worst_seam(array: Map, grid: Grid) -> float:
    """The largest mean step over a line where tiles begin or end, over the largest over any other line."""

    def ratio(steps: Map, along: Axis) -> float:
        lines = [start - 1 for start in along.starts[1:]] + [start + along.length - 1 for start in along.starts[:-1]]
        return float(steps[lines].max() / np.delete(steps, lines).max())

    down, across = (np.abs(np.diff(array, axis=axis)).mean(axis=1 - axis) for axis in (0, 1))
    return max(ratio(down, grid.down), ratio(across, grid.across))


def ways(predictor: Predictor, side: int | None) -> dict[str, Way]:
    """What is compared, by name."""
    tilings = {
        "tiles": Tiling(side, 0, guided=False),
        "tiles, fitted": Tiling(side, 0),
        "tiles, blended": Tiling(side, guided=False),
        "tiles, blended and fitted": Tiling(side),
    }
    tiled = {name: (TiledPredictor(predictor, tiling), tiling) for name, tiling in tilings.items()}
    return {"the whole, at the trained size": (predictor, None), **tiled}


def draw(compared: Mapping[str, Way], path: Path, *, height: int, width: int) -> None:
    """A room, and below each other its classes and its depth as each way has them."""
    room = ScenesDataset(seed=1, length=4, height=height, width=width)[3].image
    found = [predict(room) for predict, _ in compared.values()]
    rows = []
    for task in (task for task in found[0].tasks if task.name in ("semseg", "depth")):
        maps = [prediction.maps[task.name] for prediction in found]
        span = value_span(task, *maps)
        rows.append(np.concatenate([room, *(colour_map(task, array, span=span) for array in maps)], axis=1))
    picture = Image.fromarray(np.concatenate(rows))
    picture.resize((1800, 1800 * picture.height // picture.width), Image.Resampling.BOX).save(path, quality=90)


def main() -> None:
    """Print the table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--zoom", type=int, default=4, help="how many times as high and wide as in training")
    parser.add_argument("--side", type=int, help="rows and columns of a tile; the trained size if left out")
    parser.add_argument("--weights", default="pamm-tiny-scenes")
    parser.add_argument("--picture", type=Path, help="file to draw one room to")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    arguments = parser.parse_args()
    height, width = (side * arguments.zoom for side in TRAINED)
    scenes = ScenesDataset(seed=1, length=arguments.scenes, height=height, width=width)
    predictor = load(arguments.weights, fused=True, tasks=TASKS)
    tasks = common_tasks(predictor.tasks, SCENES_TASKS)
    compared = ways(predictor, arguments.side)
    scores = {name: task_scores(tasks) for name in compared}
    seams: dict[str, list[float]] = {name: [] for name in compared}
    console = Console(width=120)
    for number in track(range(len(scenes)), description="predicting", transient=True, console=console):
        scene = scenes[number]
        labels = to_tensors(scene, tasks, mean=(0, 0, 0), std=(1, 1, 1))["labels"]
        for name, (predict, tiling) in compared.items():
            maps = predict(scene.image).maps
            for task in tasks:
                scores[name][task.name].update(raw(task, maps[task.name]), labels[task.name][None])
            if tiling is not None:
                grid = Grid.over(height, width, tiling, trained=TRAINED, patch=predictor.model.config.patch_size)
                seams[name].append(worst_seam(maps["depth"], grid))
    table = Table(title=f"{len(scenes)} rooms of {height}×{width}")
    for column in ("", *(f"{task.name} {scores['tiles'][task.name].headline}" for task in tasks), "seam"):
        table.add_column(column, justify="right" if column else "left", no_wrap=not column)
    record = {}
    for name, by_task in scores.items():
        values = {task: float(score.compute()[score.headline]) for task, score in by_task.items()}
        seam = float(np.mean(seams[name])) if seams[name] else None
        record[name] = {**values, "seam": seam}
        table.add_row(name, *(f"{value:.3f}" for value in values.values()), "" if seam is None else f"{seam:.2f}")
    console.print(table)
    if arguments.picture:
        draw(compared, arguments.picture, height=height, width=width)
    if arguments.json:
        settings = {"scenes": len(scenes), "zoom": arguments.zoom, "side": arguments.side, "weights": arguments.weights}
        arguments.json.write_text(json.dumps({**settings, "ways": record}, indent=1) + "\n")


if __name__ == "__main__":
    main()
