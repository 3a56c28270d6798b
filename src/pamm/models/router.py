"""Router of the parameter experts: scores for each task and parameter, read from the whole map.

Letters: ``T`` tasks, ``b`` batch, ``L`` positions of an ``h × w`` grid, ``E`` inner width, ``P`` parameters made by
experts.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.models.layers import Grid, TaskLayerNorm, TaskLinear
from pamm.ops.open_sizes import is_open


class Router(nn.Module):
    """Scores the experts from the whole map, for each task and parameter."""

    def __init__(self, *, tasks: int, kinds: int, width: int, scores: int, grid: Grid) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            kinds: number of parameters P.
            width: inner width E.
            scores: numbers wanted per task and parameter.
            grid: rows and columns the spatial weighting is made for; other grids resize it.
        """
        super().__init__()
        quarter, pairs = width // 4, tasks * kinds
        self.tasks, self.kinds = tasks, kinds
        self.channel_in = TaskLinear(tasks=tasks, inputs=width, outputs=kinds * quarter)
        self.channel_norm = TaskLayerNorm(tasks, kinds, quarter, eps=1e-5)
        self.channel_out = TaskLinear(tasks=pairs, inputs=quarter, outputs=quarter)
        bound = 1 / math.sqrt(grid[0] * grid[1])
        self.place_weight = nn.Parameter(torch.empty(tasks, kinds, *grid).uniform_(-bound, bound))
        self.place_bias = nn.Parameter(torch.empty(tasks, kinds).uniform_(-bound, bound))
        self.place_norm = TaskLayerNorm(tasks, kinds, width, eps=1e-5)
        self.place_out = TaskLinear(tasks=pairs, inputs=width, outputs=quarter)
        self.score = TaskLinear(tasks=pairs, inputs=2 * quarter, outputs=scores)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """Score the experts.

        Args:
            x: (T, b, L, E).
            grid: rows and columns of the L positions.

        Returns:
            (T, b, P, scores).
        """
        channel = torch.unflatten(self.channel_in(x), -1, (self.kinds, -1))  # (T, b, L, P, E/4)
        # The mean comes before the second map: both are linear, and it leaves one position to map.
        channel = F.gelu(self.channel_norm(channel)).mean(2)
        weight = self.place_weights(grid)  # (T, P, L)
        place = torch.matmul(weight[:, None], x) + self.place_bias[:, None, :, None]  # (T, b, P, E)
        place = F.gelu(self.place_norm(place))
        both = torch.cat((self._pairwise(self.channel_out, channel), self._pairwise(self.place_out, place)), dim=-1)
        return self._pairwise(self.score, both)

    def place_weights(self, grid: Grid) -> Tensor:
        """Weights of the positions of any grid, (T, P, L)."""
        return resize_places(self.place_weight, grid).flatten(2)

    def _pairwise(self, layer: nn.Module, x: Tensor) -> Tensor:
        """Apply a layer with weights for each pair of task and parameter, (T, b, P, ·) → (T, b, P, ·)."""
        out: Tensor = layer(x.transpose(1, 2).flatten(0, 1))
        return torch.unflatten(out, 0, (self.tasks, self.kinds)).transpose(1, 2)


def resize_places(weight: Tensor, grid: Grid) -> Tensor:
    """Weights of positions (T, P, ·, ·) on another grid, bilinearly: (T, P, h, w); their sum stays about the same."""
    if not is_open(*grid) and grid == weight.shape[-2:]:
        return weight
    shrink = weight[0, 0].numel() / (grid[0] * grid[1])
    return F.interpolate(weight, size=grid, mode="bilinear", align_corners=False) * shrink
