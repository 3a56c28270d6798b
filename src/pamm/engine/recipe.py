"""All settings of a training run as one record."""

from dataclasses import dataclass, field

from pamm.engine.balancing import BalanceConfig
from pamm.engine.config import AugmentConfig, ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run, as a YAML file describes it: the arguments of :func:`pamm.engine.train.train`."""

    model: ModelChoice = field(default_factory=ModelChoice)
    """Which network, and its first weights."""
    data: DataConfig = field(default_factory=DataConfig)
    """Images to learn from."""
    val: DataConfig = field(default_factory=lambda: DataConfig(seed=1))
    """Images to validate on."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """How training images vary."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """How the weights are learnt."""
    run: RunConfig = field(default_factory=RunConfig)
    """Where the run is kept and how it is carried out."""
    tasks: tuple[str, ...] | None = None
    """Names of the tasks to learn; all that the data labels if left out."""
    losses: dict[str, str] | None = None
    """Names of losses by task."""
    loss_weights: dict[str, float] | None = None
    """Factors of the tasks' losses."""
    balance: BalanceConfig = field(default_factory=BalanceConfig)
    """How the losses are balanced."""
