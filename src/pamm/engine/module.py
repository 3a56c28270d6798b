"""One training step and one validation pass, for Lightning."""

import math
from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities import rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch._functorch import config as functorch_config
from torch.distributed.fsdp import FSDPModule

from pamm.engine.balancing import BalanceConfig, build_balancer
from pamm.engine.config import OptimConfig
from pamm.engine.evaluate import TaskResult
from pamm.engine.parameter_groups import parameter_groups
from pamm.engine.sharding import shard
from pamm.losses import Counts, count_labels, load_balancing_loss, multi_task_loss
from pamm.losses.balance import Fixed, GradientBalancer
from pamm.metrics import LabelledMean, best_constants, task_scores
from pamm.models import PAMM
from pamm.ops.processes import mean_over_processes
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
        compiled: bool = False,
        channels_last: bool = False,
        balance: BalanceConfig = BalanceConfig(),
    ) -> None:
        """Take a network and how to train it.

        Args:
            model: the network.
            optim: the optimisation.
            scored: the tasks that the validation images have labels for.
            seed: seed of the noise in the gates and of stochastic depth. Step ``i`` always draws the same noise, so
                a resumed run repeats an uninterrupted one.
            compiled: whether torch compiles the network.
            channels_last: whether images enter it with their channels last in memory.
            balance: how the losses of the tasks are balanced.
        """
        super().__init__()
        self.model, self.optim, self.seed = model, optim, seed
        self.compiled, self.network = compiled, model.forward_with_gates
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.balancer = build_balancer(balance, model)
        self.started = False
        # the one holds the scores as typed objects, the other moves them from device to device
        self.scores = task_scores(scored)
        self.score_modules = nn.ModuleDict(self.scores)
        self.losses = {task.name: LabelledMean(task) for task in scored}
        self.loss_modules = nn.ModuleDict(self.losses)
        # no modules of this one: their float64 has no place on some devices that it moves to
        self.constants = best_constants(scored)
        self.constant_values: dict[str, float] = {}
        self.results: dict[str, TaskResult] = {}

    @property
    def sharded(self) -> bool:
        """Whether each process holds a part of every weight only."""
        return isinstance(self.trainer.strategy, ModelParallelStrategy)

    def configure_model(self) -> None:
        """Share the weights out among the processes, and compile the network, where that is wanted."""
        if self.sharded and not isinstance(self.model, FSDPModule):
            assert self.device_mesh is not None
            shard(self.model, self.device_mesh["data_parallel"])
        # what sharding made of it
        self.network = self.model.forward_with_gates
        if self.compiled:
            # else what a compiled network keeps is gone after one backward pass
            functorch_config.donated_buffer = not isinstance(self.balancer, GradientBalancer)
            self.network = torch.compile(self.network)

    def on_train_start(self) -> None:
        """Take the rates from the schedule: a checkpoint holds those of its own, which more steps make another."""
        for config in self.trainer.lr_scheduler_configs:
            schedule = config.scheduler
            assert isinstance(schedule, torch.optim.lr_scheduler.LambdaLR)
            for group, base in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
                group["lr"] = base * self._rate(schedule.last_epoch)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the noise of the step's batch."""
        self.started = True
        accumulate = self.optim.accumulate
        number = (self.seed * 1_000_003 + self.global_step) * accumulate + batch_idx % accumulate
        torch.manual_seed(number * 1009 + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        outputs, gates = self.network(batch["image"].contiguous(memory_format=self.layout))
        counts = count_labels(batch["labels"], self.model.config.tasks, over_processes=True)
        total, losses = multi_task_loss(outputs, batch["labels"], self.model.config.tasks, counts)
        step = self._balance(losses, counts)
        if self.optim.load_balancing > 0:
            losses["load_balancing"] = load_balancing_loss(gates, over_processes=True)
            total, step = (loss + self.optim.load_balancing * losses["load_balancing"] for loss in (total, step))
        self._log("train", *_of_batch(total, losses))
        return step

    def _balance(self, losses: Mapping[str, Tensor], counts: Mapping[str, Counts]) -> Tensor:
        """The scalar whose gradients train the network; its value may be that of no loss."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        step: Tensor = self.balancer(
            {task.name: task.loss_weight * losses[task.name] for task in self.model.config.tasks},
            {name: count.present for name, count in counts.items()},
            parameters=[parameter for parameter in self.model.parameters() if parameter.requires_grad],
            scale=1.0 if scaler is None else scaler.get_scale(),
        )
        if not isinstance(self.balancer, Fixed):
            weights = zip(self.balancer.tasks, self.balancer.weights, strict=True)
            self.log_dict({f"train/weight/{name}": weight for name, weight in weights})
        return step

    def on_validation_start(self) -> None:
        """Bring the best constants to where the labels are, or to the CPU if that has no float64."""
        for constant in self.constants.values():
            constant.to(torch.device("cpu") if self.device.type == "mps" else self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses and scores of one batch."""
        outputs, _ = self.network(batch["image"].contiguous(memory_format=self.layout))
        _, losses = multi_task_loss(outputs, batch["labels"], self.model.config.tasks)
        for name, score in self.scores.items():
            score.update(outputs[name], batch["labels"][name])
            self.losses[name].update(losses[name], batch["labels"][name])
            if not self.constant_values:
                self.constants[name].update(batch["labels"][name].to(self.constants[name].device))

    def on_validation_epoch_end(self) -> None:
        """Log losses and scores over the whole set, of the tasks that it has labels for."""
        means = {name: mean for name, loss in self.losses.items() if (mean := loss.compute()).images > 0}
        weights = {task.name: task.loss_weight for task in self.model.config.tasks}
        if means:
            total = torch.stack([weights[name] * mean.value for name, mean in means.items()]).sum()
            self._log("val", total, {name: mean.value for name, mean in means.items()}, sync_dist=True)
        else:
            rank_zero_warn("the validation images have no labels at all, so the best weights are the latest: see val")
        if not self.constant_values:
            # the labels are always the same
            self.constant_values = {name: float(self.constants[name].compute()) for name in means}
        self.results = {}
        for name in means:
            # already summed over processes, as the losses are; the option only keeps Lightning from warning
            values = self.scores[name].compute()
            self.results[name] = TaskResult.of(self.scores[name], values, constant=self.constant_values[name])
            self.log_dict({f"val/{name}/{key}": value for key, value in values.items()}, sync_dist=True)
        for metric in (*self.scores.values(), *self.losses.values()):
            metric.reset()

    def _log(self, stage: str, total: Tensor, losses: dict[str, Tensor], **options: Any) -> None:
        self.log(f"{stage}/loss", total.detach(), prog_bar=True, **options)
        self.log_dict({f"{stage}/loss/{name}": loss.detach() for name, loss in losses.items()}, **options)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser and its schedule, stepped after every batch."""
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optim.name]
        groups = parameter_groups(
            self.model,
            weight_decay=self.optim.weight_decay,
            lr=self.optim.lr,
            layer_decay=self.optim.layer_decay,
            encoder_lr=self.optim.encoder_lr,
        )
        optimizer = kind(groups, lr=self.optim.lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """Share of the full learning rate: a linear rise, times the polynomial decay of the paper."""
        rise = min(1.0, (step + 1) / (self.optim.warmup + 1))
        return rise * math.pow(max(0.0, 1 - step / self.optim.steps), self.optim.power)


def validation_loss(trainer: L.Trainer) -> float:
    """Loss of the latest validation; infinite where it is not a number or no image had a label."""
    loss = float(trainer.callback_metrics.get("val/loss", math.inf))
    return math.inf if math.isnan(loss) else loss


@torch.no_grad()
def _of_batch(total: Tensor, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Losses of the whole batch of all processes, in one exchange."""
    mean = mean_over_processes(torch.stack((total, *losses.values())))
    return mean[0], dict(zip(losses, mean[1:], strict=True))
