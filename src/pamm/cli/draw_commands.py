"""Commands that draw figures for papers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from matplotlib.figure import Figure

from pamm.cli.console import advance, console, progress_bar
from pamm.data.sample import Sample, SampleSource
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.figures.comparison import (
    Comparison,
    Source,
    choose_samples,
    chosen_tasks,
    compare,
    images_of,
    network_source,
    open_source,
    read_photos,
    tasks_of,
)
from pamm.engine.figures.curves import curve_figure, joined, read_log
from pamm.engine.figures.errors import error_figure
from pamm.engine.figures.features import feature_figure, record_features
from pamm.engine.figures.gates import gate_figure, measure_gates
from pamm.engine.figures.orders import order_figure
from pamm.engine.figures.panels import panel_figure
from pamm.engine.figures.style import DPI, TEXT, check_figure_file, save_figure
from pamm.engine.predictor import Predictor, load
from pamm.tasks import Task

Progress = Callable[[int, int], None]
T = TypeVar("T")


def panels_command(
    photos: list[Path],
    *,
    out: Path = Path("panels.pdf"),
    weights: str = "pamm-tiny-scenes",
    name: str = "Ours",
    others: list[str] | None = None,
    scale: dict[str, float] | None = None,
    data: DataConfig = DataConfig(),
    ids: list[str] | None = None,
    tasks: list[str] | None = None,
    width: float = TEXT,
    dpi: int = DPI,
    device: str = "auto",
) -> int:
    """Draw images, their truth, and the maps that one or several networks predict, side by side.

    Args:
        photos: photos, instead of images of a data set.
        out: file to write, .pdf, .svg or .png (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        name: what stands above its maps.
        others: what to set beside it, as `NAME=PLACE`: other weights, or a folder of maps that someone else predicted.
        scale: for maps of others, by task, the factor from what is stored to its unit, for example `{depth: 0.001}`.
        data: labelled images to draw from, where no photos are given.
        ids: names or numbers of the images in the data; the first three if left out.
        tasks: names of the tasks; all that the network predicts if left out.
        width: width of the figure in inches: 6.9 is that of a page, 3.3 that of one of two columns.
        dpi: pixels to an inch, of pictures inside and of a PNG file.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    check_figure_file(out)
    comparisons, drawn = _compared(photos, weights, name, others, scale, data, ids, tasks, device)
    return _written(panel_figure(comparisons, drawn, width=width, dpi=dpi), out, dpi)


def errors_command(
    *,
    out: Path = Path("errors.pdf"),
    weights: str = "pamm-tiny-scenes",
    name: str = "Ours",
    others: list[str] | None = None,
    scale: dict[str, float] | None = None,
    data: DataConfig = DataConfig(),
    ids: list[str] | None = None,
    tasks: list[str] | None = None,
    relative: bool = False,
    width: float = TEXT,
    dpi: int = DPI,
    device: str = "auto",
) -> int:
    """Draw where predictions differ from the truth, and by how much.

    Args:
        out: file to write, .pdf, .svg or .png (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        name: what stands above its maps.
        others: what to set beside it, as `NAME=PLACE`: other weights, or a folder of maps that someone else predicted.
        scale: for maps of others, by task, the factor from what is stored to its unit, for example `{depth: 0.001}`.
        data: labelled images to draw from.
        ids: names or numbers of the images in the data; the first three if left out.
        tasks: names of the tasks; all that network and data share if left out.
        relative: draw errors of values, such as depth, in percent of the true value.
        width: width of the figure in inches: 6.9 is that of a page, 3.3 that of one of two columns.
        dpi: pixels to an inch, of pictures inside and of a PNG file.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    check_figure_file(out)
    comparisons, drawn = _compared([], weights, name, others, scale, data, ids, tasks, device)
    figure = error_figure(comparisons, drawn, relative=relative, width=width, dpi=dpi)
    return _written(figure, out, dpi)


def gates_command(
    photos: list[Path],
    *,
    out: Path = Path("gates.pdf"),
    weights: str = "pamm-tiny-scenes",
    data: DataConfig = DataConfig(),
    ids: list[str] | None = None,
    width: float = TEXT,
    dpi: int = DPI,
    device: str = "auto",
) -> int:
    """Draw which experts a network uses for each task, at each stage, as a mean over images.

    Args:
        photos: photos, instead of images of a data set.
        out: file to write, .pdf, .svg or .png (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        data: images to average over, where no photos are given; labels are not needed.
        ids: names or numbers of the images in the data; all if left out.
        width: width of the figure in inches: 6.9 is that of a page, 3.3 that of one of two columns.
        dpi: pixels to an inch of a PNG file.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    check_figure_file(out)
    predictor = load(weights, device=device)
    samples, _ = _samples(photos, data, ids, predictor, usual=None)
    means = _with_progress(
        "averaging gates",
        lambda progress: measure_gates(predictor, images_of(samples), progress=progress),
    )
    unused = ", ".join(map(str, means.unused())) or "none"
    console.print(
        f"{means.never_kept()} of {means.mean.size} gates are 0 throughout {means.counted}; "
        f"experts that nothing keeps: {unused}",
        highlight=False,
        soft_wrap=True,
    )
    return _written(gate_figure(means, width=width, dpi=dpi), out, dpi)


def orders_command(
    *,
    out: Path = Path("orders.pdf"),
    kinds: list[str] | None = None,
    rows: int = 8,
    columns: int = 8,
    directions: int = 4,
    width: float = TEXT,
    dpi: int = DPI,
) -> int:
    """Draw the orders in which a scan visits a grid, with their jumps.

    Args:
        out: file to write, .pdf, .svg or .png (`-o` for short).
        kinds: `hilbert`, `gilbert`, `z`, `serpentine` or `raster`, or several of them; `hilbert` if left out.
        rows: rows of the grid.
        columns: columns of the grid.
        directions: how many orders of each kind: 1, 2, 4 or 8.
        width: width of the figure in inches: 6.9 is that of a page, 3.3 that of one of two columns.
        dpi: pixels to an inch of a PNG file.
    """
    check_figure_file(out)
    figure = order_figure(kinds or ["hilbert"], rows=rows, columns=columns, directions=directions, width=width, dpi=dpi)
    return _written(figure, out, dpi)


def features_command(
    photos: list[Path],
    *,
    out: Path = Path("features.pdf"),
    weights: str = "pamm-tiny-scenes",
    data: DataConfig = DataConfig(),
    ids: list[str] | None = None,
    tasks: list[str] | None = None,
    width: float = TEXT,
    dpi: int = DPI,
    device: str = "auto",
) -> int:
    """Draw what the features of each stage tell apart: their three main components as red, green and blue.

    Args:
        photos: photos, instead of images of a data set.
        out: file to write, .pdf, .svg or .png (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        data: images to draw, where no photos are given.
        ids: names or numbers of the images in the data; the first if left out.
        tasks: names of the tasks; all that the network predicts if left out.
        width: width of the figure in inches: 6.9 is that of a page, 3.3 that of one of two columns.
        dpi: pixels to an inch, of pictures inside and of a PNG file.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    check_figure_file(out)
    predictor = load(weights, device=device)
    drawn = chosen_tasks(predictor.tasks, tasks)
    samples, _ = _samples(photos, data, ids, predictor, usual=1)
    found = _with_progress(
        "predicting",
        lambda progress: record_features(predictor, images_of(samples), progress=progress),
    )
    return _written(feature_figure(found, drawn, width=width, dpi=dpi), out, dpi)


def curves_command(
    logs: list[Path],
    *,
    out: Path = Path("curves.pdf"),
    columns: list[str] | None = None,
    join: bool = False,
    smooth: float = 0.0,
    width: float = TEXT,
    dpi: int = DPI,
) -> int:
    """Draw how losses and scores of training runs developed.

    Args:
        logs: folders of runs, or their CSV logs.
        out: file to write, .pdf, .svg or .png (`-o` for short).
        columns: columns of the logs, or patterns such as `val/*/mIoU`; the losses and main scores if left out.
        join: draw the runs as one, each going on from the one before it.
        smooth: weight of the past in a moving average of what is logged in training, at least 0 and below 1.
        width: width of the figure in inches: 6.9 is that of a page, 3.3 that of one of two columns.
        dpi: pixels to an inch of a PNG file.
    """
    check_figure_file(out)
    names = [_run_name(path) for path in logs]
    if len(set(names)) < len(names):
        names = [str(path) for path in logs]
    read = [read_log(path) for path in logs]
    named = {" + ".join(names): joined(read)} if join and read else dict(zip(names, read, strict=True))
    return _written(curve_figure(named, columns=columns, smooth=smooth, width=width, dpi=dpi), out, dpi)


def _written(figure: Figure, out: Path, dpi: int) -> int:
    """Write a figure, and say where it is."""
    path = save_figure(figure, out, dpi=dpi)
    wide, tall = figure.get_size_inches()
    console.print(f"{path}: {wide:.1f} × {tall:.1f} inches", highlight=False, soft_wrap=True)
    return 0


def _with_progress(what: str, work: Callable[[Progress], T]) -> T:
    with progress_bar() as bar:
        return work(advance(bar, bar.add_task(what, total=None)))


def _samples(
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


def _compared(
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
    samples, dataset = _samples(photos, data, ids, predictor, usual=3)
    drawn = tasks_of(predictor, dataset, tasks)
    found = _with_progress("predicting", lambda progress: compare(samples, sources, drawn, progress=progress))
    return found, drawn


def _run_name(path: Path) -> str:
    """What the run of a log is called: its folder."""
    parts = [part for part in path.absolute().parts if part not in ("log", "metrics.csv")]
    return parts[-1]
