"""What commands that draw figures are given: images of files or of a data set, and who predicts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pamm.cli.console import advance, progress_bar
from pamm.data.sample import Sample, SampleSource
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.figures.comparison import (
    Comparison,
    Source,
    choose_samples,
    compare,
    network_source,
    open_source,
    read_photos,
    tasks_of,
)
from pamm.engine.predictor import Predictor, load
from pamm.engine.score_files import check_scale
from pamm.tasks import Task

Progress = Callable[[int, int], None]
T = TypeVar("T")


def with_progress(what: str, work: Callable[[Progress], T]) -> T:
    """Do some work under a bar that shows how far it is."""
    with progress_bar() as bar:
        return work(advance(bar, bar.add_task(what, total=None)))


def images_to_draw(
    photos: Sequence[Path], data: DataConfig, ids: Sequence[str] | None, predictor: Predictor, *, usual: int | None
) -> tuple[Sequence[Sample], SampleSource | None]:
    """The images to draw, and the data set that they are from, if they are from one."""
    if photos:
        if ids:
            raise ValueError("got photos and ids, which name images of a data set: leave one of both out")
        return read_photos(photos), None
    config = predictor.model.config
    dataset = open_dataset(data, canvas=config.image_size, scoring=True, tasks=config.tasks)
    return choose_samples(dataset, ids or (), usual=usual), dataset


def compared(
    photos: Sequence[Path],
    weights: str,
    name: str,
    others: Sequence[str] | None,
    scale: Mapping[str, float] | None,
    data: DataConfig,
    ids: Sequence[str] | None,
    tasks: Sequence[str] | None,
    device: str,
) -> tuple[list[Comparison], tuple[Task, ...]]:
    """Images with the maps of all who predict, and the tasks to draw."""
    predictor = load(weights, device=device)
    sources: dict[str, Source] = {name: network_source(predictor)}
    for other in others or ():
        title, equals, place = other.partition("=")
        if not (title and equals and place):
            raise ValueError(f"others: got {other!r}, wanted NAME=PLACE, such as Baseline=runs/baseline/best")
        if title in sources:
            raise ValueError(f"others: the name {title!r} is given twice: name each otherwise")
        sources[title] = open_source(place, device=device, scale=scale)
    samples, dataset = images_to_draw(photos, data, ids, predictor, usual=3)
    drawn = tasks_of(predictor, dataset, tasks)
    check_scale(scale or {}, drawn)
    found = with_progress("predicting", lambda progress: compare(samples, sources, drawn, progress=progress))
    return found, drawn
