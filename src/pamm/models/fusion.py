"""From the stages to the maps: fusion of the stages, and one head per task.

Letters: ``b`` batch, ``T`` tasks, ``L`` positions of an ``h × w`` grid, ``d`` decoder width, ``S`` stages.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.models.batch_norm import BatchNorm2d
from pamm.models.config import STAGES, PAMMConfig
from pamm.models.layers import Grid, TaskBatchNorm, TaskLinear, TaskTokenConv
from pamm.models.recompute import call
from pamm.ops.enlarged_conv import enlarged_conv, enlarged_conv_naive
from pamm.ops.open_sizes import is_open


class Fusion(nn.Module):
    """Weighted sum of a task's stages: at each position, the weights are a softmax over maps made from them all.

    The softmax is over four weights also where fewer stages are left, as in the released code; the first ones serve.
    """

    def __init__(self, config: PAMMConfig) -> None:
        """Build the layer.

        Args:
            config: sizes and switches.
        """
        super().__init__()
        tasks, width = len(config.tasks), config.d_model
        self.join = TaskLinear(tasks=tasks, inputs=config.stages * width, outputs=width)
        self.norm: nn.Module = TaskBatchNorm(tasks=tasks, channels=width)
        self.weigh = TaskTokenConv(tasks=tasks, inputs=width, outputs=STAGES, kernel=3)

    def forward(self, stages: list[Tensor], grid: Grid) -> Tensor:
        """Fuse the stages.

        Args:
            stages: S tensors (T, b, L, d).
            grid: rows and columns of the L positions.

        Returns:
            Tokens (T, b, L, d).
        """
        joined = F.gelu(self.norm(self.join.of_parts(stages)))
        weights = self.weigh(joined, grid).softmax(-1)  # (T, b, L, S)
        fused = torch.zeros_like(stages[0])
        for stage, weight in zip(stages, weights.unbind(-1), strict=False):
            fused = torch.addcmul(fused, stage, weight.unsqueeze(-1))
        return fused


class Head(nn.Module):
    """Turns a task's fused map into its output: enlargement, 3×3 convolution, batch norm, GELU, 1×1 convolution."""

    def __init__(self, *, width: int, channels: int, scale: int) -> None:
        """Build the layer.

        Args:
            width: decoder width d.
            channels: channels of the output.
            scale: factor of the enlargement.
        """
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm: nn.Module = BatchNorm2d(width)
        self.predict = nn.Conv2d(width, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(b, d, h, w) → (b, channels, scale·h, scale·w)."""
        rows = maps.permute(2, 0, 3, 1)  # (h, b, w, d): positions before channels until the last map has made few
        direct = self.scale == 1 or is_open(*rows.shape)
        large = enlarged_conv_naive if direct else enlarged_conv
        hidden = large(rows, self.conv.weight, self.conv.bias, scale=self.scale)
        # for the norm, one tall channels-last map
        normed = self.norm(hidden.flatten(0, 1)[None].permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out = F.linear(F.gelu(normed.flatten(0, 2)), self.predict.weight.flatten(1), self.predict.bias)
        return out.view(*hidden.shape[:-1], -1).permute(1, 3, 0, 2).contiguous()


class Heads(nn.Module):
    """The heads of all tasks, and the enlargement of their outputs to the image."""

    def __init__(self, config: PAMMConfig) -> None:
        """Build the layer.

        Args:
            config: sizes and switches.
        """
        super().__init__()
        self.heads = nn.ModuleDict(
            {
                task.name: Head(width=config.d_model, channels=task.channels, scale=config.head_scale)
                for task in config.tasks
            }
        )
        self.recompute = False

    def __iter__(self) -> Iterator[Head]:
        """The heads, in the order of the tasks."""
        for head in self.heads.values():
            assert isinstance(head, Head)
            yield head

    def forward(self, tokens: Tensor, grid: Grid, size: tuple[int, int]) -> dict[str, Tensor]:
        """Predict all maps.

        Args:
            tokens: fused tokens, (T, b, L, d).
            grid: rows and columns of the L positions.
            size: height and width of the outputs in pixels.

        Returns:
            By task name, raw values (b, channels, *size).
        """
        maps = torch.unflatten(tokens, 2, grid).permute(0, 1, 4, 2, 3)  # (T, b, d, h, w)
        return {
            name: resize(call(head, task_maps, recompute=self.recompute), size)
            for task_maps, (name, head) in zip(maps, self.heads.items(), strict=True)
        }


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation of (b, C, h, w) to another height and width."""
    if not is_open(*size) and maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
