"""The networks that are measured: their sizes, and the forms they come in."""

import dataclasses
from typing import Any

import torch

from pamm.models import PAMM, PRESETS, PAMMConfig, create_model
from pamm.models.build import RELEASED, RELEASED_FORM

NYUD = RELEASED["nyud"].tasks

SIZES: dict[str, PAMMConfig] = {
    "small": PAMMConfig(
        tasks=NYUD[:3],
        image_size=(256, 256),
        encoder_width=192,
        encoder_depth=4,
        encoder_heads=3,
        d_model=192,
    ),
    "medium": dataclasses.replace(PRESETS["pamm_small"], tasks=NYUD, d_model=384),
    "nyud-B": dataclasses.replace(PRESETS["pamm_base"], tasks=NYUD),
    "nyud-L": RELEASED["nyud"],
    "pascal-L": RELEASED["pascal"],
}
"""Networks by name, in either form."""

FORMS: dict[str, dict[str, Any]] = {
    "paper": {name: getattr(PAMMConfig, name) for name in RELEASED_FORM},
    "released": RELEASED_FORM,
}
"""Fields that make each form; the released code's is that with 9×9 experts."""


def config_of(size: str, form: str) -> PAMMConfig:
    """The config of a size in a form, both by name."""
    return dataclasses.replace(SIZES[size], **FORMS[form])


def build(config: PAMMConfig, device: str) -> PAMM:
    """A network with new weights on a device."""
    with torch.device(device):
        return create_model(config)
