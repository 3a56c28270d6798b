"""Batch norms whose statistics can be those of the batches of all processes that train together."""

import torch
from torch import Tensor, nn

from pamm.ops.processes import count_processes, sum_over_processes


class SyncedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm that takes its statistics over all processes in training, where ``synced`` is set.

    Unlike PyTorch's own it works on any device, and nothing of the network is replaced: state and evaluation are those
    of a plain batch norm. To be inherited from before the batch norm of some shape.
    """

    synced = False

    def forward(self, x: Tensor) -> Tensor:
        """(n, C, ...) → the same."""
        if not (self.synced and self.training) or count_processes() == 1:
            plain: Tensor = super().forward(x)
            return plain
        shape = (-1, *[1] * (x.dim() - 2))
        mean, variance = self._statistics(x)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return torch.addcmul(shift.view(shape), x.float(), scale.view(shape)).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the channels over all processes, both (C); the running ones move towards them."""
        count = x.numel() / x.shape[1]
        # each process's own first: their combination loses no digits, as a mean of squares would
        variance, mean = torch.var_mean(x.float(), dim=[0, *range(2, x.dim())], correction=0)
        own = torch.cat((mean.new_tensor([count]), mean, variance))
        counts, means, variances = torch.split(gather(own), [1, len(mean), len(mean)], dim=1)
        share = counts / counts.sum()
        mean = (share * means).sum(dim=0)
        variance = (share * (variances + (means - mean).square())).sum(dim=0)
        self._follow(mean.detach(), variance.detach(), counts.detach().sum())
        return mean, variance

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var.dtype), self.momentum)


class BatchNorm2d(SyncedBatchNorm, nn.BatchNorm2d):
    """Batch norm on maps (b, C, h, w)."""


def gather(row: Tensor) -> Tensor:
    """A vector (n) of each process as the rows of a matrix (processes, n), with gradients to all of them."""
    rank = torch.distributed.get_rank()
    zeros = row.new_zeros(count_processes(), len(row))
    return sum_over_processes(zeros.index_copy(0, torch.tensor([rank], device=row.device), row[None]))
