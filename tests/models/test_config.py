import dataclasses
import inspect
import json

import pytest

from pamm.models import PRESETS, PAMMConfig, create_model
from pamm.tasks import TASKS
from toys import ALBEDO


def test_survives_json(small):
    config = small(position_grid=(2, 5), mean=(0.5, 0.5, 0.5))
    assert PAMMConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_tasks_come_as_names_records_or_tasks():
    config = PAMMConfig(tasks=("depth", ALBEDO.to_dict(), TASKS["edge"]))
    assert config.tasks == (TASKS["depth"], ALBEDO, TASKS["edge"])


def test_unknown_key_names_the_nearest():
    with pytest.raises(ValueError, match=r"scan_kinds.*scan_kind"):
        PAMMConfig.from_dict({"scan_kinds": "z"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "vitt"}, "vitt.*did you mean 'vit'"),
        ({"scan_kind": "spiral"}, "spiral.*known.*gilbert"),
        ({"local_mixing": "depth"}, "depthwise"),
        ({"delta_init": "one"}, "mamba"),
        ({"mixing_order": "none"}, "released"),
        ({"skipped_stages": 4}, "skipped_stages is 4.*below 4"),
        ({"skipped_stages": -1}, "skipped_stages is -1"),
        ({"gate_activation": "relu"}, "gelu"),
        ({"gate_noise": "softmax"}, "softplus"),
        ({"scan_directions": 3}, "scan_directions is 3"),
        ({"encoder_heads": 5}, "encoder_width is 12.*encoder_heads = 5"),
        ({"encoder_depth": 6}, "encoder_depth is 6.*4"),
        ({"norm_groups": 3}, "d_model is 8.*norm_groups = 3"),
        ({"image_size": (30, 32)}, "image_size is .*patch_size = 8"),
        ({"image_size": 32}, "image_size: got 32, wanted a list of 2, each a whole number"),
        ({"image_size": (24.0, 32)}, "whole number"),
        ({"position_grid": (0, 4)}, "position_grid"),
        ({"mean": (0.5, 0.5)}, "mean: got .*wanted a list of 3"),
        ({"mean": ("a", "b", "c")}, "mean: got 'a', wanted a number"),
        ({"std": [None, 1, 1]}, "std: got None, wanted a number"),
        ({"std": (0.5, 0.0, 0.5)}, "std"),
        ({"experts_kept": 6}, "experts_kept is 6.*expert_count = 5"),
        ({"expert_kernel": 2}, "odd"),
        ({"d_state": 0}, "d_state is 0.*positive whole"),
        ({"d_state": 4.0}, "d_state: got 4.0, wanted a whole number"),
        ({"d_state": True}, "d_state: got True"),
        ({"delta_rank": 0}, "delta_rank is 0"),
        ({"scan": 1}, "scan: got 1, wanted true or false"),
        ({"stochastic_depth": 1.0}, "stochastic_depth"),
        ({"stochastic_depth": "high"}, "stochastic_depth: got 'high', wanted a number"),
        ({"encoder_mlp_ratio": 0}, "encoder_mlp_ratio"),
        ({"encoder": "dinov2", "encoder_mlp_ratio": 2.5}, "whole number"),
        ({"encoder": "dinov3", "encoder_width": 12, "encoder_heads": 2}, "multiple of 4"),
        ({"encoder": "dinov3", "encoder_width": 16, "position_grid": (4, 4)}, "left out"),
        ({"encoder_registers": 4}, "must be 0, for the encoder 'vit'"),
        ({"encoder": "dinov3", "encoder_width": 16, "encoder_registers": -1}, "0 or more"),
        ({"encoder": "dinov2", "encoder_gated_mlp": True}, "must be false, for the encoder 'dinov2'"),
        ({"d_model": 2, "expand": 1, "norm_groups": 1}, "multiple of 4"),
        ({"tasks": ()}, "no task"),
        ({"tasks": 3}, "tasks: got 3, wanted a list"),
        ({"tasks": [{"name": "albedo"}]}, "'channels' is missing"),
        ({"tasks": ("dept",)}, "dept"),
    ],
)
def test_bad_values_say_what_is_wanted(small, changes, message):
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_fields_have_help():
    text = inspect.getsource(PAMMConfig)
    for field in dataclasses.fields(PAMMConfig):
        after = text.split(f"\n    {field.name}: ", 1)[1].split("\n", 1)[1]
        assert after.startswith('    """'), f"{field.name} has no sentence under it"


def test_create_model_names_the_nearest(small):
    with pytest.raises(ValueError, match=r"pamm_tini.*pamm_tiny"):
        create_model("pamm_tini")
    with pytest.raises(ValueError, match=r"no model setting 'expert_cout'.*expert_count"):
        create_model(small(), expert_cout=3)


def test_paper_sizes():
    large = PRESETS["pamm_large"]
    assert (large.encoder_width, large.encoder_depth, large.grid) == (1024, 24, (28, 36))
    assert (large.inner_width, large.step_rank, large.d_state) == (1536, 48, 16)
    assert (large.expert_count, large.expert_rank, large.experts_kept) == (15, 4, 9)
