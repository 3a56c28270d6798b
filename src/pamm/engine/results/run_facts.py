"""What there is to know about a scored network besides its scores: its name, size and encoder, and the data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pamm.engine.data_config import DataConfig
from pamm.engine.results.published import PUBLISHED
from pamm.models import PAMM, PAMMConfig
from pamm.models.info import count_macs, total_parameters


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Which network was scored, and on what."""

    name: str = ""
    """What it is called in tables."""
    weights: str = ""
    """Its weights, as they were named."""
    encoder: str = ""
    """Kind and size of its encoder."""
    parameters: int = 0
    """Number of its parameters."""
    multiply_adds: int = 0
    """Number of its multiply-adds for one image."""
    data: str = ""
    """Name of the data set."""
    split: str = ""
    """Part of the data set."""
    source: str = ""
    """What else tells which images were scored: the manifest, the series of rendered scenes, or the sets of a mix."""
    trained: str = ""
    """How the network was trained, in words."""


def run_facts(
    model: PAMM, data: DataConfig, *, weights: str, name: str | None = None, canvas: tuple[int, int] | None = None
) -> RunFacts:
    """Gather what a file of scores says about its run.

    Args:
        model: the network.
        data: what it is scored on.
        weights: name of its weights.
        name: what it is called in tables; like its weights if left out, the last two parts of a longer path.
        canvas: (height, width) at which multiply-adds are counted; the network's own if left out.
    """
    return replace(
        data_facts(data, canvas=model.config.image_size),
        name=name or short_name(weights),
        weights=weights,
        encoder=encoder_name(model.config),
        parameters=total_parameters(model.config),
        multiply_adds=count_macs(model, *(canvas or model.config.image_size)),
    )


def data_facts(data: DataConfig, *, name: str = "", canvas: tuple[int, int] = (0, 0)) -> RunFacts:
    """What a file of scores says about the data alone.

    Args:
        data: what is scored on.
        name: what the scored network is called in tables.
        canvas: (height, width) of the images that are made to measure, if the data names none.
    """
    published = PUBLISHED.get(data.name)
    return RunFacts(
        name=name,
        data=data.name,
        split=data.split or (published.split if published else ""),
        source=_SOURCES[data.name](data, canvas) if data.name in _SOURCES else "",
    )


def short_name(weights: str) -> str:
    """What weights are called: as they were named, or the last two parts of a longer path."""
    return Path(*Path(weights).parts[-2:]).as_posix()


def encoder_name(config: PAMMConfig) -> str:
    """Kind and size of a network's encoder in the usual words: "+" for gated MLPs, "reg" for registers.

    Example:
        >>> encoder_name(PAMMConfig()), encoder_name(PAMMConfig(encoder_depth=8))
        ('ViT-L', 'ViT 1024×8')

        >>> encoder_name(PAMMConfig(encoder="dinov2", encoder_registers=4))
        'DINOv2-L reg'
    """
    if config.encoder_config is not None:
        return f"{config.encoder_config['model_type']} {'/'.join(map(str, config.encoder_widths or ()))}"
    kind = _KINDS.get(config.encoder, config.encoder)
    width, depth = config.encoder_width, config.encoder_depth
    size = f"-{_SIZES[width, depth]}" if (width, depth) in _SIZES else f" {width}×{depth}"
    plus = "+" if config.encoder_gated_mlp else ""
    registers = " reg" if config.encoder_registers and config.encoder not in _ALWAYS_REGISTERS else ""
    return f"{kind}{size}{plus}{registers}"


_KINDS = {"vit": "ViT", "dinov2": "DINOv2", "dinov3": "DINOv3"}
_ALWAYS_REGISTERS = {"dinov3"}
"""Kinds of which no form lacks registers, so that their names do not tell."""
_SIZES = {(192, 12): "T", (384, 12): "S", (768, 12): "B", (1024, 24): "L"}
"""Letter by width and number of blocks."""


def _scenes(data: DataConfig, canvas: tuple[int, int]) -> str:
    height, width = data.canvas(canvas)
    return f"series {data.seed}, {data.length} scenes of {height}×{width} pixels"


def _folder(data: DataConfig, _: tuple[int, int]) -> str:
    return (data.manifest or "").replace("\\", "/").rpartition("/")[2]


def _shards(data: DataConfig, _: tuple[int, int]) -> str:
    return (data.root or "").replace("\\", "/").rstrip("/").rpartition("/")[2]


def _mix(data: DataConfig, _: tuple[int, int]) -> str:
    return ", ".join(data.sets)


_SOURCES: dict[str, Callable[[DataConfig, tuple[int, int]], str]] = {
    "scenes": _scenes,
    "folder": _folder,
    "shards": _shards,
    "mix": _mix,
}
"""By name of the data set."""
