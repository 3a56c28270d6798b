"""From samples to what a data loader collates."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from pamm.data.sample import Sample, SampleSource, to_tensors
from pamm.data.transforms import Transform
from pamm.tasks import Task


class TransformedDataset(Dataset[dict[str, Any]]):
    """Samples of a source, transformed and as tensors (see :func:`pamm.data.sample.to_tensors`).

    It can be read on beyond its length: number ``i`` is sample ``i % len`` in pass ``i // len``. The random numbers of
    a number follow from the seed and ``i`` alone, so each pass varies a sample anew, and a resumed training sees what
    an unbroken one would have seen, with any number of workers.
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
            seed: changes all random numbers.
        """
        self.base = base
        self.transform = transform
        self.tasks = tuple(tasks)
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.seed = seed

    def __len__(self) -> int:
        """Number of samples of one pass."""
        return len(self.base)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The samples of the first pass."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """One sample as tensors.

        Raises:
            IndexError: if the number is negative.
        """
        return to_tensors(self.sample(number), self.tasks, mean=self.mean, std=self.std)

    def sample(self, number: int) -> Sample:
        """One sample after the transform, before it is normalised: what a person would look at.

        Raises:
            IndexError: if the number is negative.
        """
        if number < 0:
            raise IndexError(f"sample {number}: the first is 0")
        return self.transform(self.base[number % len(self.base)], np.random.default_rng([self.seed, number]))
