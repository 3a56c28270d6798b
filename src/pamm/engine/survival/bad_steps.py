"""Steps whose loss or gradient is not finite or exploded: they end the run, or are left out of what is learnt."""

import json
import math
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from pamm.data.files import atomic_write

LOST = 10
"""Bad steps in a row after which the network is taken to be lost, whatever the batches hold."""


class BadStepError(ValueError):
    """A loss or a gradient is not finite, or exploded."""


class WatchSteps(L.Callback):
    """Looks at the loss and the gradient of each step before the optimiser does.

    Either way the names of a bad step's images are written to ``bad_batches/step_N.json``, N being the number of the
    step from 1 on, each process its own. A step that is left out counts as done, for the schedule and the order of the
    images; it changes neither a weight nor a buffer, such as the statistics of a batch norm.
    """

    def __init__(self, folder: Path, *, skip: bool, largest_loss: float) -> None:
        """Take the settings.

        Args:
            folder: folder of the run.
            skip: whether bad steps are left out; if not, the first ends the run.
            largest_loss: loss above which it counts as exploded.
        """
        self.folder, self.skip, self.largest_loss = folder, skip, largest_loss
        self.names: list[str] = []
        self.losses: list[Tensor] = []
        self.buffers: list[Tensor] = []
        self.skipped, self.in_a_row = 0, 0

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: dict[str, Any], batch_idx: int
    ) -> None:
        """Keep what is needed to undo the step."""
        if self.skip and not self.names:
            self.buffers = [buffer.detach().clone() for buffer in pl_module.buffers()]
        self.names += batch["name"]

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        """Note the loss of one of the batches of the step: as it is logged, for what is derived may be of no loss."""
        self.losses.append(trainer.callback_metrics["train/loss"])

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: L.LightningModule, optimizer: Optimizer) -> None:
        """Look at the step.

        Raises:
            BadStepError: if it is bad and not to be left out, or too many were in a row.
        """
        losses = torch.stack(self.losses)
        good = (losses.abs() <= self.largest_loss).all()
        # in half precision an infinite gradient is but a sign that the scale has to fall
        norm = None if getattr(trainer.precision_plugin, "scaler", None) is not None else _norm(pl_module)
        if norm is not None:
            good = good & norm.isfinite()
        bad = trainer.strategy.reduce_boolean_decision(not bool(good), all=False)
        if bad:
            self._handle(trainer, pl_module, optimizer, losses.tolist(), norm if norm is None else float(norm))
        self.in_a_row = self.in_a_row + 1 if bad else 0
        self.names, self.losses = [], []

    def _handle(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        optimizer: Optimizer,
        losses: list[float],
        norm: float | None,
    ) -> None:
        step, rank = trainer.global_step + 1, trainer.global_rank
        path = self.folder / "bad_batches" / f"step_{step:07d}{f'_process_{rank}' if rank else ''}.json"
        numbers = {"losses": [_plain(loss) for loss in losses], "gradient_norm": norm if norm is None else _plain(norm)}
        text = json.dumps({"step": step, **numbers, "names": self.names}, indent=2, ensure_ascii=False) + "\n"
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        said = f"step {step}: loss {', '.join(f'{loss:g}' for loss in losses)}"
        said += "" if norm is None else f", norm of the gradient {norm:g}"
        if not self.skip:
            raise BadStepError(
                f"{said}: see the batch in {path}; mend it, lower optim.lr, or leave such batches out with "
                "--run.non_finite skip, and go on from the last checkpoint with --run.resume true"
            )
        if self.in_a_row + 1 >= LOST:
            raise BadStepError(f"{said}, the {LOST}th bad step in a row: begin anew with a lower optim.lr")
        rank_zero_warn(f"{said}: left out, see {path}", category=UserWarning)
        optimizer.zero_grad()
        for buffer, before in zip(pl_module.buffers(), self.buffers, strict=True):
            buffer.copy_(before)
        self.skipped += 1
        pl_module.log("train/skipped", float(self.skipped))

    def state_dict(self) -> dict[str, Any]:
        """How many steps were left out."""
        return {"skipped": self.skipped, "in_a_row": self.in_a_row}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it from a checkpoint."""
        self.skipped, self.in_a_row = state_dict["skipped"], state_dict["in_a_row"]


def _norm(module: L.LightningModule) -> Tensor:
    norm = get_total_norm([parameter.grad for parameter in module.parameters() if parameter.grad is not None])
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _plain(value: float) -> float | str:
    """A number as JSON knows it."""
    return value if math.isfinite(value) else str(value)
