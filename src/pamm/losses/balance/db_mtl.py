"""Losses alike in size and gradients alike in length."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pamm.losses.balance.gradient_balancer import GradientBalancer
from pamm.losses.balance.task_adam import keep
from pamm.tasks import Task

TINY = 1e-8
"""Keeps quotients finite, as in the authors' code."""


class DBMTL(GradientBalancer):
    """Dual balancing: the logarithm of each loss, and all its gradients stretched to the length of the longest.

    The gradient of ``log L`` does not depend on the unit of the loss. Over the shared numbers, its moving average
    ``v ← momentum · v + (1 - momentum) · ∇ log L`` is stretched to the length of the longest, and the step is their
    sum. Elsewhere the step follows the gradient of ``log L``.

    Chosen among the newer methods because here losses in metres, nats and degrees meet in batches that each label other
    tasks. It needs neither factors of the losses nor a rate for weights, and nothing of it depends on which tasks were
    there before; no system is solved that two parallel gradients make singular (Nash-MTL, Aligned-MTL), no loss is
    computed twice (FAMO). In the authors' comparison on NYU-v2 it gains most over single-task training.

    The authors tune the momentum per data set. It takes the memory of T more gradients, in checkpoints, too; here it is
    0 unless asked for.

    Source:
        Lin, Jiang, Ye, Zhang, Chen, Chen, Liu and Kwok, arXiv 2308.12029, algorithm 1.
    """

    average: Tensor

    def __init__(self, tasks: Sequence[Task], *, momentum: float = 0.0, numbers: int = 0) -> None:
        """Start without a past.

        Args:
            tasks: the T tasks.
            momentum: how much of the past stays in the moving average.
            numbers: how many numbers are trained, P; needed with a momentum only.
        """
        super().__init__(tasks)
        self.momentum = momentum
        self.register_buffer("average", torch.zeros(len(tasks), numbers if momentum else 0))

    def combine_gradients(self, gradients: Tensor, shared: Tensor, whole: Tensor, there: Tensor) -> Tensor:
        """Stretch the gradients."""
        own = torch.where(there, 1 / whole.clamp(min=TINY), 0)
        moving, inner = gradients, own
        if self.momentum:
            latest = own[:, None] * gradients
            new = self.average.lerp(latest, 1 - self.momentum)
            keep(self.average, new, (there & latest.isfinite().all())[:, None])
            moving, inner = new, there.to(new.dtype)
        lengths = inner * torch.where(shared, moving, 0).norm(dim=1)
        self.weights = inner * lengths.max() / (lengths + TINY)
        return torch.where(shared, self.weights @ moving, own @ gradients)
