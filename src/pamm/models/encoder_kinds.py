"""The kinds of encoders: models of the transformers library, how a new one is built and where its parts lie."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    ViTConfig,
    ViTModel,
)

from pamm.models.backbone import DropPath, Encoder, Rotary
from pamm.models.config import EncoderKind, PAMMConfig
from pamm.models.feature_backbone import build_backbone
from pamm.models.layered import LayeredEncoder
from pamm.models.layers import Grid

TheirModel = ViTModel | Dinov2Model | Dinov2WithRegistersModel | DINOv3ViTModel


@dataclass(frozen=True)
class Kind:
    """What differs from one kind of encoder to the next."""

    build: Callable[[PAMMConfig], TheirModel]
    """Builds their model with new weights."""
    take: Callable[[Any, Grid], Encoder]
    """Makes an encoder of the modules of their model, given the grid of its position embedding."""


def build_encoder(config: PAMMConfig) -> LayeredEncoder:
    """Build the encoder of a config with new weights."""
    if config.encoder == "backbone":
        return build_backbone(config)
    return encoder_from(KINDS[config.encoder].build(config), config)


def encoder_from(model: TheirModel, config: PAMMConfig) -> Encoder:
    """Take the parts of a transformers model that the network needs.

    Args:
        model: the model; its modules are used, not copied.
        config: config whose encoder fields are those of the model.
    """
    encoder = KINDS[config.encoder].take(model, config.position_grid or config.grid)
    for block, chance in zip(encoder.blocks, _linear(config.stochastic_depth, len(encoder.blocks)), strict=True):
        # All kinds end their two branches in one module that does nothing by default: the place for our own.
        branch_end = next(name for name in ("drop_path", "dropout") if hasattr(block, name))
        setattr(block, branch_end, DropPath(chance))
    return encoder


def _linear(end: float, count: int) -> Iterable[float]:
    return (end * index / max(count - 1, 1) for index in range(count))


def _common(config: PAMMConfig) -> dict[str, Any]:
    """What all of their configs call alike."""
    grid = config.position_grid or config.grid
    return {
        "hidden_size": config.encoder_width,
        "num_hidden_layers": config.encoder_depth,
        "num_attention_heads": config.encoder_heads,
        "layer_norm_eps": config.encoder_norm_eps,
        "patch_size": config.patch_size,
        "image_size": (grid[0] * config.patch_size, grid[1] * config.patch_size),
    }


def _hidden_width(config: PAMMConfig) -> int:
    return round(config.encoder_mlp_ratio * config.encoder_width)


def _map(rows: Tensor, grid: Grid) -> Tensor:
    """(L, C) → (C, h, w)."""
    return torch.unflatten(rows.mT, 1, grid).contiguous()


def _build_vit(config: PAMMConfig) -> TheirModel:
    return ViTModel(ViTConfig(intermediate_size=_hidden_width(config), **_common(config)), add_pooling_layer=False)


def _take_vit(model: ViTModel, grid: Grid) -> Encoder:
    return Encoder(
        patches=model.embeddings.patch_embeddings.projection,
        blocks=model.layers,
        norm=model.layernorm,
        position=_map(model.embeddings.position_embeddings.detach()[0, 1:], grid),
    )


def _build_dinov2(config: PAMMConfig) -> TheirModel:
    ratio, registers = int(config.encoder_mlp_ratio), config.encoder_registers
    model = Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(mlp_ratio=ratio, num_register_tokens=registers, **_common(config))
    )
    # theirs start at zero: alike, they would stay alike
    nn.init.trunc_normal_(model.embeddings.register_tokens, std=0.02)
    return model


def _take_dinov2(model: Dinov2Model | Dinov2WithRegistersModel, grid: Grid) -> Encoder:
    embeddings = model.embeddings
    rows = embeddings.position_embeddings.detach()[0]  # (1 + L, C)
    registers = _registers(embeddings)
    return Encoder(
        patches=embeddings.patch_embeddings.projection,
        blocks=model.encoder.layer,
        norm=model.layernorm,
        position=_map(rows[1:], grid),
        # as each of the two was trained
        antialias=registers is not None,
        class_token=embeddings.cls_token.detach()[0, 0] + rows[0],
        registers=registers,
    )


def _build_dinov3(config: PAMMConfig) -> TheirModel:
    gated = config.encoder_gated_mlp
    return DINOv3ViTModel(
        DINOv3ViTConfig(
            intermediate_size=_hidden_width(config),
            use_gated_mlp=gated,
            hidden_act=activation(gated),
            num_register_tokens=config.encoder_registers,
            **_common(config),
        )
    )


def _take_dinov3(model: DINOv3ViTModel, _: Grid) -> Encoder:
    embeddings = model.embeddings
    return Encoder(
        patches=embeddings.patch_embeddings,
        blocks=model.model.layer,
        norm=model.norm,
        rotary=Rotary(head_width=model.config.hidden_size // model.config.num_attention_heads),
        class_token=embeddings.cls_token.detach()[0, 0],
        registers=_registers(embeddings),
    )


def activation(gated: bool) -> str:
    """Transformers' name of the activation of hidden layers, gated or plain."""
    return "silu" if gated else "gelu"


def _registers(embeddings: nn.Module) -> Tensor | None:
    """Their register tokens (n - 1, C), None if there is none."""
    tokens = getattr(embeddings, "register_tokens", None)
    return tokens.detach()[0] if tokens is not None and tokens.shape[1] else None


KINDS: dict[EncoderKind, Kind] = {
    "vit": Kind(_build_vit, _take_vit),
    "dinov2": Kind(_build_dinov2, _take_dinov2),
    "dinov3": Kind(_build_dinov3, _take_dinov3),
}
"""The kinds by the names that a config gives them, but for backbones, whose modules serve as they are."""
