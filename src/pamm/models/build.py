"""Where the sizes live: presets, and the function that builds a network from one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pamm.benchmarks import BENCHMARKS
from pamm.models.config import PAMMConfig, check_keys
from pamm.models.encoder_kinds import build_encoder
from pamm.models.fusion import Fusion, Heads
from pamm.models.pamm import PAMM
from pamm.models.pretrained import known_settings, load_encoder, read_settings
from pamm.models.stage import Stage
from pamm.names import unknown_name
from pamm.tasks import Task, get_tasks

RELEASED_FORM: dict[str, Any] = {
    "local_mixing": "none",
    "delta_init": "zero",
    "expert_kernel": 9,
    "learn_state": False,
}
"""Where the released code differs from the paper in what it computes or trains; see the fields of the config."""

RELEASED: dict[str, PAMMConfig] = {
    "nyud": PAMMConfig(tasks=BENCHMARKS["nyud"].tasks, image_size=BENCHMARKS["nyud"].canvas, **RELEASED_FORM),
    "pascal": PAMMConfig(
        tasks=BENCHMARKS["pascal_context"].tasks,
        image_size=BENCHMARKS["pascal_context"].canvas,
        d_model=1024,
        d_state=64,
        **RELEASED_FORM,
    ),
}
"""The released configs by data set: NYUD-v2 and PASCAL-Context."""

PRESETS: dict[str, PAMMConfig] = {
    # For CPUs and small pictures: half the usual patch, so that 128×160 pixels still give 16×20 positions.
    "pamm_tiny": PAMMConfig(
        image_size=(128, 160),
        patch_size=8,
        encoder_width=128,
        encoder_depth=8,
        encoder_heads=4,
        encoder_mlp_ratio=3.0,
        stochastic_depth=0.05,
        d_model=32,
        norm_groups=8,
        d_state=4,
    ),
    "pamm_small": PAMMConfig(encoder_width=384, encoder_depth=12, encoder_heads=6, d_model=192),
    "pamm_base": PAMMConfig(encoder_width=768, encoder_depth=12, encoder_heads=12),
    # The paper's for NYUD-v2; for PASCAL-Context image_size=(512, 512), d_model=1024 and d_state=64.
    "pamm_large": PAMMConfig(),
    **{f"released_{data}": config for data, config in RELEASED.items()},
}
"""Ready configs by name."""


def create_model(
    preset_or_config: str | PAMMConfig | None = None,
    *,
    released: str | None = None,
    tasks: Iterable[str | Task | Mapping[str, Any]] | None = None,
    pretrained: str | None = None,
    **overrides: Any,
) -> PAMM:
    """Build a network with new weights.

    Args:
        preset_or_config: name of a preset, see :data:`PRESETS`, or a config.
        released: ``nyud`` or ``pascal``: the form of the released code, :data:`RELEASED_FORM`, and that data set's
            tasks; its sizes too, unless a preset or config is named. Left out, the form is the paper's.
        tasks: tasks to predict, by name or as records; those of the config if left out.
        pretrained: local folder, hub name or file of tensors of a ViT, DINOv2, DINOv3 or another backbone of
            transformers, for example ``google/vit-base-patch16-224``, ``facebook/dinov2-small`` or
            ``microsoft/swin-tiny-patch4-window7-224``: the encoder takes its form, its weights and its normalisation,
            and ``image_size``, unless it is given, is cut to multiples of its patch size. Nothing is fetched unless
            this is given.
        **overrides: fields of the config to change.

    Returns:
        The network, in training mode; ``model.config`` describes it fully.

    Raises:
        ValueError: if a name is unknown (the nearest are named), a value does not fit, or the pretrained weights
            cannot be had.

    Examples:
        >>> model = create_model("pamm_tiny", tasks=["depth", "edge"], scan_kind="gilbert")
        >>> [task.name for task in model.config.tasks]
        ['depth', 'edge']
    """
    config = resolve_config(preset_or_config, released=released, tasks=tasks, pretrained=pretrained, **overrides)
    return PAMM(
        config,
        encoder=build_encoder(config) if pretrained is None else load_encoder(pretrained, config),
        stages=[Stage(config, inputs=width) for width in config.tap_widths],
        fusion=Fusion(config),
        heads=Heads(config),
    ).train()  # transformers gives pretrained modules in evaluation mode


def resolve_config(
    preset_or_config: str | PAMMConfig | None = None,
    *,
    released: str | None = None,
    tasks: Iterable[str | Task | Mapping[str, Any]] | None = None,
    pretrained: str | None = None,
    offline: bool = False,
    **overrides: Any,
) -> PAMMConfig:
    """The config of the network that :func:`create_model` builds from the same arguments.

    With ``offline``, the form of a hub encoder comes from a table where it is listed: enough to count by, see
    :func:`pamm.models.pretrained.known_settings`.
    """
    if released is not None and released not in RELEASED:
        raise unknown_name("released config", released, RELEASED)
    if isinstance(preset_or_config, PAMMConfig):
        config = preset_or_config
    elif preset_or_config in PRESETS:
        config = PRESETS[preset_or_config]
    elif preset_or_config is None and released is not None:
        config = RELEASED[released]
    else:
        raise unknown_name("preset", str(preset_or_config), PRESETS)
    if released is not None:
        config = replace(config, tasks=RELEASED[released].tasks, **RELEASED_FORM)
    check_keys(overrides)
    if tasks is not None:
        overrides["tasks"] = get_tasks(tasks)
    if pretrained is not None:
        theirs = known_settings(pretrained) if offline else read_settings(pretrained)
        patch = {"patch_size": config.patch_size, **theirs, **overrides}["patch_size"]
        size = tuple(max(patch, side // patch * patch) for side in config.image_size)
        overrides = {"image_size": size, **theirs, **overrides}
    return replace(config, **overrides)
