"""Lightning's trainer, with all that a run writes."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.strategies import ModelParallelStrategy

from pamm.engine.callbacks import DrawSamples, KeepWeights
from pamm.engine.config import OptimConfig, RunConfig
from pamm.engine.datamodule import PAMMDataModule
from pamm.engine.results.run_facts import RunFacts
from pamm.engine.survival.bad_steps import WatchSteps
from pamm.engine.survival.checkpoints import AtomicCheckpoints, SaveCheckpoints
from pamm.engine.survival.log import CSVLog
from pamm.engine.survival.stop import StopRequest
from pamm.engine.survival.unreadable import NoteUnreadable


def build_trainer(
    folder: Path, data: PAMMDataModule, *, optim: OptimConfig, run: RunConfig, facts: RunFacts
) -> L.Trainer:
    """Lightning's trainer with all that a run writes.

    Raises:
        ValueError: if this machine has no such device or arithmetic, or torchrun started another number of processes.
    """
    if TorchElasticEnvironment.detect() and (started := TorchElasticEnvironment().world_size()) != run.processes:
        raise ValueError(
            f"torchrun started {started} processes, run.devices ({run.devices}) times run.nodes ({run.nodes}) is "
            f"{run.processes}: set them to what torchrun was told"
        )
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
            logger=False,
            callbacks=[
                RichProgressBar(leave=False),
                KeepWeights(folder, images=len(data.val_set), facts=facts),
                DrawSamples(data.val_set, folder / "pictures", count=run.pictures),
                NoteUnreadable(folder),
                WatchSteps(folder, skip=run.non_finite == "skip", largest_loss=run.largest_loss),
                SaveCheckpoints(
                    folder,
                    round_steps=run.validate_every,
                    every=run.checkpoint_every,
                    keep=run.keep,
                    stop=StopRequest(),
                ),
            ],
            plugins=[AtomicCheckpoints()],
        )
    except MisconfigurationException as error:
        raise ValueError(f"run.accelerator {run.accelerator!r}, run.precision {run.precision!r}: {error}") from error
    except ModuleNotFoundError as error:
        raise ValueError(f"run.accelerator {run.accelerator!r} needs software that is not here: {error}") from error


def _strategy(run: RunConfig) -> str | ModelParallelStrategy:
    if run.strategy == "fsdp":
        return ModelParallelStrategy(
            data_parallel_size=run.processes, tensor_parallel_size=1, save_distributed_checkpoint=False
        )
    return "ddp" if run.processes > 1 or run.strategy == "ddp" else "auto"


def logs(folder: Path, *, step: int) -> list[Logger]:
    """The logs of a run, for TensorBoard and as CSV.

    Args:
        folder: folder of the run.
        step: steps done before, 0 for a new run; what is logged of later ones is replaced.
    """
    return [
        TensorBoardLogger(folder, name="tensorboard", version="", purge_step=step or None),
        CSVLog(folder, step=step),
    ]


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
        # The order of the images follows from the number of steps: every loader can go on from the middle of a round.
        warnings.filterwarnings("ignore", message=".*your dataloader is not resumable")
        # Frozen parts of an encoder are meant to be.
        warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")
        # On a CPU, depthwise kernels get gradients in another layout than several processes exchange; they are copied.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        try:
            yield
        finally:
            said.setLevel(level)
