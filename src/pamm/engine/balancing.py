"""How a run balances the losses of its tasks, and what does so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pamm.losses.balance import DBMTL, Balancer, DynamicWeightAverage, Fixed, GradNorm, PCGrad, Uncertainty
from pamm.models import PAMM


@dataclass(frozen=True, kw_only=True)
class BalanceConfig:
    """How the losses of the tasks are balanced, on top of their factors."""

    name: Literal["fixed", "uncertainty", "dwa", "gradnorm", "pcgrad", "db_mtl"] = "fixed"
    """Plain sum, homoscedastic uncertainty, dynamic weight average, GradNorm, PCGrad, or dual balancing."""
    lr: float = 0.025
    """Uncertainty and GradNorm: learning rate of the weights."""
    alpha: float = 1.5
    """GradNorm: how much slow tasks are favoured; 0 makes all gradients alike."""
    window: int = 500
    """Dynamic weight average: batches over which losses are averaged, in place of an epoch."""
    temperature: float = 2.0
    """Dynamic weight average: the higher, the more alike the weights."""
    momentum: float = 0.0
    """Dual balancing: how much of the past stays in the gradients; more than 0 takes the memory of one per task."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("lr", "window", "temperature"):
            if getattr(self, name) <= 0:
                raise ValueError(f"balance.{name} must be greater than 0, got {getattr(self, name)}")
        if self.alpha < 0:
            raise ValueError(f"balance.alpha must be 0 or more, got {self.alpha}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"balance.momentum must be at least 0 and less than 1, got {self.momentum}")

    @property
    def whole_gradients(self) -> bool:
        """Whether each process must hold the gradients of all weights."""
        return self.name in ("gradnorm", "pcgrad", "db_mtl")


def build_balancer(config: BalanceConfig, model: PAMM) -> Balancer:
    """Build what makes one step of the losses of all tasks.

    Args:
        config: which one, and its settings.
        model: the network, with all that is frozen frozen.
    """
    tasks = model.config.tasks
    numbers = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    makers: dict[str, Callable[[], Balancer]] = {
        "fixed": lambda: Fixed(tasks),
        "uncertainty": lambda: Uncertainty(tasks, lr=config.lr),
        "dwa": lambda: DynamicWeightAverage(tasks, window=config.window, temperature=config.temperature),
        "gradnorm": lambda: GradNorm(tasks, alpha=config.alpha, lr=config.lr),
        "pcgrad": lambda: PCGrad(tasks),
        "db_mtl": lambda: DBMTL(tasks, momentum=config.momentum, numbers=numbers),
    }
    return makers[config.name]()
