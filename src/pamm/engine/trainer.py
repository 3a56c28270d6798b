"""Lightning's trainer, with all that a run writes."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import ModelParallelStrategy

from pamm.engine.callbacks import DrawSamples, KeepWeights
from pamm.engine.config import OptimConfig, RunConfig
from pamm.engine.datamodule import PAMMDataModule
from pamm.engine.run_folder import AtomicCheckpoints


def build_trainer(folder: Path, data: PAMMDataModule, *, optim: OptimConfig, run: RunConfig) -> L.Trainer:
    """Lightning's trainer with all that a run writes.

    Raises:
        ValueError: if this machine has no such device or arithmetic.
    """
    # One for each: Lightning's own save_last is only renewed when the best one is.
    keep: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    best = ModelCheckpoint(folder / "checkpoints", filename="best", monitor="val/loss", **keep)
    last = ModelCheckpoint(folder / "checkpoints", filename="last", **keep)
    try:
        return L.Trainer(
            default_root_dir=folder,
            accelerator=run.accelerator,
            devices=run.devices,
            num_nodes=run.nodes,
            strategy=_strategy(run),
            precision=run.precision,
            max_steps=optim.steps,
            max_epochs=-1,
            gradient_clip_val=optim.clip,
            accumulate_grad_batches=optim.accumulate,
            log_every_n_steps=min(run.log_every, run.validate_every),
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_model_summary=False,
            logger=[TensorBoardLogger(folder, name="tensorboard"), CSVLogger(folder, name="log")],
            callbacks=[
                RichProgressBar(leave=False),
                KeepWeights(folder),
                DrawSamples(data.val_set, folder / "pictures", count=run.pictures),
                best,
                last,
            ],
            plugins=[AtomicCheckpoints()],
        )
    except MisconfigurationException as error:
        raise ValueError(f"run.accelerator {run.accelerator!r}, run.precision {run.precision!r}: {error}") from error
    except ModuleNotFoundError as error:
        raise ValueError(f"run.accelerator {run.accelerator!r} needs software that is not here: {error}") from error


def _strategy(run: RunConfig) -> str | ModelParallelStrategy:
    processes = run.devices * run.nodes
    if run.strategy == "fsdp":
        return ModelParallelStrategy(
            data_parallel_size=processes, tensor_parallel_size=1, save_distributed_checkpoint=False
        )
    return "ddp" if processes > 1 or run.strategy == "ddp" else "auto"


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what Lightning says that a user can do nothing about, and its advertisements."""
    said = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    level = said.level
    said.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # It advises more reading processes than a small machine has cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Its own use of a torch function that is to go.
        warnings.filterwarnings("ignore", message=".*treespec.*")
        # A resumed run finds its own checkpoints, and closes the round before the first new validation.
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists")
        warnings.filterwarnings("ignore", message=".*could not find the monitored key")
        # Frozen parts of an encoder are meant to be.
        warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        # On a CPU, depthwise kernels get gradients in another layout than several processes exchange; they are copied.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        try:
            yield
        finally:
            said.setLevel(level)
