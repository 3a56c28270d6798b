import sys

import pytest
import torch
from safetensors.torch import load_file

from pamm.engine.config import ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig
from pamm.engine.parameter_groups import parameter_groups
from pamm.engine.train import train
from pamm.engine.weights import load_weights, save_weights
from pamm.models import PAMMConfig, create_model
from pamm.models.adapters import add_adapters, merged_state
from toys import MICRO

SWIN = PAMMConfig(
    **MICRO,
    encoder="backbone",
    encoder_config={"model_type": "swin", "embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4]},
    encoder_widths=(8, 16, 32, 64),
)
CONFIGS = {"vit": PAMMConfig(**MICRO), "swin": SWIN}


def adapted(kind="vit", **options):
    model = create_model(CONFIGS[kind], tasks=["depth"])
    add_adapters(model.encoder, rank=2, alpha=4, **options)
    return model


def train_some(model):
    """Give adapters values that matter."""
    for name, parameter in model.encoder.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.5)


@pytest.mark.parametrize("kind", CONFIGS)
def test_adapters_change_nothing_at_first_and_alone_are_trained(kind):
    torch.manual_seed(0)
    plain = create_model(CONFIGS[kind], tasks=["depth"]).eval()
    torch.manual_seed(0)
    model = adapted(kind).eval()
    image = torch.randn(2, 3, 32, 48)
    torch.testing.assert_close(plain(image)["depth"], model(image)["depth"])
    trained = {name for name, parameter in model.encoder.named_parameters() if parameter.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    train_some(model)
    model.train()(image)["depth"].square().mean().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


@pytest.mark.parametrize("kind", CONFIGS)
def test_saved_weights_are_a_plain_network(kind, tmp_path):
    model = adapted(kind).eval()
    train_some(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_weights(model, tmp_path / "saved")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    other = load_weights(tmp_path / "saved")
    image = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        wanted = model(image)["depth"]
        torch.testing.assert_close(other(image)["depth"], wanted, atol=1e-5, rtol=1e-4)
        train_some(model)
        assert not torch.allclose(model(image)["depth"], wanted, atol=1e-3)
    plain = create_model(CONFIGS[kind], tasks=["depth"])
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in merged_state(plain).items())


@pytest.mark.parametrize("kind", CONFIGS)
def test_frozen_blocks_have_none_and_rates_fall_with_depth(kind):
    model = adapted(kind, frozen_blocks=2)
    layers = model.encoder.layers()
    trained = [any(parameter.requires_grad for parameter in layer) for layer in layers]
    assert trained == [False, False, False, True, True, False]
    rates = {
        id(parameter): group["lr"]
        for group in parameter_groups(model, weight_decay=0.1, lr=1.0, layer_decay=0.5)
        for parameter in group["params"]
    }
    for depth, rate in ((3, 0.25), (4, 0.5)):
        assert {rates[id(parameter)] for parameter in layers[depth] if parameter.requires_grad} == {rate}


def test_a_run_with_adapters_leaves_plain_weights(tmp_path):
    def go(steps, *, resume=False):
        train(
            model=ModelChoice(overrides=MICRO, lora_rank=2),
            data=DataConfig(length=3),
            val=DataConfig(length=1, seed=1),
            optim=OptimConfig(steps=steps, batch_size=2, lr=1e-2),
            run=RunConfig(
                out=str(tmp_path / "run"), validate_every=1, workers=0, pictures=0, accelerator="cpu", resume=resume
            ),
            tasks=["depth"],
        )
        return load_file(tmp_path / "run/last/model.safetensors")

    torch.manual_seed(0)
    first = create_model("pamm_tiny", tasks=["depth"], **MICRO).state_dict()
    saved = go(2)
    later = go(4, resume=True)
    assert set(saved) == set(first)
    name = "encoder.blocks.3.mlp.fc1.weight"
    assert not torch.equal(saved[name], first[name])
    assert not torch.equal(saved[name], later[name])
    assert torch.equal(later["encoder.norm.weight"], first["encoder.norm.weight"])
    assert load_weights(tmp_path / "run/last").config.encoder_depth == 4


@pytest.mark.parametrize("mode", [True, False])
def test_adapted_blocks_stay_in_the_mode_they_were_in(mode):
    """In training they drop paths; the frozen ones do not."""
    model = create_model(CONFIGS["vit"], tasks=["depth"]).train(mode)
    add_adapters(model.encoder, rank=2, alpha=4, frozen_blocks=1)
    assert [block.training for block in model.encoder.blocks] == [False, mode, mode, mode]
    assert model.encoder.training == mode


def test_wrong_choices_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="leaves no block for adapters"):
        ModelChoice(frozen_blocks="all", lora_rank=4)
    with pytest.raises(ValueError, match="no linear maps after block 4"):
        adapted(frozen_blocks=4)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pamm\[lora\]'"):
        adapted()
