"""Weights that make the gradients of all tasks alike in length."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pamm.losses.balance.gradient_balancer import GradientBalancer, mixed
from pamm.losses.balance.task_adam import TaskAdam, keep
from pamm.tasks import Task


class GradNorm(GradientBalancer):
    """GradNorm: learns weights under which slow tasks have long gradients and fast ones short.

    With ``G = |∇ w L|`` the length of a task's weighted gradient, and ``r`` its loss relative to its first one, divided
    by the mean of that over the tasks, the sum over the tasks of ``|G - mean(G) · r^alpha|`` is minimised over the
    weights, the second term taken as constant; then they are scaled to sum to T. The paper takes the lengths at the
    last shared layer, to save time; here they are over all shared numbers, as the gradients are there anyway. Weights
    do not fall below 0.

    Source:
        Chen, Badrinarayanan, Lee and Rabinovich, arXiv 1711.02257, equations 1 and 2 and algorithm 1.
    """

    task_weights: Tensor
    first: Tensor

    def __init__(self, tasks: Sequence[Task], *, alpha: float = 1.5, lr: float = 0.025) -> None:
        """Start with equal weights.

        Args:
            tasks: the T tasks.
            alpha: how much slow tasks are favoured; 0 makes all gradients alike.
            lr: learning rate of the weights.
        """
        super().__init__(tasks)
        self.alpha = alpha
        self.register_buffer("task_weights", torch.ones(len(tasks)))
        self.register_buffer("first", torch.zeros(len(tasks)))  # loss of the first batch with labels, 0 before
        self.adam = TaskAdam(size=len(tasks), lr=lr)

    def combine_gradients(self, gradients: Tensor, shared: Tensor, whole: Tensor, there: Tensor) -> Tensor:
        """Weigh by the weights so far; then these learn from the batch."""
        self.weights = self.task_weights.clone()
        combined = mixed(gradients, shared, weights=self.weights, own=self.weights)
        lengths = torch.where(shared, gradients, 0).norm(dim=1)
        where = there & whole.isfinite().all() & lengths.isfinite().all()
        keep(self.first, whole, where & (self.first == 0))
        self._learn(lengths, whole, where)
        return combined

    def _learn(self, lengths: Tensor, whole: Tensor, where: Tensor) -> None:
        count = where.sum().clamp(min=1)
        progress = torch.where(where, whole / self.first.clamp(min=1e-8), 0)
        rate = progress / (progress.sum() / count).clamp(min=1e-8)
        weighted = torch.where(where, self.task_weights * lengths, 0)
        target = weighted.sum() / count * rate**self.alpha
        moved = (self.task_weights + self.adam(torch.sign(weighted - target) * lengths, where)).clamp(min=0)
        # those of absent tasks stay, so the others keep their sum
        old, new = (torch.where(where, weights, 0).sum() for weights in (self.task_weights, moved))
        keep(self.task_weights, moved * old / new.clamp(min=1e-8), where)
