"""What all ways of balancing share, and the plainest of them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pamm.ops.processes import mean_over_processes
from pamm.tasks import Task


class Balancer(nn.Module):
    """Makes one scalar of the losses of several tasks; its gradients are those of the step.

    All that a subclass learns on the way is a buffer, so that a checkpoint holds it. From a batch with a loss that is
    not finite nothing is learnt.
    """

    weights: Tensor
    """The weights of the tasks in the last batch, (T,); those of gradients for methods that combine these."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Take the tasks.

        Args:
            tasks: the T tasks, in the order of all buffers.

        Raises:
            ValueError: if there is none.
        """
        super().__init__()
        if not tasks:
            raise ValueError("got no tasks to balance: give one or more")
        self.tasks = tuple(task.name for task in tasks)
        self.register_buffer("weights", torch.ones(len(tasks)), persistent=False)

    def forward(
        self,
        losses: Mapping[str, Tensor],
        present: Mapping[str, Tensor | bool],
        *,
        parameters: Sequence[nn.Parameter] = (),
        scale: float = 1.0,
    ) -> Tensor:
        """Combine the losses of a batch.

        Args:
            losses: by task name, scalars with a graph, times their factors. On several processes their mean over these
                is the loss of the whole batch.
            present: by task name, whether this process's part of the batch has a label of the task.
            parameters: what is trained; needed only by methods that combine gradients.
            scale: factor under which the gradients of 16-bit arithmetic do not vanish; it does not change the result.

        Returns:
            Scalar. Its value is that of no loss for methods that combine gradients.

        Raises:
            ValueError: if a task is missing.
        """
        for what, given in (("loss", losses), ("presence", present)):
            if missing := [name for name in self.tasks if name not in given]:
                raise ValueError(f"no {what} of {', '.join(missing)} among {', '.join(given) or 'none'}: give all")
        values = torch.stack([losses[name].float() for name in self.tasks])
        here = torch.stack([torch.as_tensor(present[name], device=values.device) for name in self.tasks])
        whole, there = mean_over_processes(torch.stack((values.detach(), here.to(values.dtype))))
        return self.combine(values, whole, there > 0, parameters=parameters, scale=scale)

    def combine(
        self, values: Tensor, whole: Tensor, there: Tensor, *, parameters: Sequence[nn.Parameter], scale: float
    ) -> Tensor:
        """Combine the losses of a batch.

        Args:
            values: losses of this process's part of the batch, with a graph, (T,).
            whole: losses of the whole batch, without, (T,).
            there: which tasks have labels in the whole batch, (T,) bool.
            parameters: what is trained.
            scale: as for :meth:`forward`.
        """
        self.weights = self.weigh(whole, there)
        return torch.where(there, self.weights * values, 0).sum()

    def weigh(self, whole: Tensor, there: Tensor) -> Tensor:
        """Weights of the losses in this batch, (T,); arguments as for :meth:`combine`."""
        raise NotImplementedError


class Fixed(Balancer):
    """The plain sum: the factors of the tasks are all the weights there are, as in the paper of the network."""

    def weigh(self, whole: Tensor, there: Tensor) -> Tensor:
        """Ones, (T,)."""
        return torch.ones_like(whole)
