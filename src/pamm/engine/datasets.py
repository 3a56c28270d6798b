"""From a data config to a data set."""

from collections.abc import Callable

from pamm.data.folder import FolderDataset
from pamm.data.sample import SampleSource
from pamm.data.scenes import ScenesDataset
from pamm.engine.config import DataConfig


def _scenes(config: DataConfig, canvas: tuple[int, int]) -> SampleSource:
    height, width = canvas
    return ScenesDataset(seed=config.seed, length=config.length, height=height, width=width)


def _folder(config: DataConfig, _: tuple[int, int]) -> SampleSource:
    if config.manifest is None:
        raise ValueError("data 'folder' needs a manifest: give --data.manifest FILE.yaml")
    return FolderDataset(config.manifest, root=config.root, split=config.split)


DATASETS: dict[str, Callable[[DataConfig, tuple[int, int]], SampleSource]] = {"scenes": _scenes, "folder": _folder}
"""How each named data set is opened."""


def open_dataset(config: DataConfig, *, canvas: tuple[int, int]) -> SampleSource:
    """Open the data set that a config names.

    Args:
        config: which data set.
        canvas: (height, width) of the images that are made to measure.

    Raises:
        ValueError: if it is not there or not as described.
    """
    return DATASETS[config.name](config, config.canvas(canvas))
