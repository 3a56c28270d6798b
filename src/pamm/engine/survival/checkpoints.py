"""Checkpoints of a run: written whole, kept while they are of use, and looked through before they are trusted."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities import rank_zero_warn

from pamm.data.files import atomic_write
from pamm.engine.module import validation_loss
from pamm.engine.survival.stop import StopRequest

SAFE = 2
"""Checkpoints kept of the latest steps: the last one, and the one before in case that is damaged."""
_NAME = re.compile(r"step_(\d+)-([0-9a-f]{16})\.ckpt")


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints under a temporary name beside the old ones, so that a full disk costs neither.

    The last part of the name that a checkpoint gets is the start of its SHA-256 in hexadecimal digits, so that it can
    be checked and no second file can be lost or out of date.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write ``NAME.ckpt`` as ``NAME-CHECKSUM.ckpt``, and see it on the disk before it takes its name.

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
            checksum = _checksum(temporary)
        path = Path(path)
        path.replace(path.with_name(f"{path.stem}-{checksum}{path.suffix}"))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Step and path of the checkpoints in the folder of a run, the latest first, of one step the newest first."""
    found = [(int(match[1]), path) for path in folder.glob("checkpoints/*") if (match := _NAME.fullmatch(path.name))]
    return sorted(found, key=lambda pair: (pair[0], pair[1].stat().st_mtime), reverse=True)


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, None if it is as it was written; nothing in it is run."""
    match = _NAME.fullmatch(path.name)
    assert match is not None
    try:
        return None if _checksum(path) == match[2] else "its content is not what its name says"
    except OSError as error:
        return error.strerror or str(error)


def latest_whole(folder: Path) -> tuple[int, Path]:
    """The step and path of the latest checkpoint of a run that is not damaged; of damaged ones it warns.

    Raises:
        ValueError: if there is none.
    """
    found = list_checkpoints(folder)
    for step, path in found:
        if (reason := damage(path)) is None:
            return step, path
        rank_zero_warn(f"{path} is damaged ({reason}): looking for the one before", category=UserWarning)
    names = ", ".join(path.name for _, path in found)
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
            # Lightning logs a step after this; the log must not be younger than the checkpoint
            trainer._logger_connector.update_train_step_metrics()
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
        self.losses[step] = validation_loss(trainer)
        self._save(trainer)
        stop = trainer.strategy.reduce_boolean_decision(self.stop.asked, all=False)
        if stop and step < trainer.max_steps:
            raise self.stop.stopped(step)

    def _save(self, trainer: L.Trainer) -> None:
        step = self.saved = trainer.global_step
        best = sorted(self.losses, key=lambda step: (self.losses[step], step))[: self.keep]
        self.losses = {step: self.losses[step] for step in best}
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(self.folder / "checkpoints" / f"step_{step:07d}.ckpt", weights_only=False)
        if trainer.is_global_zero:
            newest: dict[int, Path] = {}
            for each, path in list_checkpoints(self.folder):
                newest.setdefault(each, path)
            latest = [each for each in newest if each <= step][:SAFE]
            kept = {newest[each] for each in (*latest, *best) if each in newest}
            for _, path in list_checkpoints(self.folder):
                if path not in kept:
                    path.unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        """The step and the losses of the checkpoints kept for them."""
        return {"saved": self.saved, "losses": self.losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them from a checkpoint."""
        self.saved, self.losses = state_dict["saved"], dict(state_dict["losses"])
