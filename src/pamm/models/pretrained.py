"""Encoders with weights from a folder or the hub; the only place of the models that may fetch anything."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import (
    AutoConfig,
    Dinov2Model,
    Dinov2WithRegistersModel,
    DINOv3ViTModel,
    PreTrainedConfig,
    ViTModel,
)
from transformers.image_processing_base import ImageProcessingMixin
from transformers.utils.hub import cached_file

from pamm.models.config import EncoderKind, PAMMConfig
from pamm.models.encoder_kinds import activation, build_encoder, encoder_from
from pamm.models.feature_backbone import BACKBONES, backbone_class, backbone_from, backbone_settings, with_drop_path
from pamm.models.hub_encoders import HUB_ENCODERS
from pamm.models.layered import LayeredEncoder
from pamm.models.original_names import STATE_FILES, original_settings, original_tensors, read_tensors
from pamm.names import misfits


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
    "encoder_config",
    "encoder_widths",
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
        source: local folder, hub name, or file of tensors. Beside a file may lie the ``config.json`` of transformers or
            of timm; without one the form is read off the tensors, which then have the names of timm or of the DINOs'
            authors.

    Returns:
        The encoder's fields of :class:`PAMMConfig`, and the normalisation of its input if it is given.

    Raises:
        ValueError: if the source cannot be reached or is no encoder the network can use.
    """
    plain = _plain_config(source)
    if "model_type" in plain:
        return _form(_their_config(source), source) | _normalisation(source)
    trained = plain.get("pretrained_cfg", {})
    given = {name: tuple(trained[name]) for name in ("mean", "std") if name in trained}
    return original_settings(_tensors(source)) | given


def _form(theirs: PreTrainedConfig, source: str) -> dict[str, Any]:
    if theirs.model_type in BACKBONES:
        return backbone_settings(theirs)
    form = SOURCES[theirs.model_type]
    gated = getattr(theirs, "use_gated_mlp", False)
    for name, wanted in (FIXED | {"hidden_act": activation(gated)}).items():
        value = getattr(theirs, name, wanted)
        if value != wanted:
            raise ValueError(f"encoder {source!r} has {name} = {value!r}, only {wanted!r} is supported: choose another")
    return {
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


def _normalisation(source: str) -> dict[str, Any]:
    try:
        processor, _ = ImageProcessingMixin.get_image_processor_dict(_folder(source))
    except OSError:
        return {}
    names = {"image_mean": "mean", "image_std": "std"}
    return {ours: tuple(processor[name]) for name, ours in names.items() if name in processor}


def load_encoder(source: str, config: PAMMConfig) -> LayeredEncoder:
    """Load a pretrained encoder.

    Args:
        source: as for :func:`read_settings`; of folders and the hub only weights in safetensors are read.
        config: config whose encoder fields are those of :func:`read_settings`.

    Raises:
        ValueError: if the source cannot be reached, lacks weights, or differs from the config.
    """
    wanted, of_transformers = read_settings(source), "model_type" in _plain_config(source)
    # what the weights do not say is our own choice
    free = "patch_size" if config.encoder == "backbone" else "" if of_transformers else "encoder_heads"
    for name in SIZES:
        if name != free and name in wanted and getattr(config, name) != wanted[name]:
            raise ValueError(f"{name} is {getattr(config, name)}, but {source!r} has {wanted[name]}: leave {name} out")
    if of_transformers:
        return _load_theirs(source, config)
    encoder = build_encoder(config)
    tensors = {name: value.float() for name, value in original_tensors(_tensors(source)).items()}
    found, needed = ({name: value.shape for name, value in held.items()} for held in (tensors, encoder.state_dict()))
    problems = misfits(found, needed, stranger="not in the encoder")
    if problems:
        raise ValueError(f"the weights of {source!r} do not fit: tensors {problems}: choose another encoder")
    encoder.load_state_dict(tensors)
    return encoder


def _load_theirs(source: str, config: PAMMConfig) -> LayeredEncoder:
    theirs = _their_config(source)
    if theirs.model_type in BACKBONES:
        theirs = with_drop_path(config)
        load: Callable[..., Any] = backbone_class(theirs).from_pretrained
    else:
        load = SOURCES[theirs.model_type].load
    options: dict[str, Any] = {"state_dict": read_tensors(source)} if _is_file(source) else {"use_safetensors": True}
    try:
        place = None if _is_file(source) else source
        model, report = load(place, config=theirs, output_loading_info=True, **options)
    except OSError as error:
        raise _unreachable(source, error) from error
    except RuntimeError as error:
        raise ValueError(f"the weights of {source!r} do not fit its config.json: choose another encoder") from error
    # norms of the maps, which no classifier has, are new
    missing = [name for name in sorted(report["missing_keys"]) if not name.startswith("hidden_states_norms.")]
    if missing:
        raise ValueError(f"the weights of {source!r} lack {missing[0]}: choose another encoder")
    return (backbone_from if theirs.model_type in BACKBONES else encoder_from)(model.float(), config)


def _is_file(source: str) -> bool:
    path = Path(source)
    named = path.suffix in STATE_FILES
    if named and not path.exists():
        # a mistyped file is no name to ask the hub for
        raise _unreachable(source, FileNotFoundError("there is no such file"))
    return named and path.is_file()


def _folder(source: str) -> str:
    """Where the files beside the weights lie."""
    return str(Path(source).parent) if _is_file(source) else source


def _tensors(source: str) -> dict[str, Tensor]:
    if _is_file(source):
        return read_tensors(source)
    try:
        return read_tensors(str(cached_file(source, "model.safetensors")))
    except OSError as error:
        raise _unreachable(source, error) from error


def _plain_config(source: str) -> dict[str, Any]:
    """What is in the config.json of a source; nothing if a file has none beside it."""
    folder = _folder(source)
    if Path(folder).is_dir() and not (Path(folder) / "config.json").is_file():
        if _is_file(source):
            return {}
        raise _unreachable(source, FileNotFoundError("the folder has no config.json"))
    try:
        plain, _ = PreTrainedConfig.get_config_dict(folder)
    except OSError as error:
        raise _unreachable(source, error) from error
    # what transformers calls the folders of timm, which have no model type of their own
    return {name: value for name, value in plain.items() if value != "timm_wrapper"}


def _their_config(source: str) -> PreTrainedConfig:
    try:
        theirs: PreTrainedConfig = AutoConfig.from_pretrained(_folder(source), trust_remote_code=False)
    except ValueError as error:
        raise ValueError(f"{source!r} is no encoder that transformers knows: choose a ViT or DINO ({error})") from error
    if theirs.model_type not in (*SOURCES, *BACKBONES):
        known = ", ".join((*SOURCES, *BACKBONES))
        raise ValueError(f"encoder {source!r} is a {theirs.model_type}, must be one of {known}")
    return theirs


def _grid(theirs: PreTrainedConfig) -> tuple[int, int]:
    size = theirs.image_size
    height, width = (size, size) if isinstance(size, int) else size
    return height // theirs.patch_size, width // theirs.patch_size


def _unreachable(source: str, error: OSError) -> ValueError:
    reason = str(error).strip().splitlines()[0]
    return ValueError(
        f"pretrained encoder {source!r} cannot be read ({reason}): name a folder with config.json and"
        " model.safetensors, a file of tensors, or a model of huggingface.co while online"
    )
