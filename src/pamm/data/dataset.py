"""From samples to what a data loader collates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from pamm.data.sample import SampleSource, to_tensors
from pamm.data.transforms import Transform
from pamm.tasks import Task


class TransformedDataset(Dataset[dict[str, Any]]):
    """Samples of a source, transformed and as tensors (see :func:`pamm.data.sample.to_tensors`).

    The random numbers of a sample follow from the seed, the epoch and its index alone, so that a resumed training
    sees what an unbroken one would have seen, with any number of workers.
    """

    def __init__(
        self,
        base: SampleSource,
        transform: Transform,
        tasks: Sequence[Task],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        seed: int = 0,
    ) -> None:
        """Put the parts together.

        Args:
            base: the raw samples.
            transform: called with a sample and a random generator.
            tasks: tasks of the network, each of which gets a label.
            mean: mean of red, green and blue, of values in [0, 1].
            std: standard deviation of red, green and blue.
            seed: first of the three numbers a sample's randomness follows from.
        """
        self.base = base
        self.transform = transform
        self.tasks = tuple(tasks)
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.seed = seed
        # in shared memory, so that workers that outlive an epoch hear of the next one
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]  # torch leaves this one method untyped

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose random numbers are used."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.base)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample as tensors."""
        rng = np.random.default_rng([self.seed, int(self._epoch), index])
        sample = self.transform(self.base[index], rng)
        return to_tensors(sample, self.tasks, mean=self.mean, std=self.std)
