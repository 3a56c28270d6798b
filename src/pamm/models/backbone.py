"""Encoder: a ViT or DINOv2 of the transformers library, read at four depths.

Letters: ``b`` batch, ``L`` patches of an ``h × w`` grid, ``C`` encoder width.

The ViT runs without a class token, as in the released code, so that token and its row of the position embedding do
not exist here. A DINOv2 keeps its token, which its pretrained weights rely on, and drops it from the taps; as token
and position row are only ever added, they are one parameter.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel

from pamm.models.config import STAGES, PAMMConfig
from pamm.models.layers import Grid, exempt
from pamm.models.recompute import call


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


class Encoder(nn.Module):
    """Patches, position embedding and blocks, with four taps."""

    def __init__(
        self,
        *,
        patches: nn.Conv2d,
        position: Tensor,
        class_token: Tensor | None,
        blocks: nn.ModuleList,
        norm: nn.Module,
    ) -> None:
        """Build the layer.

        Args:
            patches: convolution that embeds the patches, its stride the patch size.
            position: position embedding of the patches, (C, h, w).
            class_token: token put before the patches, its position included, (C), or None.
            blocks: encoder blocks that map (b, L, C) to the same.
            norm: norm of the last tap.
        """
        super().__init__()
        self.patches, self.blocks, self.norm = patches, blocks, norm
        self.position = exempt(position[None])
        self.class_token = None if class_token is None else exempt(class_token[None, None])
        self.recompute = False

    @property
    def taps(self) -> tuple[int, ...]:
        """How many blocks come before each tap."""
        return tuple(len(self.blocks) * (tap + 1) // STAGES for tap in range(STAGES))

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
        tokens = (embedded + self.position_of(grid)).flatten(2).mT  # (b, L, C)
        if self.class_token is not None:
            tokens = torch.cat((self.class_token.expand(len(tokens), -1, -1), tokens), dim=1)
        extra = tokens.shape[1] - grid[0] * grid[1]
        features = []
        for depth, block in enumerate(self.blocks, start=1):
            tokens = call(block, tokens, recompute=self.recompute)
            if depth in self.taps:
                tap = self.norm(tokens) if depth == len(self.blocks) else tokens
                features.append(torch.unflatten(tap[:, extra:], 1, grid).permute(0, 3, 1, 2))
        return features

    def position_of(self, grid: Grid) -> Tensor:
        """Position embedding of any grid, (1, C, h, w), interpolated bicubically where it is not the learnt one."""
        return resize_position(self.position, grid)


def resize_position(position: Tensor, grid: Grid) -> Tensor:
    """A position embedding (1, C, ·, ·) on another grid, bicubically: (1, C, h, w), the same tensor on its own grid."""
    if grid == position.shape[-2:]:
        return position
    return F.interpolate(position, size=grid, mode="bicubic", align_corners=False)


def encoder_from(model: ViTModel | Dinov2Model, *, grid: Grid, stochastic_depth: float) -> Encoder:
    """Take the parts of a transformers model that the network needs.

    Args:
        model: the model; its modules are used, not copied.
        grid: rows and columns of its position embedding.
        stochastic_depth: chance of dropping the last block's branches; linear over depth.
    """
    embeddings = model.embeddings
    rows = embeddings.position_embeddings.detach()[0]  # (1 + L, C)
    if isinstance(model, Dinov2Model):
        blocks, branch_end = model.encoder.layer, "drop_path"
        class_token = embeddings.cls_token.detach()[0, 0] + rows[0]
    else:
        blocks, branch_end = model.layers, "dropout"
        class_token = None
    for block, chance in zip(blocks, _linear(stochastic_depth, len(blocks)), strict=True):
        # Both kinds end their two branches in one module that does nothing by default: the place for our own.
        assert hasattr(block, branch_end)
        setattr(block, branch_end, DropPath(chance))
    return Encoder(
        patches=embeddings.patch_embeddings.projection,
        position=torch.unflatten(rows[1:].mT, 1, grid).contiguous(),
        class_token=class_token,
        blocks=blocks,
        norm=model.layernorm,
    )


def _linear(end: float, count: int) -> Iterable[float]:
    return (end * index / max(count - 1, 1) for index in range(count))


def build_encoder(config: PAMMConfig) -> Encoder:
    """Build the encoder of a config with new weights."""
    grid = config.position_grid or config.grid
    common: dict[str, Any] = {
        "hidden_size": config.encoder_width,
        "num_hidden_layers": config.encoder_depth,
        "num_attention_heads": config.encoder_heads,
        "layer_norm_eps": config.encoder_norm_eps,
        "patch_size": config.patch_size,
        "image_size": (grid[0] * config.patch_size, grid[1] * config.patch_size),
    }
    model: ViTModel | Dinov2Model
    if config.encoder == "dinov2":
        model = Dinov2Model(Dinov2Config(mlp_ratio=int(config.encoder_mlp_ratio), use_mask_token=False, **common))
    else:
        hidden = round(config.encoder_mlp_ratio * config.encoder_width)
        model = ViTModel(ViTConfig(intermediate_size=hidden, **common), add_pooling_layer=False)
    return encoder_from(model, grid=grid, stochastic_depth=config.stochastic_depth)
