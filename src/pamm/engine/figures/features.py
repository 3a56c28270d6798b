"""What features look like: their three main directions of variation as red, green and blue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from pamm.data.images import ImageLike
from pamm.engine.colours import Map, Pixels, colour_map
from pamm.engine.figures.grid import Tile, TileRow, tile_figure
from pamm.engine.figures.hooks import recording
from pamm.engine.figures.style import DPI, TEXT
from pamm.engine.predictor import Predictor
from pamm.tasks import Task

FUSED = 0
"""Number that stands for the features of all stages together."""
_SPREAD = (1.0, 99.0)
"""Percentiles of a component that become black and full colour."""

Features = dict[tuple[str, int], NDArray[np.float32]]
"""(channels, h, w) by the task, or an empty name for the encoder, and the stage from 1, or :data:`FUSED`."""


@dataclass(frozen=True, eq=False)
class PhotoFeatures:
    """What a network makes of one photo on the way to its maps."""

    image: Pixels
    """(H, W, 3) uint8 RGB."""
    features: Features
    """Features of the patches that show the photo, those of padding left out."""
    maps: dict[str, Map]
    """Predicted maps by task name."""


@dataclass(frozen=True, eq=False)
class PrincipalColours:
    """Features of some photos as colours that can be compared."""

    pixels: tuple[NDArray[np.uint8], ...]
    """(h, w, 3) RGB, a photo each."""
    share: float
    """Part of the features' variance that the three components hold, 0 to 1."""


@torch.inference_mode()
def record_features(
    predictor: Predictor, images: Sequence[ImageLike], *, progress: Callable[[int, int], None] | None = None
) -> list[PhotoFeatures]:
    """Run a network over some photos and keep its features.

    Args:
        predictor: the network.
        images: photos, as :func:`pamm.data.images.read_image` takes them.
        progress: called with the number of images done, and of all.

    Raises:
        ValueError: if a photo cannot be read.
    """
    found = []
    model, patch = predictor.model, predictor.model.config.patch_size
    for count, image in enumerate(images, start=1):
        item = predictor.prepare(image)
        with recording(model) as kept:
            outputs = predictor.forward(item.tensor[None])
        prediction = predictor.finish(item, {name: output[0] for name, output in outputs.items()})
        rows, columns = (slice(part.start // patch, -(-part.stop // patch)) for part in (item.rows, item.columns))
        features: Features = {}
        for number, tap in enumerate(kept.taps, start=1):
            features["", number] = _plain(tap[0, :, rows, columns])
        by_number = dict(enumerate(kept.stages, start=model.config.skipped_stages + 1))
        if kept.fused is not None:
            by_number[FUSED] = kept.fused
        for number, stage in by_number.items():
            for task, maps in zip(model.config.tasks, stage, strict=True):
                features[task.name, number] = _plain(maps[0, :, rows, columns])
        found.append(PhotoFeatures(item.photo, features, prediction.maps))
        if progress is not None:
            progress(count, len(images))
    return found


def _plain(features: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(features.float().cpu().numpy())


def principal_colours(features: Sequence[NDArray[np.floating]]) -> PrincipalColours:
    """The three main components of features as red, green and blue, by one rule for all photos.

    A component points where its largest weight is positive, and the middle 98 percent of its values fill the range of
    a colour, so that the same features give the same colours each time. A component without variance is grey.

    Args:
        features: (channels, h, w) of each photo, with the same channels.

    Raises:
        ValueError: if there are none, or they have different numbers of channels.
    """
    if len({maps.shape[0] for maps in features}) != 1:
        raise ValueError("features to compare have one number of channels: give those of one stage and task")
    vectors = [maps.reshape(maps.shape[0], -1).T.astype(np.float64) for maps in features]
    joined = np.concatenate(vectors)
    centred = joined - joined.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    values, axes = values.clip(0)[::-1], axes[:, ::-1]
    total = float(values.sum())
    used = int((values[:3] > 1e-12 * max(total, np.finfo(np.float64).tiny)).sum())
    main = axes[:, :used]
    main = main * np.sign(main[np.abs(main).argmax(axis=0), np.arange(used)])
    scores = centred @ main
    low, high = np.percentile(scores, _SPREAD, axis=0)
    colours = np.full((len(scores), 3), 0.5)
    colours[:, :used] = ((scores - low) / np.where(high > low, high - low, 1)).clip(0, 1)
    pixels = (colours * 255).round().astype(np.uint8)
    ends = np.cumsum([len(part) for part in vectors])[:-1]
    shaped = tuple(
        part.reshape(*maps.shape[1:], 3) for part, maps in zip(np.split(pixels, ends), features, strict=True)
    )
    return PrincipalColours(shaped, float(values[:3].sum() / total) if total else 0.0)


def feature_figure(
    photos: Sequence[PhotoFeatures], tasks: Sequence[Task], *, width: float = TEXT, dpi: int = DPI
) -> Figure:
    """For each photo a row of the encoder's features and one for each task, with a column for each stage.

    The first column holds the photo, and the map that the task's features become. Features of one place in the network
    share their colours over all photos; colours of different places do not compare. Below a picture is the part of the
    variance that its colours show.

    Args:
        photos: the features.
        tasks: the tasks to draw.
        width: of the figure, inches.
        dpi: pixels to an inch at most of the pictures inside.

    Raises:
        ValueError: if there is no photo, or the figure is too narrow.
    """
    if not photos:
        raise ValueError("no photo was given: name at least one")
    coloured = {place: principal_colours([photo.features[place] for photo in photos]) for place in photos[0].features}
    stages = sorted({stage for name, stage in coloured if stage != FUSED})
    columns = [*stages, FUSED]
    rows = []
    for number, photo in enumerate(photos):

        def row(name: str, first: Tile, label: str, number: int = number) -> TileRow:
            tiles = [
                Tile(found.pixels[number], f"{100 * found.share:.0f} % of variance") if found is not None else None
                for found in (coloured.get((name, column)) for column in columns)
            ]
            return TileRow((first, *tiles), label)

        rows.append(row("", Tile(photo.image, smooth=True), "Encoder"))
        rows += [row(task.name, Tile(colour_map(task, photo.maps[task.name])), task.title) for task in tasks]
    headings = ["Photo, map", *(f"Stage {stage}" for stage in stages), "Fused"]
    return tile_figure(headings, rows, width=width, dpi=dpi)
