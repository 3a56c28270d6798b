"""The training loop: Lightning around a network and two data sets."""

import pickle
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch

from pamm.data.sample import SampleSource
from pamm.engine.balancing import BalanceConfig
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.datamodule import PAMMDataModule
from pamm.engine.evaluate import common_tasks
from pamm.engine.memory import keep_memory
from pamm.engine.module import PAMMModule
from pamm.engine.results.run_facts import RunFacts
from pamm.engine.run_folder import check_folder, find_checkpoint, keep_record
from pamm.engine.survival.lock import only_run
from pamm.engine.survival.stop import StoppedRun
from pamm.engine.trainer import build_trainer, logs, quiet
from pamm.models import PAMM

VALIDATED = RunFacts(data="validation images")
"""What a run knows about its data if nothing is said."""


def fit(
    network: PAMM,
    train_set: SampleSource,
    val_set: SampleSource,
    *,
    optim: OptimConfig,
    run: RunConfig,
    augment: AugmentConfig = AugmentConfig(),
    balance: BalanceConfig = BalanceConfig(),
    train_canvas: tuple[int, int] | None = None,
    val_canvas: tuple[int, int] | None = None,
    record: dict[str, Any] | None = None,
    facts: RunFacts = VALIDATED,
) -> Path:
    """Train a given network on given data sets.

    Args:
        network: the network, trained in place.
        train_set: labelled photos to learn from.
        val_set: labelled photos to validate on.
        optim: how the weights are learnt.
        run: where the run is kept and how it is carried out.
        augment: how training images vary.
        balance: how the losses of the tasks are balanced.
        train_canvas: (height, width) of training inputs; the network's own if left out.
        val_canvas: (height, width) of validation inputs; the network's own if left out.
        record: plain values kept as ``config.yaml`` beside the weights.
        facts: what the weights' scores and card say about network and data; in how it was trained, ``{step}`` stands
            for the steps that are done.

    Returns:
        The folder of the best weights.

    Raises:
        ValueError: if the steps do not divide into rounds, the sizes do not fit, the validation labels are for other
            classes, the balancing does not suit the strategy, or the folder holds another run or is in use.
        StoppedRun: if a scheduler asked the run to stop; it has saved its state.
    """
    if optim.steps % run.validate_every:
        raise ValueError(
            f"optim.steps ({optim.steps}) must be a multiple of run.validate_every ({run.validate_every}), "
            "so that the last step is validated: change one of them"
        )
    if run.strategy == "fsdp" and balance.whole_gradients:
        raise ValueError(
            f"balance.name {balance.name!r} combines whole gradients, and run.strategy fsdp leaves each process a "
            "part: set run.strategy ddp, or another balance.name"
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
        accumulate=optim.accumulate,
        replace_unreadable=run.unreadable == "skip",
    )
    data.train_set.sample(0)
    data.val_set.sample(0)
    folder = Path(run.out)
    check_folder(folder, record or {}, resume=run.resume)
    with quiet():
        trainer = build_trainer(folder, data, optim=optim, run=run, facts=facts)
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    keep_memory()
    network.set_recompute(run.recompute).set_synced(run.sync_batch_norm)
    module = PAMMModule(
        network,
        optim,
        scored=scored,
        seed=run.seed,
        compiled=run.compile,
        channels_last=run.channels_last,
        balance=balance,
    )
    # the first of several processes holds the folder for all
    with only_run(folder) if trainer.is_global_zero else nullcontext():
        _run(trainer, module, data, folder, record or {}, resume=run.resume)
    return folder / "best"


def _run(
    trainer: L.Trainer,
    module: PAMMModule,
    data: PAMMDataModule,
    folder: Path,
    record: dict[str, Any],
    *,
    resume: bool | Literal["auto"],
) -> None:
    """Train in a folder that no other process writes to."""
    step, checkpoint = find_checkpoint(folder, record, resume=resume)
    trainer.loggers = logs(folder, step=step)
    keep_record(folder, record)
    try:
        with quiet():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except StoppedRun:
        raise
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
