import pytest
import torch

from pamm.models import create_model
from pamm.models.backbone import DropPath
from toys import MICRO


def build():
    return create_model("pamm_tiny", **MICRO, stochastic_depth=0.4)


def trained(model):
    return {name for name, parameter in model.encoder.named_parameters() if parameter.requires_grad}


def test_layers_hold_every_parameter_once():
    model = build()
    layers = model.encoder.layers()
    assert len(layers) == MICRO["encoder_depth"] + 2
    assert sorted(id(parameter) for layer in layers for parameter in layer) == sorted(
        id(parameter) for parameter in model.encoder.parameters()
    )
    assert {id(parameter) for parameter in layers[0]} == {
        id(parameter) for parameter in (model.encoder.position, *model.encoder.patches.parameters())
    }


@pytest.mark.parametrize(("blocks", "kept"), [(0, {0, 1, 2, 3}), (2, {2, 3}), (4, set()), (None, set())])
def test_first_layers_are_frozen(blocks, kept):
    model = build()
    model.encoder.freeze(blocks)
    names = trained(model)
    assert {int(name.split(".")[1]) for name in names if name.startswith("blocks")} == kept
    assert any(name.startswith("norm") for name in names) == (blocks is not None)
    assert not any(name.startswith(("patches", "position")) for name in names)
    sum(out.square().mean() for out in model(torch.randn(2, 3, 32, 48)).values()).backward()
    for name, parameter in model.named_parameters():
        frozen = name.startswith("encoder.") and name.removeprefix("encoder.") not in names
        assert (parameter.grad is None) == frozen, name


def test_frozen_blocks_drop_nothing_in_training():
    model = build()
    model.encoder.freeze(3)
    for _ in range(2):
        paths = [module.training for module in model.encoder.modules() if isinstance(module, DropPath)]
        assert paths == [False, False, False, True]
        model.eval()
        assert not any(module.training for module in model.modules())
        model.train()
    model.encoder.freeze()
    assert not model.encoder.training
    assert model.stages.training


def test_more_blocks_than_there_are_cannot_be_frozen():
    with pytest.raises(ValueError, match="5 blocks cannot be frozen: the encoder has 4"):
        build().encoder.freeze(5)
