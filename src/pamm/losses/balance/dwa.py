"""Weights from how fast each task's loss falls."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pamm.losses.balance.balancer import Balancer
from pamm.losses.balance.task_adam import keep
from pamm.tasks import Task


class DynamicWeightAverage(Balancer):
    """Dynamic weight average: tasks whose loss falls more slowly weigh more.

    ``w = T · softmax(r / temperature)`` over the tasks, where ``r`` is a task's mean loss over the last epoch divided
    by that of the epoch before; 1 until there are two. A stream of images has no epochs: here windows of a number of
    batches stand for them. A window without labels of a task does not count as one of the task's.

    Source:
        Liu, Johns and Davison, arXiv 1803.10704, section 3.3.
    """

    sums: Tensor
    counts: Tensor
    means: Tensor
    batches: Tensor

    def __init__(self, tasks: Sequence[Task], *, window: int = 500, temperature: float = 2.0) -> None:
        """Start with equal weights.

        Args:
            tasks: the T tasks.
            window: how many batches make an epoch.
            temperature: the higher, the more alike the weights.
        """
        super().__init__(tasks)
        self.window, self.temperature = window, temperature
        for name in ("sums", "counts"):
            self.register_buffer(name, torch.zeros(len(tasks)))
        self.register_buffer("means", torch.zeros(2, len(tasks)))  # of the last window and of that before, 0 for none
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def weigh(self, whole: Tensor, there: Tensor) -> Tensor:
        """Weights by the last two whole windows; then the batch joins the present one."""
        last, before = self.means
        ratio = torch.where((last > 0) & (before > 0), last / before, 1.0)
        weights = len(ratio) * torch.softmax(ratio / self.temperature, dim=0)
        where = there & whole.isfinite().all()
        keep(self.sums, self.sums + whole, where)
        keep(self.counts, self.counts + 1, where)
        self.batches += 1
        if self.batches % self.window == 0:
            mean = self.sums / self.counts
            keep(self.means, torch.stack((mean, last)), self.counts > 0)
            self.sums.zero_()
            self.counts.zero_()
        return weights
