"""State of the scores of one task."""

import torch
from torchmetrics import Metric

from pamm.tasks import Task


class TaskMetric(Metric):
    """A metric of one task whose states are tensors summed over batches and processes."""

    full_state_update = False

    def __init__(self, task: Task) -> None:
        """Start at 0.

        Args:
            task: the task, of the kind the metric is for.
        """
        super().__init__()
        self.task = task

    def _add(self, name: str, *shape: int, dtype: torch.dtype = torch.int64) -> None:
        """Add a state that starts at 0 and is summed over processes."""
        self.add_state(name, torch.zeros(shape, dtype=dtype), dist_reduce_fx="sum")
