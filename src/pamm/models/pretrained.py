"""Encoders with weights from a folder or the hub; the only place of the models that may fetch anything."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, Dinov2Model, PreTrainedConfig, ViTModel
from transformers.image_processing_base import ImageProcessingMixin

from pamm.models.backbone import Encoder, encoder_from
from pamm.models.config import PAMMConfig

KINDS: dict[str, type[ViTModel] | type[Dinov2Model]] = {"vit": ViTModel, "dinov2": Dinov2Model}
FIXED = {"hidden_act": "gelu", "qkv_bias": True, "use_swiglu_ffn": False, "num_channels": 3}
"""Settings of transformers' encoders that the config does not have: the values it stands for."""


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
    for name, wanted in FIXED.items():
        value = getattr(theirs, name, wanted)
        if value != wanted:
            raise ValueError(f"encoder {source!r} has {name} = {value!r}, only {wanted!r} is supported: choose another")
    settings = {
        "encoder": theirs.model_type,
        "patch_size": theirs.patch_size,
        "encoder_width": theirs.hidden_size,
        "encoder_depth": theirs.num_hidden_layers,
        "encoder_heads": theirs.num_attention_heads,
        "encoder_mlp_ratio": getattr(theirs, "mlp_ratio", None) or theirs.intermediate_size / theirs.hidden_size,
        "encoder_norm_eps": theirs.layer_norm_eps,
        "position_grid": _grid(theirs),
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
    for name in ("encoder", "patch_size", "encoder_width", "encoder_depth", "encoder_heads", "position_grid"):
        if getattr(config, name) != theirs[name]:
            raise ValueError(f"{name} is {getattr(config, name)}, but {source!r} has {theirs[name]}: leave {name} out")
    extra: dict[str, Any] = {"add_pooling_layer": False} if config.encoder == "vit" else {}
    try:
        loaded: Any = KINDS[config.encoder].from_pretrained(
            source, use_safetensors=True, output_loading_info=True, **extra
        )
    except OSError as error:
        raise _unreachable(source, error) from error
    model, report = loaded
    if report["missing_keys"]:
        raise ValueError(f"the weights of {source!r} lack {sorted(report['missing_keys'])[0]}: choose another encoder")
    grid = config.position_grid
    assert grid is not None
    return encoder_from(model.float(), grid=grid, stochastic_depth=config.stochastic_depth)


def _read_config(source: str) -> PreTrainedConfig:
    if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
        raise _unreachable(source, FileNotFoundError("the folder has no config.json"))
    try:
        theirs: PreTrainedConfig = AutoConfig.from_pretrained(source)
    except OSError as error:
        raise _unreachable(source, error) from error
    except ValueError as error:
        raise ValueError(
            f"{source!r} is no encoder that transformers knows: choose a ViT or DINOv2 ({error})"
        ) from error
    if theirs.model_type not in KINDS:
        raise ValueError(f"encoder {source!r} is a {theirs.model_type}, must be one of {', '.join(KINDS)}")
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
