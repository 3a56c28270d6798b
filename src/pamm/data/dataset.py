"""From samples to what a data loader collates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from pamm.data.sample import Sample, SampleSource, to_tensors
from pamm.data.transforms import Transform
from pamm.tasks import Task


class SampleError(ValueError):
    """A sample that cannot be read, or does not fit the tasks or the canvas.

    A data loader that reads in other processes makes the error anew from the whole traceback as text; of it only the
    message is kept, so that it is the same one line with any number of workers.
    """

    def __init__(self, message: str) -> None:
        """Take the message, or a traceback that ends in it."""
        super().__init__(message.rpartition(f"{type(self).__module__}.{type(self).__qualname__}: ")[2].strip())


TRIES = 10
"""Samples in a row that may be unreadable."""


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
        replace_unreadable: bool = False,
    ) -> None:
        """Put the parts together.

        Args:
            base: the raw samples.
            transform: called with a sample and a random generator.
            tasks: tasks of the network, each of which gets a label.
            mean: mean of red, green and blue, of values in [0, 1].
            std: standard deviation of red, green and blue.
            seed: changes all random numbers.
            replace_unreadable: whether the next sample that can be read stands in for one that cannot.
        """
        self.base = base
        self.transform = transform
        self.tasks = tuple(tasks)
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.seed = seed
        self.replace_unreadable = replace_unreadable

    def __len__(self) -> int:
        """Number of samples of one pass."""
        return len(self.base)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The samples of the first pass."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """One sample as tensors; where others may stand in, ``unreadable`` says line by line what they stand in for.

        Raises:
            IndexError: if the number is negative.
            SampleError: if the sample cannot be read, or does not fit.
        """
        try:
            sample, unreadable = self._read(number)
            tensors = to_tensors(sample, self.tasks, mean=self.mean, std=self.std)
        except (ValueError, OSError) as error:
            raise SampleError(str(error)) from error
        return tensors | {"unreadable": "\n".join(unreadable)} if self.replace_unreadable else tensors

    def sample(self, number: int) -> Sample:
        """One sample after the transform, before it is normalised: what a person would look at.

        Raises:
            IndexError: if the number is negative.
        """
        return self._read(number)[0]

    def _read(self, number: int) -> tuple[Sample, list[str]]:
        """A transformed sample, and what is wrong with those that it stands in for."""
        if number < 0:
            raise IndexError(f"sample {number}: the first is 0")
        unreadable: list[str] = []
        for index in range(number, number + TRIES):
            try:
                sample = self.base[index % len(self.base)]
            except (ValueError, OSError) as error:
                if not self.replace_unreadable:
                    raise
                unreadable.append(" ".join(str(error).split()))
            else:
                return self.transform(sample, np.random.default_rng([self.seed, number])), unreadable
        raise ValueError(f"{TRIES} samples in a row cannot be read, the last of them: {unreadable[-1]}")


@dataclass(frozen=True)
class Unreadable:
    """Stands for a sample that cannot be read."""

    name: str
    """Which sample it is."""
    message: str
    """What is wrong with it."""


class ReadableSamples(Dataset[dict[str, Any] | Unreadable]):
    """Samples of which a bad one does not stop the others; to be collated with :func:`collate_readable`."""

    def __init__(self, samples: TransformedDataset) -> None:
        """Wrap the samples."""
        self.samples = samples

    def __len__(self) -> int:
        """Number of samples, bad ones included."""
        return len(self.samples)

    def __getitem__(self, number: int) -> dict[str, Any] | Unreadable:
        """One sample as tensors, or what is wrong with it.

        Raises:
            IndexError: if the number is negative.
        """
        try:
            return self.samples[number]
        except SampleError as error:
            return Unreadable(f"sample {number}", str(error))


def collate_readable(items: Sequence[dict[str, Any] | Unreadable]) -> tuple[list[dict[str, Any]], list[Unreadable]]:
    """Stack the samples that could be read, those of one size together.

    Returns:
        Batches in the order of their first samples, and the samples that could not be read.
    """
    by_size: dict[torch.Size, list[dict[str, Any]]] = {}
    failed = []
    for item in items:
        if isinstance(item, Unreadable):
            failed.append(item)
        else:
            by_size.setdefault(item["image"].shape, []).append(item)
    return [default_collate(group) for group in by_size.values()], failed
