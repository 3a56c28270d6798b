"""Encoders of any kind that gives feature maps: Swin, ConvNeXt, BEiT and the other backbones of transformers.

Their maps have strides and widths of their own. All come to one grid of positions here: finer maps by the mean of the
cells that fall together, coarser ones bilinearly. The decoder's stages project the widths.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MODEL_FOR_BACKBONE_MAPPING, AutoConfig, PreTrainedConfig

from pamm.models.config import STAGES, PAMMConfig
from pamm.models.layered import LayeredEncoder
from pamm.models.layers import NO_DECAY, Grid
from pamm.models.recompute import call

BACKBONES = tuple(
    sorted(
        {config.model_type for config in MODEL_FOR_BACKBONE_MAPPING}
        - {"timm_backbone", "dinov2", "dinov2_with_registers", "dinov3_vit"}
    )
)
"""Transformers' model types that serve here."""
_UNKEPT = ("_name_or_path", "architectures", "dtype", "id2label", "label2id", "out_indices", "transformers_version")
"""What their configs hold besides the form of the backbone."""
_EMBEDDING = re.compile(r"(\w+\.)?(embeddings|embedder|stem)\.")
"""Starts of the names of parameters before the first stage."""
_SIDE = 448
"""Side in pixels of the image that strides are found with; one that all usual strides divide."""


@dataclass(frozen=True)
class Survey:
    """How a backbone is made, found by running it without numbers."""

    taps: tuple[str, ...]
    """Names of the stages that are read, one per stage of the decoder."""
    widths: tuple[int, ...]
    """Channels of their maps."""
    strides: tuple[int, ...]
    """Pixels between two positions of their maps."""
    stages: int
    """Number of all stages."""
    stage_of: Mapping[str, int]
    """The first stage that each parameter acts on, by its name; those that act on none are left out."""


def backbone_config(plain: Mapping[str, Any]) -> PreTrainedConfig:
    """Transformers' config of the plain values that our config holds."""
    # says what does not fit, where transformers has errors of its own
    taps = survey(plain).taps
    kind, values = plain["model_type"], {name: value for name, value in plain.items() if name != "model_type"}
    theirs: PreTrainedConfig = AutoConfig.for_model(kind, **values)
    theirs.out_features = list(taps)
    return theirs


def backbone_class(theirs: PreTrainedConfig) -> Any:  # noqa: ANN401  (one of their classes)
    """Transformers' class of a backbone."""
    return MODEL_FOR_BACKBONE_MAPPING[type(theirs)]


def backbone_settings(theirs: PreTrainedConfig) -> dict[str, Any]:
    """The fields of :class:`PAMMConfig` that make a backbone.

    Args:
        theirs: its config. The patch size is a field of its own only where all maps have one stride.
    """
    values = {name: value for name, value in theirs.to_diff_dict().items() if name not in (*_UNKEPT, "out_features")}
    # lists for tuples and text for keys, as it is read back from a file
    plain = json.loads(json.dumps(values | {"model_type": theirs.model_type}))
    found = survey(plain)
    settings = {"encoder": "backbone", "encoder_config": plain, "encoder_widths": found.widths}
    return settings if len(set(found.strides)) > 1 else settings | {"patch_size": found.strides[0]}


def survey(plain: Mapping[str, Any]) -> Survey:
    """Find the stages of a backbone, their sizes and their parameters; nothing is computed.

    Raises:
        ValueError: if it has fewer than four stages, or transformers cannot build or run it.
    """
    return _survey(json.dumps(plain, sort_keys=True))


@lru_cache(maxsize=16)
def _survey(plain: str) -> Survey:
    values = json.loads(plain)
    kind = values.pop("model_type", None)
    if kind not in BACKBONES:
        raise ValueError(f"encoder_config has model_type {kind!r}, must be one of {', '.join(BACKBONES)}")
    try:
        theirs = AutoConfig.for_model(kind, **values)
        stages = [name for name in theirs.stage_names if name != "stem"]
        side = getattr(theirs, "image_size", None) or _SIDE
        height, width = (side, side) if isinstance(side, int) else side
        theirs.out_features = stages
        with torch.device("meta"), torch.enable_grad(), torch.inference_mode(False):
            model = backbone_class(theirs)(theirs)
            maps = model(torch.empty(1, 3, height, width)).feature_maps
    except Exception as error:
        # wrong values, packages that are missing: each of their classes has errors of its own
        reason = " ".join(str(error).split())
        raise ValueError(f"transformers cannot run this {kind} backbone ({reason}): choose another") from error
    if len(stages) < STAGES:
        raise ValueError(f"the {kind} backbone has {len(stages)} stages, must have at least {STAGES}: choose another")
    names, parameters = zip(*model.named_parameters(), strict=True)
    stage_of: dict[str, int] = {}
    for stage, features in enumerate(maps):
        found = torch.autograd.grad(
            features, parameters, torch.empty_like(features), allow_unused=True, retain_graph=True
        )
        for name, gradient in zip(names, found, strict=True):
            if gradient is not None:
                stage_of.setdefault(name, stage)
    read = [math.ceil(len(stages) * (tap + 1) / STAGES) - 1 for tap in range(STAGES)]
    return Survey(
        taps=tuple(stages[stage] for stage in read),
        widths=tuple(maps[stage].shape[1] for stage in read),
        strides=tuple(round(height / maps[stage].shape[-2]) for stage in read),
        stages=len(stages),
        stage_of=stage_of,
    )


