"""Encoders with weights from a folder or the hub; the only place of the models that may fetch anything."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    Dinov2Model,
    Dinov2WithRegistersModel,
    DINOv3ViTModel,
    PreTrainedConfig,
    ViTModel,
)
from transformers.image_processing_base import ImageProcessingMixin

from pamm.models.backbone import Encoder
from pamm.models.config import EncoderKind, PAMMConfig
from pamm.models.encoder_kinds import activation, encoder_from
from pamm.models.hub_encoders import HUB_ENCODERS


@dataclass(frozen=True)
class Source:
    """What one of their model types is here."""

    kind: EncoderKind
    """The kind of encoder."""
    load: Callable[..., Any]
    """Reads a model of the type."""
    position_grid: bool = True
    """Whether it has an embedding of positions, made for one grid."""


SOURCES = {
    "vit": Source("vit", partial(ViTModel.from_pretrained, add_pooling_layer=False)),
    "dinov2": Source("dinov2", Dinov2Model.from_pretrained),
    "dinov2_with_registers": Source("dinov2", Dinov2WithRegistersModel.from_pretrained),
    "dinov3_vit": Source("dinov3", DINOv3ViTModel.from_pretrained, position_grid=False),
}
"""Transformers' model types that serve as encoders."""
FIXED: dict[str, Any] = {
    "num_channels": 3,
    "qkv_bias": True,
    "use_swiglu_ffn": False,
    "query_bias": True,
    "key_bias": False,
    "value_bias": True,
    "proj_bias": True,
    "mlp_bias": True,
    "rope_theta": 100.0,
}
"""Settings of transformers' encoders that the config does not have: the values it stands for."""
SIZES = (
    "encoder",
    "patch_size",
    "encoder_width",
    "encoder_depth",
    "encoder_heads",
    "encoder_mlp_ratio",
    "encoder_gated_mlp",
    "encoder_registers",
    "position_grid",
)
"""Fields of the config that say which tensors an encoder has."""


def known_settings(source: str) -> dict[str, Any]:
    """Read the form of a pretrained encoder, from :data:`HUB_ENCODERS` where it is listed there and no folder.

    Enough to count by without asking the hub: epsilon and normalisation are then left out.

    Args:
        source: local folder or hub name.

    Raises:
        ValueError: as for :func:`read_settings`.
    """
    if source in HUB_ENCODERS and not Path(source).is_dir():
        return HUB_ENCODERS[source]
    return read_settings(source)


def read_settings(source: str) -> dict[str, Any]:
    """Read the form of a pretrained encoder.

    Args:
        source: local folder or hub name.

    Returns:
        The encoder's fields of :class:`PAMMConfig`, and the normalisation of its input if it is given.

    Raises:
        ValueError: if the source cannot be reached or is no encoder the network can use.
    """
    theirs = _read_config(source)
    form = SOURCES[theirs.model_type]
    gated = getattr(theirs, "use_gated_mlp", False)
    for name, wanted in (FIXED | {"hidden_act": activation(gated)}).items():
        value = getattr(theirs, name, wanted)
        if value != wanted:
            raise ValueError(f"encoder {source!r} has {name} = {value!r}, only {wanted!r} is supported: choose another")
    settings = {
        "encoder": form.kind,
        "patch_size": theirs.patch_size,
        "encoder_width": theirs.hidden_size,
        "encoder_depth": theirs.num_hidden_layers,
        "encoder_heads": theirs.num_attention_heads,
        "encoder_mlp_ratio": getattr(theirs, "mlp_ratio", None) or theirs.intermediate_size / theirs.hidden_size,
        "encoder_gated_mlp": gated,
        "encoder_registers": getattr(theirs, "num_register_tokens", 0),
        "encoder_norm_eps": theirs.layer_norm_eps,
        "position_grid": _grid(theirs) if form.position_grid else None,
    }
    try:
        processor, _ = ImageProcessingMixin.get_image_processor_dict(source)
    except OSError:
        return settings
    names = {"image_mean": "mean", "image_std": "std"}
    return settings | {ours: tuple(processor[name]) for name, ours in names.items() if name in processor}


def load_encoder(source: str, config: PAMMConfig) -> Encoder:
    """Load a pretrained encoder.

    Args:
        source: local folder or hub name; only weights in safetensors are read.
        config: config whose encoder fields are those of :func:`read_settings`.

    Raises:
        ValueError: if the source cannot be reached, lacks weights, or differs from the config.
    """
    theirs = read_settings(source)
    for name in SIZES:
        if getattr(config, name) != theirs[name]:
            raise ValueError(f"{name} is {getattr(config, name)}, but {source!r} has {theirs[name]}: leave {name} out")
    load = SOURCES[_read_config(source).model_type].load
    try:
        model, report = load(source, use_safetensors=True, output_loading_info=True)
    except OSError as error:
        raise _unreachable(source, error) from error
    if report["missing_keys"]:
        raise ValueError(f"the weights of {source!r} lack {sorted(report['missing_keys'])[0]}: choose another encoder")
    return encoder_from(model.float(), config)


def _read_config(source: str) -> PreTrainedConfig:
    if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
        raise _unreachable(source, FileNotFoundError("the folder has no config.json"))
    try:
        theirs: PreTrainedConfig = AutoConfig.from_pretrained(source)
    except OSError as error:
        raise _unreachable(source, error) from error
    except ValueError as error:
        raise ValueError(f"{source!r} is no encoder that transformers knows: choose a ViT or DINO ({error})") from error
    if theirs.model_type not in SOURCES:
        raise ValueError(f"encoder {source!r} is a {theirs.model_type}, must be one of {', '.join(SOURCES)}")
    return theirs


def _grid(theirs: PreTrainedConfig) -> tuple[int, int]:
    size = theirs.image_size
    height, width = (size, size) if isinstance(size, int) else size
    return height // theirs.patch_size, width // theirs.patch_size


def _unreachable(source: str, error: OSError) -> ValueError:
    reason = str(error).strip().splitlines()[0]
    return ValueError(
        f"pretrained encoder {source!r} cannot be read ({reason}): name a folder with config.json and"
        " model.safetensors, or a model of huggingface.co while online"
    )
