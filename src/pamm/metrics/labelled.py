"""Means over the images that have labels of a task."""

from typing import NamedTuple

import torch
from torch import Tensor

from pamm.metrics.base import TaskMetric
from pamm.tasks import Task


class Mean(NamedTuple):
    """A mean, and of how many images."""

    value: Tensor
    """() float, 0 of no image."""
    images: Tensor
    """() int64."""


class LabelledMean(TaskMetric):
    """Mean of a number that each batch has, weighed by the batch's images that have labels of the task.

    A loss is 0 where nothing is labelled; a plain mean over batches would be the smaller the fewer images are labelled.
    """

    total: Tensor
    """() float, sum of the numbers times the images."""
    images: Tensor
    """() int64, images with labels."""

    def __init__(self, task: Task) -> None:
        """Start with no image.

        Args:
            task: the task, of any kind.
        """
        super().__init__(task)
        self._add("total", dtype=torch.float32)
        self._add("images")

    def update(self, value: Tensor, label: Tensor) -> None:
        """Take in a batch.

        Args:
            value: scalar, for example the loss.
            label: (b, label_channels, H, W).
        """
        images = self.task.valid(label).flatten(1).any(dim=1).sum()
        self.total += torch.where(images > 0, value.float() * images, 0)
        self.images += images

    def compute(self) -> Mean:
        """The mean over all batches and processes."""
        return Mean(self.total / self.images.clamp(min=1), self.images)
