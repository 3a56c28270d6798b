"""The training loop: Lightning around a network and two data sets."""

import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from pamm.data.files import atomic_write
from pamm.data.sample import SampleSource
from pamm.engine.callbacks import DrawSamples, KeepWeights
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.datamodule import PAMMDataModule
from pamm.engine.module import PAMMModule
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
        ValueError: if the steps do not divide into rounds, or the folder holds another run.
    """
    if optim.steps % run.validate_every:
        raise ValueError(
            f"optim.steps ({optim.steps}) must be a multiple of run.validate_every ({run.validate_every}), "
            "so that the last step is validated: change one of them"
        )
    folder = Path(run.out)
    checkpoint = _prepare(folder, resume=run.resume, record=record or {})
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    size = network.config.image_size
    data = PAMMDataModule(
        train_set,
        val_set,
        model=network.config,
        train_canvas=train_canvas or size,
        val_canvas=val_canvas or size,
        augment=augment,
        batch_size=optim.batch_size,
        round_steps=run.validate_every,
        workers=run.workers,
        seed=run.seed,
    )
    trainer = L.Trainer(
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
            ModelCheckpoint(
                folder / "checkpoints",
                filename="best",
                monitor="val/loss",
                save_last=True,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            ),
        ],
    )
    with warnings.catch_warnings():
        # Lightning advises more reading processes than a small machine has cores.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Its own use of a torch function that is to go.
        warnings.filterwarnings("ignore", message=".*treespec.*")
        # A resumed run finds its own checkpoints, and closes the round before the first new validation.
        warnings.filterwarnings("ignore", message="Checkpoint directory .* exists")
        warnings.filterwarnings("ignore", message=".*could not find the monitored key")
        trainer.fit(PAMMModule(network, optim, seed=run.seed), datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return folder / "best"


def _prepare(folder: Path, *, resume: bool, record: dict[str, Any]) -> Path | None:
    """Make the folder of a run, or find the checkpoint to go on from."""
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if resume and not checkpoint.exists():
        raise ValueError(f"{folder} holds no checkpoint to resume from: {checkpoint} is missing")
    if not resume and checkpoint.exists():
        raise ValueError(f"{folder} already holds a run: choose another run.out, or go on with run.resume")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "config.yaml") as path:
        path.write_text(yaml.safe_dump(record, sort_keys=False), encoding="utf-8")
    return checkpoint if resume else None
