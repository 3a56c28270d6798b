"""Adam for one number per task."""

import torch
from torch import Tensor, nn


class TaskAdam(nn.Module):
    """Adam (arXiv 1412.6980) for a vector of T numbers whose gradients do not come in every step.

    :class:`torch.optim.Adam` would move a number on by its momentum in steps that have no gradient for it, and keeps
    its state outside the module. Here the numbers without a gradient keep theirs, the count of steps included.
    """

    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, *, size: int, lr: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        """Start without a past.

        Args:
            size: how many numbers, T.
            lr: the learning rate.
            betas: how much of the past stays in the means of gradient and squared gradient.
            eps: added to the root of the latter.
        """
        super().__init__()
        self.lr, self.betas, self.eps = lr, betas, eps
        for name in ("mean", "square", "steps"):
            self.register_buffer(name, torch.zeros(size))

    def forward(self, gradient: Tensor, where: Tensor) -> Tensor:
        """What to add to the numbers: (T,) and (T,) bool to (T,), 0 outside of ``where``."""
        first, second = self.betas
        for buffer, new in (
            (self.mean, self.mean.lerp(gradient, 1 - first)),
            (self.square, self.square.lerp(gradient.square(), 1 - second)),
            (self.steps, self.steps + 1),
        ):
            keep(buffer, new, where)
        mean = self.mean / (1 - first**self.steps)
        square = self.square / (1 - second**self.steps)
        return torch.where(where, -self.lr * mean / (square.sqrt() + self.eps), 0)


def keep(buffer: Tensor, new: Tensor, where: Tensor) -> None:
    """Change a buffer in place, where a mask of its shape, or one that stretches to it, is true."""
    buffer.copy_(torch.where(where, new, buffer))
