import pytest
import torch
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    ConvNextBackbone,
    SwinBackbone,
    SwinConfig,
    SwinForImageClassification,
)

from pamm.engine.results.run_facts import encoder_name
from pamm.engine.weights import load_weights, save_weights
from pamm.models import PAMMConfig, create_model
from pamm.models.feature_backbone import BACKBONES, backbone_class
from pamm.models.info import count_macs

STAGES = ["stage1", "stage2", "stage3", "stage4"]
SWIN = {"embed_dim": 8, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4], "window_size": 4, "image_size": 64}
FORMS = {
    "swin": SWIN,
    "swinv2": SWIN,
    "convnext": {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 2, 1]},
    "resnet": {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 2, 1], "embedding_size": 8},
    "pvt_v2": {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1], "num_attention_heads": [1, 2, 3, 4]},
    "beit": {"hidden_size": 16, "num_hidden_layers": 8, "num_attention_heads": 2, "intermediate_size": 32},
    "dinov3_convnext": {"hidden_sizes": [8, 12, 16, 20], "depths": [1, 1, 2, 1]},
}
"""Tiny forms by model type."""


@pytest.fixture(params=FORMS)
def source(request, tmp_path):
    config = AutoConfig.for_model(request.param, **FORMS[request.param])
    config.out_features = [name for name in config.stage_names if name != "stem"]
    model = backbone_class(config)(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(tmp_path / "source")
    return model, str(tmp_path / "source")


def four(maps):
    """The maps that are read."""
    return [maps[len(maps) * (tap + 1) // 4 - 1] for tap in range(4)]


def test_maps_are_transformers_own_on_one_grid(source, small):
    model, folder = source
    network = create_model(small(patch_size=16, image_size=(64, 96)), pretrained=folder).eval()
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        got, wanted = network.encoder(image), four(model(image).feature_maps)
        outputs = network(image)
    assert network.config.encoder_widths == tuple(features.shape[1] for features in wanted)
    for tap, features in zip(got, wanted, strict=True):
        assert tap.shape[-2:] == (4, 6)
        if features.shape[-1] > 6:
            features = F.avg_pool2d(features, features.shape[-1] // 6)
        elif features.shape[-1] < 6:
            features = F.interpolate(features, size=(4, 6), mode="bilinear")
        torch.testing.assert_close(tap, features, atol=1e-5, rtol=1e-4)
    assert outputs["depth"].shape == (2, 1, 64, 96)


def test_a_saved_network_needs_no_source(source, small, tmp_path, monkeypatch):
    _, folder = source
    network = create_model(small(patch_size=16, image_size=(32, 48)), pretrained=folder).eval()
    save_weights(network, tmp_path / "saved")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "source").rename(tmp_path / "gone")
    other = load_weights(tmp_path / "saved")
    assert other.config == network.config == PAMMConfig.from_dict(network.config.to_dict())
    image = torch.randn(1, 3, 48, 80)
    with torch.no_grad():
        wanted, got = network(image), other(image)
    assert all(torch.equal(wanted[name], got[name]) for name in wanted)


@pytest.mark.parametrize("blocks", [0, 1, None])
def test_every_trained_parameter_gets_a_gradient(source, small, blocks):
    _, folder = source
    network = create_model(small(patch_size=16, image_size=(64, 96)), pretrained=folder, stochastic_depth=0.0)
    network.encoder.freeze(blocks)
    network.set_recompute()
    sum(out.square().mean() for out in network(torch.randn(2, 3, 64, 96)).values()).backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    layers = network.encoder.layers()
    assert all(parameter.requires_grad == (blocks == 0) for parameter in layers[1])
    assert any(parameter.requires_grad for parameter in layers[-2]) == (blocks is not None)
    assert not any(parameter.requires_grad for parameter in (*layers[0], *layers[-1]))


def test_layers_are_the_embedding_and_the_stages(source, small):
    model, folder = source
    encoder = create_model(small(patch_size=16, image_size=(64, 96)), pretrained=folder).encoder
    before, *stages, _ = encoder.layers()
    assert sum(map(len, encoder.layers())) == len(list(encoder.parameters()))
    assert all(stages)
    of_stages = {id(parameter) for stage in stages for parameter in stage}
    embedding = {
        id(value) for name, value in encoder.named_parameters() if "embeddings." in name or "embedder." in name
    }
    assert not embedding & of_stages
    # two kinds embed anew in every stage
    assert bool(before) == (model.config.model_type not in ("pvt_v2", "dinov3_convnext"))


def test_sides_that_the_stride_does_not_divide(small, tmp_path):
    """A map of stride 32 on 48 pixels: where it does not reach, the picture goes on in zeros; nothing shifts."""
    SwinBackbone(SwinConfig(**SWIN, out_features=STAGES)).save_pretrained(tmp_path)
    encoder = create_model(small(patch_size=16, image_size=(48, 80)), pretrained=str(tmp_path)).encoder.eval()
    image = torch.randn(1, 3, 48, 80)
    with torch.no_grad():
        taps, wider = encoder(image), encoder(F.pad(image, (0, 16, 0, 16)))
    for tap, wide in zip(taps, wider, strict=True):
        assert tap.shape[-2:] == (3, 5)
        torch.testing.assert_close(tap, wide[..., :3, :5])


def test_classifier_weights_and_stochastic_depth(small, tmp_path):
    model = SwinForImageClassification(SwinConfig(**SWIN, num_labels=7, drop_path_rate=0.4))
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.4, 0.4, 0.4]}')
    network = create_model(small(patch_size=16, image_size=(32, 48)), pretrained=str(tmp_path), stochastic_depth=0.2)
    assert network.config.mean == (0.5, 0.5, 0.5)
    assert not {"id2label", "architectures", "transformers_version"} & set(network.config.encoder_config)
    found = network.encoder.state_dict()
    for name, tensor in model.state_dict().items():
        if not name.startswith("classifier"):
            assert torch.equal(found[f"model.{name}"], tensor), name
    chances = {getattr(module, "drop_prob", None) for module in network.encoder.modules()} - {None}
    assert max(chances) == pytest.approx(0.2)
    assert count_macs(network, 32, 48) > 0
    assert encoder_name(network.config) == "swin 8/16/32/64"


def test_one_stride_is_the_patch_and_another_one_may_be_chosen(small, tmp_path):
    config = AutoConfig.for_model("beit", **FORMS["beit"], out_features=STAGES)
    backbone_class(config)(config).save_pretrained(tmp_path)
    assert create_model(small(), pretrained=str(tmp_path)).config.patch_size == 16
    finer = create_model(small(), pretrained=str(tmp_path), patch_size=8).eval()
    assert [tap.shape[-2:] for tap in finer.encoder(torch.randn(1, 3, 24, 40))] == [(3, 5)] * 4


def test_unusable_backbones(small, tmp_path):
    with pytest.raises(ValueError, match="encoder_config is None, must be given"):
        small(encoder="backbone")
    with pytest.raises(ValueError, match=r"encoder_widths is .*, must be left out, for the encoder 'vit'"):
        small(encoder_widths=(1, 2, 3, 4))
    form = {"model_type": "convnext", **FORMS["convnext"]}
    with pytest.raises(ValueError, match=r"encoder_widths is \(1, 2, 3, 4\), but the backbone has \(8, 12, 16, 20\)"):
        create_model(small(encoder="backbone", encoder_config=form, encoder_widths=(1, 2, 3, 4)))
    with pytest.raises(ValueError, match="model_type 'bert', must be one of beit"):
        create_model(small(encoder="backbone", encoder_config={"model_type": "bert"}, encoder_widths=(1, 2, 3, 4)))
    with pytest.raises(ValueError, match="transformers cannot run this swin backbone"):
        create_model(
            small(
                encoder="backbone", encoder_config=SWIN | {"model_type": "swin", "depths": 4}, encoder_widths=(1,) * 4
            )
        )
    short = AutoConfig.for_model("swin", **SWIN | {"depths": [1, 1], "num_heads": [1, 2]})
    short.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="swin backbone has 2 stages, must have at least 4"):
        create_model(small(), pretrained=str(tmp_path))


def test_weights_that_lack_something_are_refused(small, tmp_path):
    model = ConvNextBackbone(AutoConfig.for_model("convnext", **FORMS["convnext"], out_features=STAGES))
    kept = {name: value for name, value in model.state_dict().items() if "stages.2" not in name}
    model.save_pretrained(tmp_path, state_dict=kept)
    with pytest.raises(ValueError, match=r"lack .*stages\.2"):
        create_model(small(patch_size=16, image_size=(32, 32)), pretrained=str(tmp_path))


def test_model_types_are_those_with_feature_maps():
    assert {"swin", "convnext", "beit"} <= set(BACKBONES)
    assert not {"vit", "dinov2", "timm_backbone"} & set(BACKBONES)
