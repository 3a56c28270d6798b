"""Checkpoints of a run: written whole, kept while they are of use, and looked through before they are trusted."""

import math
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import rank_zero_warn

from pamm.data.files import atomic_write
from pamm.engine.survival.stop import StopRequest

SAFE = 2
"""Checkpoints kept of the latest steps: the last one, and the one before in case that is damaged."""
_NAME = re.compile(r"step_(\d+)\.ckpt")


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints under a temporary name beside the old ones, so that a full disk costs neither."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint, and see it on the disk before it takes its name.

        Raises:
            ValueError: if it cannot be written.
        """
        with atomic_write(path) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                # torch's own writer says so when the disk is full
                raise OSError(str(error).partition("\n")[0]) from error
            with temporary.open("rb") as file:
                os.fsync(file.fileno())


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step lies in the folder of a run."""
    return folder / "checkpoints" / f"step_{step:07d}.ckpt"


def list_checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints in the folder of a run by step, the latest first."""
    found = {int(match[1]): path for path in folder.glob("checkpoints/*") if (match := _NAME.fullmatch(path.name))}
    return dict(sorted(found.items(), reverse=True))


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, None if all its checksums are right; nothing in it is run."""
    try:
        with ZipFile(path) as archive:
            broken = archive.testzip()
    except (OSError, BadZipFile, EOFError, RuntimeError, ValueError, struct.error, zlib.error) as error:
        return str(error) or type(error).__name__
    return None if broken is None else f"the checksum of {broken} is wrong"


def latest_whole(folder: Path) -> tuple[int, Path]:
    """The step and path of the latest checkpoint of a run that is not damaged; of damaged ones it warns.

    Raises:
        ValueError: if there is none.
    """
    found = list_checkpoints(folder)
    for step, path in found.items():
        if (reason := damage(path)) is None:
            return step, path
        rank_zero_warn(f"{path} is damaged ({reason}): looking for the one before", category=UserWarning)
    names = ", ".join(path.name for path in found.values())
    raise ValueError(
        f"{folder} holds no whole checkpoint to resume from ({names} damaged): bring one back from a copy, or start "
        "anew in another run.out"
    )


class SaveCheckpoints(Checkpoint):
    """Saves all that a run needs to go on, after validations and every few steps, and where the run is to stop.

    Inside a round of steps that ends in a validation it saves after a step of the optimiser. The last step of a round
    is saved with the validation behind it, so that a resumed run never has a validation to catch up on.
    """

    def __init__(self, folder: Path, *, round_steps: int, every: int | None, keep: int, stop: StopRequest) -> None:
        """Take the settings.

        Args:
            folder: folder of the run.
            round_steps: steps between two validations.
            every: steps between two checkpoints inside a round; None for none.
            keep: how many of those with the lowest validation losses are kept.
            stop: whether somebody asked the run to stop.
        """
        self.folder, self.round_steps, self.every, self.keep, self.stop = folder, round_steps, every, keep, stop
        self.seen, self.saved, self.losses = 0, 0, dict[int, float]()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin to listen to schedulers."""
        self.seen = trainer.global_step
        self.stop.listen()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """See that the log counts steps as an unbroken run does: Lightning counts one twice when it resumes a round."""
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Save inside a round.

        Raises:
            StoppedRun: if the run was asked to stop.
        """
        step = trainer.global_step
        if step == self.seen:
            return
        self.seen = step
        stop = trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False)
        if step % self.round_steps == 0:
            return
        if stop or (self.every is not None and step % self.every == 0):
            self._save(trainer)
        if stop:
            raise self.stop.stopped(step)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save after a validation.

        Raises:
            StoppedRun: if the run was asked to stop and is not at its end.
        """
        step = trainer.global_step
        if step == self.saved:
            return
        loss = float(trainer.callback_metrics["val/loss"])
        self.losses[step] = math.inf if math.isnan(loss) else loss
        self._save(trainer)
        stop = trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False)
        if stop and step < trainer.max_steps:
            raise self.stop.stopped(step)

    def _save(self, trainer: L.Trainer) -> None:
        step = self.saved = trainer.global_step
        best = sorted(self.losses, key=lambda step: (self.losses[step], step))[: self.keep]
        self.losses = {step: self.losses[step] for step in best}
        # what the log says up to here must not be younger than the checkpoint
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(checkpoint_path(self.folder, step), weights_only=False)
        if trainer.is_global_zero:
            found = list_checkpoints(self.folder)
            latest = [each for each in found if each <= step][:SAFE]
            for other in found.keys() - {*latest, *best}:
                found[other].unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """The step and the losses of the checkpoints kept for them."""
        return {"saved": self.saved, "losses": self.losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them from a checkpoint."""
        self.saved, self.losses = state_dict["saved"], dict(state_dict["losses"])
