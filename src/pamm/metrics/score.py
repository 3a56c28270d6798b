"""What all scores have in common."""

from abc import abstractmethod

from torch import Tensor

from pamm.metrics.base import TaskMetric


class Score(TaskMetric):
    """What all scores have in common."""

    higher_is_better: bool
    """Direction of the headline."""
    headline: str
    """Key of the number by which methods are compared, the first of ``compute()``."""

    @property
    def unit(self) -> str:
        """Unit of the headline."""
        return "%"

    @abstractmethod
    def update(self, output: Tensor, label: Tensor) -> None:
        """Take in a batch."""

    @abstractmethod
    def compute(self) -> dict[str, Tensor]:
        """The numbers over all batches."""
