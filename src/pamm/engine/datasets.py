"""From a data config to a data set."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pamm.benchmarks import BENCHMARKS
from pamm.data.folder import FolderDataset
from pamm.data.mix import Member, MixDataset
from pamm.data.nyud import NYUDDataset
from pamm.data.pascal_context import PASCALContextDataset
from pamm.data.sample import SampleSource
from pamm.data.scenes import ScenesDataset
from pamm.data.shards import ShardDataset
from pamm.data.tree import TreeDataset
from pamm.engine.data_config import DataConfig
from pamm.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a data set is opened for."""

    canvas: tuple[int, int]
    """Height and width of the images that are made to measure."""
    split: str
    """Split of a benchmark or of shards, if the config names none."""
    scoring: bool
    """Whether a benchmark's labels are the truth of its published scores."""
    tasks: tuple[Task, ...] = ()
    """Tasks to whose lists the sets of a mix map their classes."""


def _scenes(config: DataConfig, use: Use) -> SampleSource:
    height, width = use.canvas
    return ScenesDataset(seed=config.seed, length=config.length, height=height, width=width)


def _folder(config: DataConfig, _: Use) -> SampleSource:
    if config.manifest is None:
        raise ValueError("data 'folder' needs a manifest: give --data.manifest FILE.yaml")
    return FolderDataset(config.manifest, root=config.root, split=config.split, resize=config.resize)


def _benchmark(config: DataConfig, use: Use, *, kind: type[TreeDataset]) -> SampleSource:
    if config.root is None:
        raise ValueError(f"data {config.name!r} needs its folder: give --data.root FOLDER")
    return kind(config.root, split=config.split or use.split, scoring=use.scoring)


def _mix(config: DataConfig, use: Use) -> SampleSource:
    members = {}
    for name, single in config.members().items():
        entry = config.sets[name]
        try:
            source = DATASETS[single.name](single, use)
        except ValueError as error:
            raise ValueError(f"set {name}: {error}") from error
        members[name] = Member(source=source, weight=entry.weight, heads=entry.heads, classes=entry.classes)
    return MixDataset(members, tasks=use.tasks)


def _shards(config: DataConfig, use: Use) -> SampleSource:
    if config.root is None:
        raise ValueError("data 'shards' needs their place: give --data.root FOLDER_OR_URL")
    return ShardDataset(config.root, split=config.split, usual=use.split, storage_options=config.storage_options)


TREES: dict[str, type[TreeDataset]] = {kind.benchmark: kind for kind in (NYUDDataset, PASCALContextDataset)}
"""The loaders of the benchmarks by name."""

DATASETS: dict[str, Callable[[DataConfig, Use], SampleSource]] = {
    "scenes": _scenes,
    "folder": _folder,
    "shards": _shards,
    **{name: partial(_benchmark, kind=kind) for name, kind in TREES.items()},
    "mix": _mix,
}
"""How each named data set is opened."""


def open_dataset(
    config: DataConfig,
    *,
    canvas: tuple[int, int],
    split: str = "val",
    scoring: bool = False,
    tasks: tuple[Task, ...] = (),
) -> SampleSource:
    """Open the data set that a config names.

    Args:
        config: which data set.
        canvas: (height, width) of the images that are made to measure.
        split: split of a benchmark or of shards, ``train`` or ``val``, if the config names none.
        scoring: whether a benchmark's labels and its tasks' scores are those of its published protocol.
        tasks: tasks to whose lists the sets of a mix map their classes; those of its first sets if left out.

    Raises:
        ValueError: if it is not there or not as described.
    """
    use = Use(canvas=config.canvas(canvas), split=split, scoring=scoring, tasks=tasks)
    return DATASETS[config.name](config, use)


def usual_canvas(config: DataConfig, image_size: tuple[int, int], *, patch: int) -> tuple[int, int]:
    """Height and width of the input of a network that learns from a data set, where the config leaves them out.

    Args:
        config: which data set.
        image_size: (height, width) that the network's config names.
        patch: side of its patches.

    Returns:
        A benchmark's canvas, enlarged to whole patches; for other data sets ``image_size``.
    """
    if config.name not in BENCHMARKS:
        return image_size
    height, width = (math.ceil(side / patch) * patch for side in BENCHMARKS[config.name].canvas)
    return height, width
