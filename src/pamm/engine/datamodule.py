"""Batches for training and validation, in an order that a resumed run continues exactly."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import lightning as L
import torch
from torch.utils.data import DataLoader, Sampler

from pamm.data.dataset import TransformedDataset
from pamm.data.draws import Part, draw
from pamm.data.mix import MixDataset
from pamm.data.sample import SampleSource
from pamm.data.transforms import TestTransform, TrainTransform
from pamm.engine.config import AugmentConfig
from pamm.engine.survival.steady_loader import SteadyLoader
from pamm.models import PAMMConfig


class StreamSampler(Sampler[int]):
    """An endless stream of shuffled passes over one or several data sets, read from where training stands, by rounds.

    Number ``i`` of the stream depends only on the seed and ``i``, so a run that is resumed at any step reads what it
    would have read. The number given out is ``pass * length + index``: the data set draws its random numbers
    from it, so that each pass varies an image anew. Processes that train together read every other number.
    """

    def __init__(
        self,
        *,
        parts: Sequence[Part],
        round_size: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        """Describe the stream.

        Args:
            parts: sizes and weights of the data sets that follow each other; one for a plain data set.
            round_size: how many indices a round gives this process; an iteration that begins inside a round gives the
                rest of it.
            seed: seed of the order.
            position: how many indices each process has used when an iteration begins.
            rank: number of this process.
            processes: how many processes read the stream.
        """
        self.parts, self.round_size, self.seed, self.position = tuple(parts), round_size, seed, position
        self.rank, self.processes = rank, processes

    def __len__(self) -> int:
        """How many indices a whole round gives."""
        return self.round_size

    def __iter__(self) -> Iterator[int]:
        """The next round, or what is left of it."""
        start = self.position()
        stop = start + self.round_size - start % self.round_size
        numbers = draw(self.parts, start * self.processes, stop * self.processes, seed=self.seed)
        yield from numbers[self.rank :: self.processes].tolist()


def _single_thread(_: int) -> None:
    # 0 leaves the threads alone; 1 would wait for those of the process that this one is a fork of, for ever
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


class PAMMDataModule(L.LightningDataModule):
    """Varied training images and plain validation images of two data sets."""

    def __init__(
        self,
        train_set: SampleSource,
        val_set: SampleSource,
        *,
        model: PAMMConfig,
        train_canvas: tuple[int, int],
        val_canvas: tuple[int, int],
        augment: AugmentConfig,
        batch_size: int,
        round_steps: int,
        workers: int = 0,
        seed: int = 0,
        accumulate: int = 1,
        replace_unreadable: bool = False,
    ) -> None:
        """Wrap the data sets.

        Args:
            train_set: labelled photos to learn from.
            val_set: labelled photos to validate on.
            model: config of the network, for its tasks and input normalisation.
            train_canvas: (height, width) of training inputs.
            val_canvas: (height, width) of validation inputs; smaller photos are padded, larger ones refused.
            augment: how training images vary.
            batch_size: images per batch.
            round_steps: training steps between two validations.
            workers: reading processes.
            seed: seed of order and variation.
            accumulate: batches per training step.
            replace_unreadable: whether other samples stand in for those that cannot be read.
        """
        super().__init__()
        whole = Part(size=len(train_set), weight=1.0)
        self.parts = train_set.parts if isinstance(train_set, MixDataset) else (whole,)
        transform = TrainTransform(
            train_canvas,
            model.tasks,
            scale=augment.scale,
            crop_task=augment.crop_task,
            flip=augment.flip,
            distort=augment.distort,
        )
        inputs: dict[str, Any] = {"mean": model.mean, "std": model.std, "replace_unreadable": replace_unreadable}
        self.train_set = TransformedDataset(train_set, transform, model.tasks, seed=seed, **inputs)
        self.val_set = TransformedDataset(val_set, TestTransform(val_canvas, model.tasks), model.tasks, **inputs)
        self.batch_size, self.round_steps, self.workers, self.seed = batch_size, round_steps, workers, seed
        self.step_size = batch_size * accumulate

    def _position(self) -> int:
        return self.trainer.global_step * self.step_size if self.trainer else 0

    def train_dataloader(self) -> DataLoader[dict[str, object]]:
        """Batches of one round, beginning where training stands."""
        sampler = StreamSampler(
            parts=self.parts,
            round_size=self.round_steps * self.step_size,
            seed=self.seed,
            position=self._position,
            rank=self.trainer.global_rank if self.trainer else 0,
            processes=self.trainer.world_size if self.trainer else 1,
        )
        return self._loader(self.train_set, sampler)

    def val_dataloader(self) -> DataLoader[dict[str, object]]:
        """The validation images in order; processes that train together take every other one."""
        rank, processes = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        shares = len(self.val_set) >= processes
        share = range(rank, len(self.val_set), processes) if shares else range(len(self.val_set))
        return self._loader(self.val_set, share)

    def _loader(
        self, dataset: TransformedDataset, sampler: Sampler[int] | Sequence[int]
    ) -> DataLoader[dict[str, object]]:
        return SteadyLoader(
            dataset,
            sampler,
            batch_size=self.batch_size,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_single_thread,
            # A generator of its own: drawing the workers' seed must not move the noise of the training steps.
            generator=torch.Generator().manual_seed(self.seed),
        )
