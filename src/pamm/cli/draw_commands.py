"""Commands that draw figures for papers."""

from pathlib import Path

from matplotlib.figure import Figure

from pamm.cli.console import console
from pamm.cli.draw_inputs import compared, images_to_draw, with_progress
from pamm.engine.data_config import DataConfig
from pamm.engine.figures.comparison import chosen_tasks, images_of
from pamm.engine.figures.curves import curve_figure, joined, read_log
from pamm.engine.figures.errors import error_figure
from pamm.engine.figures.features import feature_figure, record_features
from pamm.engine.figures.gates import gate_figure, measure_gates
from pamm.engine.figures.orders import order_figure
from pamm.engine.figures.panels import panel_figure
from pamm.engine.figures.style import DPI, TEXT, check_figure_file, check_size, save_figure
from pamm.engine.predictor import load


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
    _check_file(out, width, dpi)
    comparisons, drawn = compared(photos, weights, name, others, scale, data, ids, tasks, device)
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
    _check_file(out, width, dpi)
    comparisons, drawn = compared([], weights, name, others, scale, data, ids, tasks, device)
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
    _check_file(out, width, dpi)
    predictor = load(weights, device=device)
    samples, _ = images_to_draw(photos, data, ids, predictor, usual=None)
    means = with_progress(
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
    _check_file(out, width, dpi)
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
    _check_file(out, width, dpi)
    predictor = load(weights, device=device)
    drawn = chosen_tasks(predictor.tasks, tasks)
    samples, _ = images_to_draw(photos, data, ids, predictor, usual=1)
    found = with_progress(
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
    _check_file(out, width, dpi)
    names = [_run_name(path) for path in logs]
    if len(set(names)) < len(names):
        names = [str(path) for path in logs]
    read = [read_log(path) for path in logs]
    named = {" + ".join(names): joined(read)} if join and read else dict(zip(names, read, strict=True))
    return _written(curve_figure(named, columns=columns, smooth=smooth, width=width, dpi=dpi), out, dpi)


def _check_file(out: Path, width: float, dpi: int) -> None:
    """See, before long work, that a figure can be written."""
    check_figure_file(out)
    check_size(width, dpi)


def _written(figure: Figure, out: Path, dpi: int) -> int:
    """Write a figure, and say where it is."""
    path = save_figure(figure, out, dpi=dpi)
    wide, tall = figure.get_size_inches()
    console.print(f"{path}: {wide:.1f} × {tall:.1f} inches", highlight=False, soft_wrap=True)
    return 0


def _run_name(path: Path) -> str:
    """What the run of a log is called: its folder."""
    parts = [part for part in path.absolute().parts if part not in ("log", "metrics.csv")]
    return parts[-1]
