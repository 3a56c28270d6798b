"""The training loop: Lightning around a network and two data sets."""

import logging
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from pamm.data.sample import SampleSource
from pamm.engine.callbacks import DrawSamples, KeepWeights
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.datamodule import PAMMDataModule
from pamm.engine.evaluate import common_tasks
from pamm.engine.memory import keep_memory
from pamm.engine.module import PAMMModule
from pamm.engine.run_folder import AtomicCheckpoints, find_checkpoint, keep_record
from pamm.models import PAMM


def fit(
    network: PAMM,
    train_set: SampleSource,
    val_set: SampleSource,
    *,
    optim: OptimConfig,
    run: RunConfig,
    augment: AugmentConfig = AugmentConfig(),
    train_canvas: tuple[int, int] | None = None,
    val_canvas: tuple[int, int] | None = None,
    record: dict[str, Any] | None = None,
) -> Path:
    """Train a given network on given data sets.

    Args:
        network: the network, trained in place.
        train_set: labelled photos to learn from.
        val_set: labelled photos to validate on.
        optim: how the weights are learnt.
        run: where the run is kept and how it is carried out.
        augment: how training images vary.
        train_canvas: (height, width) of training inputs; the network's own if left out.
        val_canvas: (height, width) of validation inputs; the network's own if left out.
        record: plain values kept as ``config.yaml`` beside the weights.

    Returns:
        The folder of the best weights.

    Raises:
        ValueError: if the steps do not divide into rounds, the sizes do not fit, the validation labels are for other
            classes, or the folder holds another run.
    """
    if optim.steps % run.validate_every:
        raise ValueError(
            f"optim.steps ({optim.steps}) must be a multiple of run.validate_every ({run.validate_every}), "
            "so that the last step is validated: change one of them"
        )
    scored = common_tasks(network.config.tasks, val_set.tasks)
    data = PAMMDataModule(
        train_set,
        val_set,
        model=network.config,
        train_canvas=checked_canvas("data", train_canvas, network),
        val_canvas=checked_canvas("val", val_canvas, network),
        augment=augment,
        batch_size=optim.batch_size,
        round_steps=run.validate_every,
        workers=run.workers,
        seed=run.seed,
    )
    data.train_set.sample(0)
    data.val_set.sample(0)
    folder = Path(run.out)
    checkpoint = find_checkpoint(folder, record or {}, resume=run.resume)
    with quiet():
        trainer = build_trainer(folder, data, optim=optim, run=run)
    keep_record(folder, record or {})
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    keep_memory()
    network.set_recompute(run.recompute)
    module = PAMMModule(network, optim, scored=scored, seed=run.seed)
    try:
        with quiet():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        # Lightning turns Ctrl-C into an exit of its own once it has tidied up.
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    except (EOFError, RuntimeError, pickle.UnpicklingError) as error:
        if checkpoint is None or module.started:
            raise
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{checkpoint} is damaged or of another network: {reason}") from error
    return folder / "best"


def checked_canvas(name: str, canvas: tuple[int, int] | None, network: PAMM) -> tuple[int, int]:
    """The size of inputs, the network's own if left out.

    Raises:
        ValueError: if a side is no multiple of the patch size.
    """
    height, width = canvas or network.config.image_size
    patch = network.config.patch_size
    for side, value in (("height", height), ("width", width)):
        if value % patch:
            raise ValueError(f"{name}.{side} is {value}: make it a multiple of the patch size {patch}")
    return height, width


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
            strategy="ddp" if run.devices > 1 else "auto",
            precision=run.precision,
            max_steps=optim.steps,
            max_epochs=-1,
            gradient_clip_val=optim.clip,
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
        # On a CPU, depthwise kernels get gradients in another layout than several processes exchange; they are copied.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        try:
            yield
        finally:
            said.setLevel(level)
