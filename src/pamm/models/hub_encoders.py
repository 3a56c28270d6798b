"""Sizes of encoders of the hub that the recipes name, so that a network can be described without fetching anything."""

from typing import Any

_SIZES: dict[str, dict[str, Any]] = {
    size: {"encoder_width": width, "encoder_depth": depth, "encoder_heads": heads, "encoder_mlp_ratio": 4.0}
    for size, (width, depth, heads) in {"small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}.items()
}


def _vit(size: str, side: int) -> dict[str, Any]:
    """A ViT that was trained on images of ``side`` pixels."""
    return {"encoder": "vit", "patch_size": 16, "position_grid": (side // 16, side // 16), **_SIZES[size]}


def _dinov2(size: str, *, registers: int = 0) -> dict[str, Any]:
    grid = {"patch_size": 14, "position_grid": (37, 37)}
    return {"encoder": "dinov2", "encoder_registers": registers, **grid, **_SIZES[size]}


def _dinov3(size: str, *, gated: bool = False) -> dict[str, Any]:
    form = {"patch_size": 16, "encoder_registers": 4, "encoder_gated_mlp": gated}
    return {"encoder": "dinov3", "position_grid": None, **form, **_SIZES[size]}


HUB_ENCODERS: dict[str, dict[str, Any]] = {
    "WinKawaks/vit-small-patch16-224": _vit("small", 224),
    "google/vit-base-patch16-224": _vit("base", 224),
    "google/vit-base-patch16-384": _vit("base", 384),
    "google/vit-large-patch16-224": _vit("large", 224),
    "google/vit-large-patch16-384": _vit("large", 384),
    **{f"facebook/dinov2-{size}": _dinov2(size) for size in _SIZES},
    **{f"facebook/dinov2-with-registers-{size}": _dinov2(size, registers=4) for size in _SIZES},
    "facebook/dinov3-vits16-pretrain-lvd1689m": _dinov3("small"),
    "facebook/dinov3-vits16plus-pretrain-lvd1689m": _dinov3("small", gated=True),
    "facebook/dinov3-vitb16-pretrain-lvd1689m": _dinov3("base"),
    "facebook/dinov3-vitl16-pretrain-lvd1689m": _dinov3("large"),
}
"""Fields of the config by hub name. What is fetched is checked against its own config, never against this table."""
