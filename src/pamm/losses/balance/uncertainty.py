"""Weights from the noise that each task's labels seem to have."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pamm.losses.balance.balancer import Balancer
from pamm.losses.balance.task_adam import TaskAdam, keep
from pamm.tasks import Task


class Uncertainty(Balancer):
    """Homoscedastic uncertainty: each task's loss over a variance that is learnt, which its logarithm keeps finite.

    The sum over the tasks of ``L / σ² + log σ`` for classes and yes/no questions, and of ``L / (2 σ²) + log σ`` for
    values and directions, is minimised over the network and over ``s = log σ²``. For constant losses both kinds settle
    at a weighted loss of one half. Here ``s`` has an Adam of its own, in which a task without labels keeps its state;
    the network's rates, made for pretrained weights, would hardly move it.

    Source:
        Kendall, Gal and Cipolla, arXiv 1705.07115, section 3.2.
    """

    log_variance: Tensor
    factor: Tensor

    def __init__(self, tasks: Sequence[Task], *, lr: float = 0.025) -> None:
        """Start from variances of 1.

        Args:
            tasks: the T tasks.
            lr: learning rate of the logarithms of the variances.
        """
        super().__init__(tasks)
        self.register_buffer("log_variance", torch.zeros(len(tasks)))
        factor = torch.tensor([1.0 if task.classes else 0.5 for task in tasks])
        self.register_buffer("factor", factor, persistent=False)
        self.adam = TaskAdam(size=len(tasks), lr=lr)

    def weigh(self, whole: Tensor, there: Tensor) -> Tensor:
        """Weights by the variances so far; then these learn from the batch."""
        weights = self.factor * torch.exp(-self.log_variance)
        where = there & whole.isfinite().all()
        keep(self.log_variance, self.log_variance + self.adam(0.5 - weights * whole, where), where)
        return weights
