import pytest
import torch
from safetensors.torch import load_file
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh

from pamm.engine.config import ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig
from pamm.engine.parameter_groups import parameter_groups
from pamm.engine.sharding import shard
from pamm.engine.train import train
from pamm.models import create_model
from toys import MICRO


def groups_by_name(model, **options):
    names = {parameter: name for name, parameter in model.named_parameters()}
    found = {}
    for group in parameter_groups(model, weight_decay=0.1, lr=1.0, **options):
        for parameter in group["params"]:
            assert names[parameter] not in found
            found[names[parameter]] = (group["lr"], group["weight_decay"])
    return found


def test_rates_fall_with_depth():
    model = create_model("pamm_tiny", **MICRO)
    found = groups_by_name(model, layer_decay=0.5, encoder_lr=0.1)
    assert set(found) == {name for name, _ in model.named_parameters()}
    for name, rate, decay in (
        ("stages.0.project.weight", 1, 0.1),
        ("encoder.norm.weight", 0.1, 0),
        ("encoder.blocks.3.mlp.fc1.weight", 0.05, 0.1),
        ("encoder.blocks.0.mlp.fc1.bias", 0.1 * 0.5**4, 0),
        ("encoder.patches.weight", 0.1 * 0.5**5, 0.1),
        ("encoder.position", 0.1 * 0.5**5, 0),
    ):
        assert found[name] == pytest.approx((rate, decay)), name


def test_rates_of_a_backbone_fall_as_in_beit():
    form = {"hidden_size": 16, "num_hidden_layers": 8, "num_attention_heads": 2, "intermediate_size": 32}
    form |= {"model_type": "beit", "use_relative_position_bias": True, "image_size": 32}
    sizes = MICRO | {"patch_size": 16, "image_size": (32, 32)}
    model = create_model("pamm_tiny", **sizes, encoder="backbone", encoder_config=form, encoder_widths=(16,) * 4)
    found = groups_by_name(model, layer_decay=0.5)
    for end, rate, decay in (
        ("embeddings.cls_token", 0.5**9, 0),
        ("embeddings.patch_embeddings.projection.weight", 0.5**9, 0.1),
        ("layers.0.mlp.fc1.weight", 0.5**8, 0.1),
        ("layers.7.mlp.fc1.weight", 0.5, 0.1),
        ("layers.7.relative_position_bias.relative_position_bias_table", 0.5, 0),
    ):
        matching = [value for name, value in found.items() if name.endswith(end)]
        assert matching == [pytest.approx((rate, decay))], end


def test_without_decay_of_rates_there_are_two_groups():
    groups = parameter_groups(create_model("pamm_tiny", **MICRO), weight_decay=0.1, lr=1.0)
    assert [(group["weight_decay"], group["lr"]) for group in groups] == [(0.1, 1.0), (0.0, 1.0)]


def test_frozen_parameters_are_left_out():
    model = create_model("pamm_tiny", **MICRO)
    model.encoder.freeze(2)
    assert set(groups_by_name(model)) == {
        name for name, parameter in model.named_parameters() if parameter.requires_grad
    }


@pytest.mark.parametrize("frozen", [2, "all"])
def test_frozen_weights_stay_as_they_were(tmp_path, frozen):
    train(
        model=ModelChoice(overrides=MICRO, frozen_blocks=frozen),
        data=DataConfig(length=3),
        val=DataConfig(length=1, seed=1),
        optim=OptimConfig(steps=2, batch_size=2, lr=1e-2, weight_decay=0.1, name="adamw", layer_decay=0.8),
        run=RunConfig(out=str(tmp_path / "run"), validate_every=2, workers=0, pictures=0, accelerator="cpu"),
        tasks=["depth"],
    )
    torch.manual_seed(0)
    first = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    names = {name for name, parameter in first.named_parameters() if name.startswith("encoder.")}
    later = {name for name in names if name.startswith(("encoder.blocks.2", "encoder.blocks.3", "encoder.norm"))}
    kept = names if frozen == "all" else names - later
    saved = load_file(tmp_path / "run/last/model.safetensors")
    for name, tensor in first.state_dict().items():
        if name in names:
            assert torch.equal(saved[name], tensor) == (name in kept), name


def test_wrong_choices_are_refused():
    with pytest.raises(ValueError, match="layer_decay must be at most 1"):
        OptimConfig(layer_decay=1.5)
    with pytest.raises(ValueError, match="frozen_blocks must be 0 or more"):
        ModelChoice(frozen_blocks=-1)


def test_a_network_in_parts_is_treated_alike():
    whole = groups_by_name(create_model("pamm_tiny", **MICRO), layer_decay=0.5)
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        model = create_model("pamm_tiny", **MICRO)
        shard(model, init_device_mesh("cpu", (1,)))
        assert groups_by_name(model, layer_decay=0.5) == whole
    finally:
        distributed.destroy_process_group()
