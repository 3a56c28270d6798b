"""From a data config to a data set."""

from collections.abc import Callable
from typing import Protocol

from pamm.data.folder import FolderDataset
from pamm.data.sample import Sample
from pamm.data.scenes import ScenesDataset
from pamm.engine.config import DataConfig
from pamm.tasks import Task


class SampleDataset(Protocol):
    """Labelled photos by index."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that some photos have labels for."""
        ...

    def __len__(self) -> int:
        """Number of photos."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """The photo and its labels."""
        ...


def _scenes(config: DataConfig) -> SampleDataset:
    return ScenesDataset(seed=config.seed, length=config.length, height=config.height, width=config.width)


def _folder(config: DataConfig) -> SampleDataset:
    assert config.manifest is not None
    return FolderDataset(config.manifest, root=config.root, split=config.split)


DATASETS: dict[str, Callable[[DataConfig], SampleDataset]] = {"scenes": _scenes, "folder": _folder}
"""How each named data set is opened."""


def open_dataset(config: DataConfig) -> SampleDataset:
    """Open the data set that a config names.

    Raises:
        ValueError: if it is not there or not as described.
    """
    return DATASETS[config.name](config)
