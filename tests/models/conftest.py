"""A network small enough to build and run in milliseconds."""

import dataclasses

import pytest

from pamm.models import PAMMConfig
from pamm.tasks import get_tasks

SMALL = PAMMConfig(
    tasks=get_tasks(["depth", "edge", "saliency"]),
    image_size=(24, 32),
    patch_size=8,
    encoder_width=12,
    encoder_depth=4,
    encoder_heads=2,
    encoder_mlp_ratio=2,
    d_model=8,
    norm_groups=2,
    d_state=3,
    expert_count=5,
    expert_rank=2,
    experts_kept=3,
    head_scale=2,
)


@pytest.fixture(scope="session")
def small():
    """A small config with the given fields changed."""
    return lambda **changes: dataclasses.replace(SMALL, **changes)