def build_backbone(config: PAMMConfig) -> "FeatureBackbone":
    """Build the backbone of a config with new weights.

    Raises:
        ValueError: if the widths of its maps are not those of the config, or it cannot be built.
    """
    theirs = with_drop_path(config)
    return backbone_from(backbone_class(theirs)(theirs), config)


def with_drop_path(config: PAMMConfig) -> PreTrainedConfig:
    """Transformers' config of a backbone with our stochastic depth, where its kind has any."""
    assert config.encoder_config is not None
    theirs = backbone_config(config.encoder_config)
    if hasattr(theirs, "drop_path_rate"):
        theirs.drop_path_rate = config.stochastic_depth
    return theirs


def backbone_from(model: nn.Module, config: PAMMConfig) -> "FeatureBackbone":
    """Make an encoder of a transformers backbone, built from :func:`with_drop_path`.

    Raises:
        ValueError: if the widths of its maps are not those of the config.
    """
    assert config.encoder_config is not None
    found = survey(config.encoder_config)
    if config.encoder_widths != found.widths:
        raise ValueError(f"encoder_widths is {config.encoder_widths}, but the backbone has {found.widths}: write those")
    return FeatureBackbone(model, found, patch_size=config.patch_size)


class FeatureBackbone(LayeredEncoder):
    """A backbone of transformers whose maps come to one grid."""

    def __init__(self, model: nn.Module, found: Survey, *, patch_size: int) -> None:
        """Build the layer.

        Args:
            model: the backbone; gives the maps of the stages ``found.taps``.
            found: how it is made.
            patch_size: pixels between two positions of the common grid.
        """
        super().__init__()
        self.model, self.found, self.patch_size = model, found, patch_size
        self.multiple = math.lcm(patch_size, *found.strides)
        for name, parameter in model.named_parameters():
            # such as a last norm that no map passes
            parameter.requires_grad_(name in found.stage_of)
            # tokens, positions and scales
            vars(parameter)[NO_DECAY] = not name.endswith("weight")

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters by depth: of the embedding, where the backbone has one, of each stage, and what acts on no map."""
        stage_of: dict[str, int] = {}
        for name, stage in self.found.stage_of.items():
            owner = _owner(name)
            stage_of[owner] = min(stage, stage_of.get(owner, stage))
        layers: list[list[nn.Parameter]] = [[] for _ in range(self.found.stages + 2)]
        for name, parameter in self.model.named_parameters():
            owner = _owner(name)
            # what was put into a module later is of its stage
            while owner and owner not in stage_of:
                owner = _owner(owner)
            stage = stage_of.get(owner, self.found.stages)
            layers[0 if stage == 0 and _EMBEDDING.match(name) else stage + 1].append(parameter)
        return layers

    def parts(self) -> list[nn.Module]:
        """The backbone as a whole."""
        return [self.model]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Encode an image.

        Args:
            image: (b, 3, H, W), normalised, sides multiples of the patch size.

        Returns:
            Four maps (b, C, h, w), each with a C of its own. They cover the image exactly: where a stride does not
            divide a side, zeros are added below and on the right, and cut off again.
        """
        height, width = image.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        padded = F.pad(image, (0, right, 0, below)) if below or right else image
        grid: Grid = (padded.shape[-2] // self.patch_size, padded.shape[-1] // self.patch_size)
        maps = call(self.model, padded, recompute=self.recompute).feature_maps
        rows, columns = height // self.patch_size, width // self.patch_size
        return [_to_grid(features, grid)[..., :rows, :columns] for features in maps]


def _owner(name: str) -> str:
    return name.rpartition(".")[0]


def _to_grid(features: Tensor, grid: Grid) -> Tensor:
    """(b, C, ·, ·) → (b, C, h, w)."""
    if features.shape[-2:] == grid:
        return features
    if features.shape[-2] > grid[0]:
        return F.interpolate(features, size=grid, mode="area")
    return F.interpolate(features, size=grid, mode="bilinear", align_corners=False)
