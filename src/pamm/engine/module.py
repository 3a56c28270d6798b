"""One training step and one validation pass, for Lightning."""

import math
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from pamm.engine.balancing import build_balancer
from pamm.engine.config import BalanceConfig, OptimConfig
from pamm.engine.parameter_groups import parameter_groups
from pamm.losses import load_balancing_loss, multi_task_loss
from pamm.losses.balance import Fixed
from pamm.metrics import task_scores
from pamm.models import PAMM
from pamm.tasks import Task

Batch = dict[str, Any]


class PAMMModule(L.LightningModule):
    """Trains a network on the losses of its tasks, balanced as a config says."""

    def __init__(
        self,
        model: PAMM,
        optim: OptimConfig,
        *,
        scored: tuple[Task, ...],
        seed: int = 0,
        balance: BalanceConfig = BalanceConfig(),
    ) -> None:
        """Take a network and how to train it.

        Args:
            model: the network.
            optim: the optimisation.
            scored: the tasks that the validation images have labels for.
            seed: seed of the noise in the gates and of stochastic depth. Step ``i`` always draws the same noise, so
                a resumed run repeats an uninterrupted one.
            balance: how the losses of the tasks are balanced.
        """
        super().__init__()
        self.model, self.optim, self.seed = model, optim, seed
        self.balancer = build_balancer(balance, model)
        self.started = False
        # the one holds the scores as typed objects, the other moves them from device to device
        self.scores = task_scores(scored)
        self.score_modules = nn.ModuleDict(self.scores)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the step's noise."""
        self.started = True
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * 1009 + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        outputs, gates = self.model.forward_with_gates(batch["image"])
        total, losses = multi_task_loss(outputs, batch["labels"], self.model.config.tasks)
        step = self._balance(losses, batch["labels"])
        if self.optim.load_balancing > 0:
            losses["load_balancing"] = load_balancing_loss(gates)
            total, step = (loss + self.optim.load_balancing * losses["load_balancing"] for loss in (total, step))
        self._log("train", total, losses)
        return step

    def _balance(self, losses: dict[str, Tensor], labels: dict[str, Tensor]) -> Tensor:
        """The scalar whose gradients train the network; its value may be that of no loss."""
        tasks = self.model.config.tasks
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        step: Tensor = self.balancer(
            {task.name: task.loss_weight * losses[task.name] for task in tasks},
            {task.name: task.valid(labels[task.name]).any() for task in tasks},
            parameters=[parameter for parameter in self.model.parameters() if parameter.requires_grad],
            scale=1.0 if scaler is None else scaler.get_scale(),
        )
        if not isinstance(self.balancer, Fixed):
            weights = zip(self.balancer.tasks, self.balancer.weights, strict=True)
            self.log_dict({f"train/weight/{name}": weight for name, weight in weights})
        return step

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses and scores of one batch."""
        outputs = self.model(batch["image"])
        total, losses = multi_task_loss(outputs, batch["labels"], self.model.config.tasks)
        self._log("val", total, losses, batch_size=len(batch["image"]), sync_dist=True)
        for name, score in self.scores.items():
            score.update(outputs[name], batch["labels"][name])

    def on_validation_epoch_end(self) -> None:
        """Log the scores over the whole set."""
        for name, score in self.scores.items():
            values = score.compute()
            # already summed over processes; the option only keeps Lightning from warning
            self.log_dict({f"val/{name}/{key}": value for key, value in values.items()}, sync_dist=True)
            score.reset()

    def _log(self, stage: str, total: Tensor, losses: dict[str, Tensor], **options: Any) -> None:
        self.log(f"{stage}/loss", total.detach(), prog_bar=True, **options)
        self.log_dict({f"{stage}/loss/{name}": loss.detach() for name, loss in losses.items()}, **options)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser and its schedule, stepped after every batch."""
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optim.name]
        optimizer = kind(parameter_groups(self.model, weight_decay=self.optim.weight_decay), lr=self.optim.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Share of the full learning rate: a linear rise, times the polynomial decay of the paper."""
        rise = min(1.0, (step + 1) / (self.optim.warmup + 1))
        return rise * math.pow(max(0.0, 1 - step / self.optim.steps), self.optim.power)
