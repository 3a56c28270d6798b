"""Gradients without the parts that conflict."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pamm.losses.balance.gradient_balancer import GradientBalancer, mixed
from pamm.tasks import Task


class PCGrad(GradientBalancer):
    """Gradient surgery: of each task's gradient, the part that points against another task's is taken away.

    Each gradient in turn is projected onto the normal plane of each other one with which it has a negative inner
    product, the others in random order; the step is the sum of the results. All of this happens in the span of the
    tasks' gradients, so their inner products are all it needs.

    Source:
        Yu, Kumar, Gupta, Levine, Hausman and Finn, arXiv 2001.06782, algorithm 1.
    """

    batches: Tensor

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Take the tasks.

        Args:
            tasks: the T tasks.
        """
        super().__init__(tasks)
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))  # seeds the order, alike in all processes

    def combine_gradients(self, gradients: Tensor, shared: Tensor, whole: Tensor, there: Tensor) -> Tensor:
        """Project the gradients."""
        common = torch.where(shared, gradients, 0)
        generator = torch.Generator().manual_seed(int(self.batches))
        self.batches += 1
        weights = projection_weights((common @ common.T).cpu(), generator).to(gradients)
        self.weights = torch.where(there, weights, 0)
        return mixed(gradients, shared, weights=self.weights, own=torch.ones_like(weights))


def projection_weights(products: Tensor, generator: torch.Generator) -> Tensor:
    """How much of each task's gradient the sum of the projected gradients holds.

    Args:
        products: inner products of the gradients, (T, T).
        generator: decides the order of the projections.

    Returns:
        (T,).

    Example:
        >>> import torch
        >>> gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
        >>> projection_weights(gradients @ gradients.T, torch.Generator())
        tensor([2.0000, 1.5000])
    """
    tasks = len(products)
    parts = torch.eye(tasks, dtype=products.dtype)  # row i: the i-th projected gradient, of the plain ones
    for number, part in enumerate(parts):
        for other in torch.randperm(tasks, generator=generator).tolist():
            product = part @ products[:, other]
            if other != number and product < 0:
                part[other] -= product / products[other, other]
    return parts.sum(dim=0)
