"""Weights of ViT, DINOv2 and DINOv3 under the names of their first publications, which timm's ViT shares."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pamm.models.config import EncoderKind
from pamm.models.foreign import read_foreign
from pamm.models.layers import Grid

STATE_FILES = (".safetensors", ".pth", ".pt", ".bin")
"""Endings of files that hold named tensors."""
_WRAPPERS = ("model", "state_dict", "teacher")
_HEAD_WIDTH = 64
"""Channels of an attention head in every ViT, DINOv2 and DINOv3 that is published; the tensors do not tell."""
_REGISTERS = ("register_tokens", "reg_token", "storage_tokens")
_BLOCK: dict[EncoderKind, dict[str, str]] = {
    "vit": {"norm1": "layernorm_before", "norm2": "layernorm_after", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"},
    "dinov2": {"norm1": "norm1", "norm2": "norm2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"},
    "dinov3": {
        "norm1": "norm1",
        "norm2": "norm2",
        "mlp.fc1": "mlp.up_proj",
        "mlp.fc2": "mlp.down_proj",
        "mlp.w1": "mlp.gate_proj",
        "mlp.w2": "mlp.up_proj",
        "mlp.w3": "mlp.down_proj",
    },
}
"""Modules of a block: their name there and here."""


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read a file of named tensors; of pickled ones nothing but tensors and plain values is let in.

    Raises:
        ValueError: if the file is damaged or holds anything else.
    """
    held = read_foreign(Path(path))
    for wrapper in _WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(wrapper), Mapping):
            held = held[wrapper]
    found = held.items() if isinstance(held, Mapping) else ()
    tensors = {name: value for name, value in found if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(f"{path}: holds no named tensors: give the state dict of an encoder")
    return tensors


def original_settings(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the form of an encoder off its tensors.

    Returns:
        The encoder's fields of the config; heads are taken to be 64 channels wide.

    Raises:
        ValueError: if the tensors are not those of a ViT, DINOv2 or DINOv3 by their first names.
    """
    own = _own(tensors)
    kind = _kind(own)
    width, patch = own["patch_embed.proj.weight"].shape[0], own["patch_embed.proj.weight"].shape[-1]
    depth = 1 + max(int(name.split(".")[1]) for name in own if name.startswith("blocks."))
    hidden = next((name for name in ("fc1", "w1") if f"blocks.0.mlp.{name}.weight" in own), None)
    if hidden is None:
        raise ValueError("the weights lack blocks.0.mlp.fc1.weight, and w1 in its place: choose another encoder")
    registers = _registers(own)
    return {
        "encoder": kind,
        "patch_size": patch,
        "encoder_width": width,
        "encoder_depth": depth,
        "encoder_heads": width // _HEAD_WIDTH,
        "encoder_mlp_ratio": own[f"blocks.0.mlp.{hidden}.weight"].shape[0] / width,
        "encoder_gated_mlp": hidden == "w1",
        "encoder_registers": 0 if registers is None else registers.shape[1],
        "encoder_norm_eps": 1e-5 if kind == "dinov3" else 1e-6,
        "position_grid": None if kind == "dinov3" else _grid(own),
    }


def original_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of :class:`pamm.models.backbone.Encoder` made of those with their first names.

    Raises:
        ValueError: as for :func:`original_settings`, or if a block holds what an encoder here does not have.
    """
    own = _own(tensors)
    kind = _kind(own)
    made = {f"patches.{end}": own[f"patch_embed.proj.{end}"] for end in ("weight", "bias")}
    made |= {f"norm.{end}": own[f"norm.{end}"] for end in ("weight", "bias")}
    class_token = own["cls_token"]
    if kind != "dinov3":
        grid = _grid(own)
        rows = own["pos_embed"][0]  # (1 + L, C), or (L, C) where the class token holds its own
        before = len(rows) - grid[0] * grid[1]
        class_token = class_token + rows[:before].sum(0)
        made["position"] = torch.unflatten(rows[before:].mT, 1, grid)[None].contiguous()
    if kind != "vit":
        made["class_token"] = class_token
        registers = _registers(own)
        if registers is not None:
            made["registers"] = registers
    for name, value in own.items():
        if name.startswith("blocks."):
            _, index, inner = name.split(".", 2)
            made |= {f"blocks.{index}.{new}": part for new, part in _of_block(inner, value, kind).items()}
    return made


def _of_block(name: str, value: Tensor, kind: EncoderKind) -> dict[str, Tensor]:
    module, _, end = name.rpartition(".")
    if name == "attn.qkv.bias_mask":
        return {}
    if module == "attn.qkv":
        parts = dict(zip("qkv", value.chunk(3), strict=True))
        if kind == "dinov3" and end == "bias":
            # its keys have no bias
            del parts["k"]
        return {f"attention.{letter}_proj.{end}": part.contiguous() for letter, part in parts.items()}
    if module == "attn.proj":
        return {f"attention.o_proj.{end}": value}
    if end == "gamma" and module in ("ls1", "ls2") and kind != "vit":
        return {f"layer_scale{module[-1]}.lambda1": value}
    if module in _BLOCK[kind]:
        return {f"{_BLOCK[kind][module]}.{end}": value}
    raise ValueError(f"the weights hold blocks.*.{name}, which no {kind} here has: choose another encoder")


def _own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's tensors without what precedes all of their names."""
    for name in tensors:
        found = re.fullmatch(r"(.*)patch_embed\.proj\.weight", name)
        if found:
            start = found[1]
            own = {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
            needed = ("patch_embed.proj.bias", "cls_token", "norm.weight", "norm.bias", "blocks.0.attn.qkv.weight")
            missing = [name for name in needed if name not in own]
            if missing:
                raise ValueError(f"the weights lack {start}{missing[0]}: give those of a ViT, DINOv2 or DINOv3")
            return own
    raise ValueError(
        "the names of the tensors are not those of timm or of the DINOs' authors (no patch_embed.proj.weight): for"
        " weights of transformers put their config.json beside them"
    )


def _kind(own: Mapping[str, Tensor]) -> EncoderKind:
    if "pos_embed" not in own:
        return "dinov3"
    return "dinov2" if "blocks.0.ls1.gamma" in own else "vit"


def _registers(own: Mapping[str, Tensor]) -> Tensor | None:
    return next((own[name] for name in _REGISTERS if name in own), None)


def _grid(own: Mapping[str, Tensor]) -> Grid:
    """Grid of the position embedding, a square."""
    rows = own["pos_embed"].shape[1]
    for places in (rows - 1, rows):
        side = math.isqrt(max(places, 0))
        if side and side**2 == places:
            return side, side
    raise ValueError(f"pos_embed has {rows} rows, must be those of a square, with or without the class token's")
