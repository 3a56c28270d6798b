"""Encoder: patches, tokens and blocks of a vision transformer, read at four depths.

Letters: ``b`` batch, ``L`` patches of an ``h × w`` grid, ``C`` encoder width, ``n`` tokens before the patches.

Where a patch lies is said either by an embedding that is added to it, or by angles through which every block turns its
queries and keys. The ViT runs without a class token, as in the released code, so that token and its row of the position
embedding do not exist here. The DINO encoders keep theirs and their registers, which their pretrained weights rely on;
the taps drop them. As token and position row are only ever added, they are one parameter.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.models.config import STAGES
from pamm.models.layered import LayeredEncoder
from pamm.models.layers import Grid, exempt
from pamm.models.recompute import call
from pamm.ops.open_sizes import is_open


class DropPath(nn.Module):
    """Stochastic depth: in training, drops a residual branch for random samples and scales the others up."""

    def __init__(self, chance: float) -> None:
        """Build the layer.

        Args:
            chance: probability of dropping, at least 0 and below 1.
        """
        super().__init__()
        self.chance = chance

    def forward(self, branch: Tensor) -> Tensor:
        """(b, ...) → the same."""
        if not self.training or self.chance == 0:
            return branch
        keep = 1 - self.chance
        mask = branch.new_empty(len(branch), *[1] * (branch.dim() - 1)).bernoulli_(keep) / keep
        return branch * mask


class Rotary(nn.Module):
    """Positions as angles: patches that lie alike to each other are turned alike, on any grid; nothing is learnt.

    Coordinates run from -1 to 1 over the image, whatever its size. Half of a head's channels turn with the row, half
    with the column, at frequencies that fall from 1 to almost 1/100.

    Source:
        DINOv3 (arXiv 2508.10104), without its random scaling of the coordinates in training.
    """

    def __init__(self, *, head_width: int, base: float = 100.0) -> None:
        """Build the layer.

        Args:
            head_width: channels of an attention head, a multiple of 4.
            base: ratio of the highest frequency to that after the last.
        """
        super().__init__()
        self.frequencies, self.base = head_width // 4, base

    def forward(self, grid: Grid, like: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the angles of a grid, both (L, head width), of the type and device of ``like``."""
        # made in single precision in each call: a buffer would be rounded along with the weights
        centres = [(torch.arange(count, device=like.device).float() + 0.5) / count * 2 - 1 for count in grid]
        places = torch.stack(torch.meshgrid(*centres, indexing="ij"), dim=-1).flatten(0, 1)  # (L, 2)
        frequencies = self.base ** -(torch.arange(self.frequencies, device=like.device).float() / self.frequencies)
        angles = (2 * math.pi * places[..., None] * frequencies).flatten(1).tile(2)
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


class Encoder(LayeredEncoder):
    """Patches, positions and blocks, with four taps."""

    def __init__(
        self,
        *,
        patches: nn.Conv2d,
        blocks: nn.ModuleList,
        norm: nn.Module,
        position: Tensor | None = None,
        antialias: bool = False,
        rotary: Rotary | None = None,
        class_token: Tensor | None = None,
        registers: Tensor | None = None,
    ) -> None:
        """Build the layer.

        Args:
            patches: convolution that embeds the patches, its stride the patch size.
            blocks: encoder blocks that map (b, n + L, C) to the same; with ``rotary`` they also take a mask, here
                None, and cosines and sines.
            norm: norm of the last tap.
            position: embedding of the patches' positions, (C, h, w), if it is added.
            antialias: whether it is smoothed for coarser grids; this changes the interpolation for finer ones, too.
            rotary: angles of the positions, if the blocks turn by them.
            class_token: token put before the patches, its position included, (C), or None.
            registers: further tokens between it and the patches, (n - 1, C), or None.
        """
        super().__init__()
        self.patches, self.blocks, self.norm, self.rotary = patches, blocks, norm, rotary
        self.position = None if position is None else exempt(position[None])
        self.class_token = None if class_token is None else exempt(class_token[None, None])
        self.registers = None if registers is None else exempt(registers[None])
        self.antialias = antialias

    @property
    def taps(self) -> tuple[int, ...]:
        """How many blocks come before each tap."""
        return tuple(len(self.blocks) * (tap + 1) // STAGES for tap in range(STAGES))

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters by depth: of patches, positions and further tokens, of each block, of the norm."""
        blocks = [list(block.parameters()) for block in self.blocks]
        last = list(self.norm.parameters())
        known = {parameter for layer in (*blocks, last) for parameter in layer}
        return [[parameter for parameter in self.parameters() if parameter not in known], *blocks, last]

    def parts(self) -> list[nn.Module]:
        """The blocks."""
        return list(self.blocks)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Encode an image.

        Args:
            image: (b, 3, H, W), normalised, sides multiples of the patch size.

        Returns:
            After a quarter, half and three quarters of the blocks their raw output, after the last its layer norm:
            four maps (b, C, h, w), channels-last in memory.
        """
        embedded: Tensor = self.patches(image)
        grid: Grid = (embedded.shape[-2], embedded.shape[-1])
        if self.position is not None:
            embedded = embedded + resize_position(self.position, grid, antialias=self.antialias)
        tokens = embedded.flatten(2).mT  # (b, L, C)
        leading = [
            token.expand(tokens.shape[0], -1, -1) for token in (self.class_token, self.registers) if token is not None
        ]
        if leading:
            tokens = torch.cat((*leading, tokens), dim=1)
        extra = tokens.shape[1] - grid[0] * grid[1]
        turns = () if self.rotary is None else (None, self.rotary(grid, tokens))
        features = []
        for depth, block in enumerate(self.blocks, start=1):
            tokens = call(block, tokens, *turns, recompute=self.recompute)
            if depth in self.taps:
                tap = self.norm(tokens) if depth == len(self.blocks) else tokens
                features.append(torch.unflatten(tap[:, extra:], 1, grid).permute(0, 3, 1, 2))
        return features


def resize_position(position: Tensor, grid: Grid, *, antialias: bool = False) -> Tensor:
    """A position embedding (1, C, ·, ·) on another grid, bicubically: (1, C, h, w), the same tensor on its own grid."""
    if not is_open(*grid) and grid == position.shape[-2:]:
        return position
    return F.interpolate(position, size=grid, mode="bicubic", align_corners=False, antialias=antialias)
