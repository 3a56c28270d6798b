"""The balancer that a config names."""

from collections.abc import Callable

from pamm.engine.config import BalanceConfig
from pamm.losses.balance import DBMTL, Balancer, DynamicWeightAverage, Fixed, GradNorm, PCGrad, Uncertainty
from pamm.models import PAMM


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
