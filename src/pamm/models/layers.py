"""Layers that hold one set of weights per task and run all tasks in one call.

Letters: ``T`` tasks, ``b`` batch, ``L`` positions of an ``h × w`` grid, ``C`` channels.

Two layouts carry the tasks: *tokens* (T, b, L, C), on which a map per task is one batched product, and *maps*
(b, T·C, h, w), on which convolutions run. Parameters are stacked task by task along their first dimension.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.models.batch_norm import SyncedBatchNorm
from pamm.ops.token_conv import token_conv

Grid = tuple[int, int]

NO_DECAY = "no_weight_decay"
"""Attribute that marks a parameter which weight decay leaves alone, as optimiser set-ups expect it."""


def to_tokens(maps: Tensor, *, tasks: int) -> Tensor:
    """(b, T·C, h, w) → (T, b, L, C), a view where the maps are channels-last."""
    return torch.unflatten(maps.flatten(2), 1, (tasks, -1)).permute(1, 0, 3, 2)


def to_maps(tokens: Tensor, grid: Grid) -> Tensor:
    """(T, b, L, C) → (b, T·C, h, w), channels-last in memory."""
    tasks, batch, _, channels = tokens.shape
    return tokens.permute(1, 2, 0, 3).reshape(batch, *grid, tasks * channels).permute(0, 3, 1, 2)


def exempt(value: Tensor) -> nn.Parameter:
    """A parameter that weight decay leaves alone."""
    parameter = nn.Parameter(value)
    vars(parameter)[NO_DECAY] = True
    return parameter


class TaskLinear(nn.Module):
    """One linear map per task."""

    def __init__(self, *, tasks: int, inputs: int, outputs: int, bias: bool = True) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            inputs: number of input channels.
            outputs: number of output channels.
            bias: whether the maps have a bias.
        """
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(tasks, outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(tasks, outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(T, ..., inputs) → (T, ..., outputs)."""
        flat = x.flatten(1, -2)
        weight = self.weight.mT
        out = torch.bmm(flat, weight) if self.bias is None else torch.baddbmm(self.bias[:, None], flat, weight)
        return out.view(*x.shape[:-1], -1)

    def of_parts(self, parts: list[Tensor]) -> Tensor:
        """What :meth:`forward` makes of equal parts (T, ..., c) side by side, without a copy of them all."""
        assert self.bias is not None
        out = self.bias[:, None]
        for part, weight in zip(parts, self.weight.mT.chunk(len(parts), dim=1), strict=True):
            out = torch.baddbmm(out, part.flatten(1, -2), weight)
        return out.view(*parts[0].shape[:-1], -1)


class TaskLayerNorm(nn.Module):
    """Layer norm over the last dimension with one scale and shift per task."""

    def __init__(self, *shape: int, eps: float) -> None:
        """Build the layer.

        Args:
            shape: T, then the trailing dimensions of the input that have their own scale and shift.
            eps: added to the variance.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(T, ..., *shape[1:]) → the same."""
        tasks, *rest = self.weight.shape
        shape = (tasks, *[1] * (x.dim() - 1 - len(rest)), *rest)
        normed = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        return torch.addcmul(self.bias.view(shape), normed, self.weight.view(shape))


class TaskGroupNorm(nn.GroupNorm):
    """Group norm on maps (b, T·C, h, w): groups lie within tasks, so it equals one norm per task."""

    def __init__(self, *, tasks: int, groups: int, channels: int) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            groups: groups per task.
            channels: channels C per task.
        """
        super().__init__(tasks * groups, tasks * channels)


class TaskBatchNorm(SyncedBatchNorm, nn.BatchNorm1d):
    """Batch norm on tokens (T, b, L, C): channels have statistics of their own, so it equals one norm per task."""

    def __init__(self, *, tasks: int, channels: int) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            channels: channels C per task.
        """
        super().__init__(tasks * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(T, b, L, C) → the same."""
        tasks, batch, length, channels = x.shape
        flat: Tensor = super().forward(x.permute(1, 2, 0, 3).reshape(batch * length, tasks * channels))
        return flat.view(batch, length, tasks, channels).permute(2, 0, 1, 3)


def lay_out_kernels(model: nn.Module) -> None:
    """Give the kernels of all convolutions the layout of the maps, channels-last: else each call would copy them."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | TokenConv):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)


def batch_norm_affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """What a batch norm is in evaluation: the scale and shift of its channels."""
    assert isinstance(norm, nn.modules.batchnorm._BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


class TokenConv(nn.Module):
    """A k×k convolution on tokens, the same weights for every task; a plain linear map where k is 1."""

    def __init__(self, *, inputs: int, outputs: int, kernel: int) -> None:
        """Build the layer.

        Args:
            inputs: number of input channels.
            outputs: number of output channels.
            kernel: side k of the kernel, odd.
        """
        super().__init__()
        bound = 1 / math.sqrt(inputs * kernel**2)
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """(T, b, L, inputs) → (T, b, L, outputs)."""
        return torch.unflatten(token_conv(x.flatten(0, 1), self.weight, self.bias, grid=grid), 0, x.shape[:2])


class TaskTokenConv(nn.Module):
    """A k×k convolution on tokens with weights per task; one batched product where k is 1."""

    def __init__(self, *, tasks: int, inputs: int, outputs: int, kernel: int) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            inputs: number of input channels per task.
            outputs: number of output channels per task.
            kernel: side k of the kernel, odd.
        """
        super().__init__()
        self.tasks = tasks
        self.linear = TaskLinear(tasks=tasks, inputs=inputs, outputs=outputs) if kernel == 1 else None
        self.conv = None
        if kernel > 1:
            self.conv = nn.Conv2d(tasks * inputs, tasks * outputs, kernel, padding=kernel // 2, groups=tasks)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """(T, b, L, inputs) → (T, b, L, outputs)."""
        if self.conv is not None:
            return to_tokens(self.conv(to_maps(x, grid)), tasks=self.tasks)
        assert self.linear is not None
        out: Tensor = self.linear(x)
        return out
