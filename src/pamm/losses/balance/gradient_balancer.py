"""What methods that combine the gradients of the tasks share."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pamm.losses.balance.balancer import Balancer
from pamm.ops.processes import mean_over_processes


class GradientBalancer(Balancer):
    """Combines the gradients of the tasks where two or more of them pull at the same number, and gives them as a loss.

    Each task's gradient is computed in turn, without touching ``.grad``, and averaged over the processes. The result
    of :meth:`forward` is the inner product of the trained numbers with the combined gradient, taken as constant, so
    that the one backward pass of the training loop, whatever it scales, accumulates or averages, ends with that
    gradient. Numbers that a single task's gradient reaches, as those of its head, are not shared: there the gradient
    is the plain one, times the task's weight. It takes the memory of 2 T gradients and the time of T backward passes,
    and each process must hold whole parameters.
    """

    def combine(
        self, values: Tensor, whole: Tensor, there: Tensor, *, parameters: Sequence[nn.Parameter], scale: float
    ) -> Tensor:
        """Combine the gradients.

        Raises:
            ValueError: if there are no parameters.
        """
        if not parameters:
            raise ValueError(f"{type(self).__name__} combines gradients: give the parameters that are trained")
        with torch.autocast(values.device.type, enabled=False):
            gradients = task_gradients(values, there, parameters, scale=scale)
            shared = (gradients != 0).sum(dim=0) > 1
            combined = self.combine_gradients(gradients, shared, whole, there)
            parts = torch.split(combined, [parameter.numel() for parameter in parameters])
            return torch.stack(
                [(parameter * part.view_as(parameter)).sum() for parameter, part in zip(parameters, parts, strict=True)]
            ).sum()

    def combine_gradients(self, gradients: Tensor, shared: Tensor, whole: Tensor, there: Tensor) -> Tensor:
        """Make one gradient of several.

        Args:
            gradients: of each task, over the whole batch, (T, P); 0 for tasks without labels.
            shared: which numbers two or more tasks pull at, (P,) bool.
            whole: losses of the whole batch, (T,).
            there: which tasks have labels in the whole batch, (T,) bool.

        Returns:
            (P,).
        """
        raise NotImplementedError


def task_gradients(values: Tensor, there: Tensor, parameters: Sequence[nn.Parameter], *, scale: float = 1.0) -> Tensor:
    """Gradient of each task's loss, averaged over the processes.

    Args:
        values: losses of this process's part of the batch, with a graph, (T,). The graph is kept.
        there: which tasks to compute, (T,) bool, alike in all processes.
        parameters: with P numbers in all.
        scale: factor of the losses while their gradients are computed.

    Returns:
        (T, P) in float32, 0 where a loss does not reach.
    """
    sizes = [parameter.numel() for parameter in parameters]
    gradients = values.new_zeros(len(values), sum(sizes), dtype=torch.float32)
    for row, value, wanted in zip(gradients, values, there.tolist(), strict=True):
        if not wanted:
            continue
        found = torch.autograd.grad(value * scale, parameters, retain_graph=True, allow_unused=True)
        for part, gradient in zip(row.split(sizes), found, strict=True):
            if gradient is not None:
                part.copy_(gradient.flatten())
        row /= scale
    return mean_over_processes(gradients)


def mixed(gradients: Tensor, shared: Tensor, *, weights: Tensor, own: Tensor) -> Tensor:
    """Sum of gradients (T, P) with weights (T,), other ones for the numbers that are not shared, (P,)."""
    return torch.where(shared, weights @ gradients, own @ gradients)
