import pytest
import torch
from transformers import (
    BertConfig,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

from pamm.models import PAMMConfig, create_model
from pamm.models.backbone import DropPath, Rotary, resize_position
from pamm.models.encoder_kinds import build_encoder
from pamm.models.hub_encoders import HUB_ENCODERS
from pamm.models.pretrained import SIZES as FIELDS
from pamm.models.pretrained import known_settings, load_encoder, read_settings

SIZES = {"hidden_size": 12, "num_hidden_layers": 8, "num_attention_heads": 2, "patch_size": 8, "image_size": 32}


ATTENTION = {f"attention.{name}_proj" for name in "qkvo"}
BLOCK_NAMES = {
    "vit": ATTENTION | {"layernorm_before", "layernorm_after", "mlp.fc1", "mlp.fc2"},
    "dinov2": ATTENTION | {"norm1", "norm2", "mlp.fc1", "mlp.fc2", "layer_scale1.lambda1", "layer_scale2.lambda1"},
    "dinov3": ATTENTION
    | {"norm1", "norm2", "mlp.up_proj", "mlp.down_proj", "layer_scale1.lambda1", "layer_scale2.lambda1"},
}
KINDS = {
    "vit": {"encoder": "vit"},
    "dinov2": {"encoder": "dinov2", "encoder_registers": 3},
    "dinov3": {"encoder": "dinov3", "encoder_registers": 3, "encoder_width": 16},
}
"""Changes of the small config that give each kind of encoder."""
ROTARY = SIZES | {"hidden_size": 16}
DINOS = {
    "dinov2": lambda: Dinov2Model(Dinov2Config(mlp_ratio=2, **SIZES)),
    "dinov2_registers": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(mlp_ratio=2, num_register_tokens=3, **SIZES)
    ),
    "dinov3": lambda: DINOv3ViTModel(DINOv3ViTConfig(intermediate_size=40, num_register_tokens=3, **ROTARY)),
    "dinov3_no_registers": lambda: DINOv3ViTModel(DINOv3ViTConfig(intermediate_size=32, **ROTARY)),
    "dinov3_gated": lambda: DINOv3ViTModel(
        DINOv3ViTConfig(intermediate_size=24, use_gated_mlp=True, hidden_act="silu", num_register_tokens=1, **ROTARY)
    ),
}
"""Random models of transformers whose tokens come before the patches."""


def randomise(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)


@pytest.fixture
def vit(tmp_path):
    model = ViTModel(ViTConfig(intermediate_size=24, **SIZES)).eval()
    randomise(model)
    model.save_pretrained(tmp_path / "vit")
    return model, str(tmp_path / "vit")


@pytest.fixture(params=DINOS)
def dino(request, tmp_path):
    model = DINOS[request.param]().eval()
    randomise(model)
    model.save_pretrained(tmp_path / "dino")
    return model, str(tmp_path / "dino")


def check_taps(encoder, image, hidden_states, last, *, leading=1):
    taps = encoder.eval()(image)
    grid = image.shape[-2] // 8, image.shape[-1] // 8
    for tap, wanted in zip(taps, [*(hidden_states[depth] for depth in (2, 4, 6)), last], strict=True):
        assert tap.stride(1) == 1
        torch.testing.assert_close(tap, wanted[:, leading:].mT.unflatten(2, grid), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 56)])
def test_taps_of_dinos_are_transformers_own(dino, small, height, width):
    model, folder = dino
    image = torch.randn(2, 3, height, width)
    network = create_model(small(), pretrained=folder)
    registers = getattr(model.config, "num_register_tokens", 0)
    assert network.config.encoder_registers == registers
    with torch.no_grad():
        wanted = model(image, output_hidden_states=True)
        taps = wanted.hidden_states, wanted.last_hidden_state
        check_taps(network.encoder, image, *taps, leading=1 + registers)


def test_kinds_of_dinos(dino, small):
    model, folder = dino
    config = create_model(small(), pretrained=folder).config
    assert config.encoder == model.config.model_type[:6]
    assert config.position_grid == (None if config.encoder == "dinov3" else (4, 4))
    assert config.encoder_gated_mlp == getattr(model.config, "use_gated_mlp", False)


def test_angles_are_not_varied_in_training(small):
    encoder = build_encoder(small(**KINDS["dinov3"], stochastic_depth=0.0))
    image = torch.randn(1, 3, 24, 40)
    taps = encoder.train()(image)
    assert all(torch.equal(tap, other) for tap, other in zip(taps, encoder(image), strict=True))
    assert all(torch.equal(tap, other) for tap, other in zip(taps, encoder.eval()(image), strict=True))


def test_angles_stay_exact_in_half_precision():
    grid = (30, 50)
    half, _ = Rotary(head_width=8).to(torch.bfloat16)(grid, torch.empty(0, dtype=torch.bfloat16))
    single, _ = Rotary(head_width=8)(grid, torch.empty(0))
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, single.to(torch.bfloat16))


def test_vit_taps_are_transformers_own_with_the_class_token_masked(vit, small):
    model, folder = vit
    image = torch.randn(2, 3, 32, 32)
    network = create_model(small(), pretrained=folder)
    assert network.config.encoder == "vit"
    assert network.config.encoder_norm_eps == 1e-12
    unseen = torch.ones(2, 17, dtype=torch.long)
    unseen[:, 0] = 0
    with torch.no_grad():
        wanted = model(image, attention_mask=unseen, output_hidden_states=True)
        check_taps(network.encoder, image, wanted.hidden_states, wanted.last_hidden_state)


def test_classifier_checkpoints_and_their_normalisation_are_read(small, tmp_path):
    model = ViTForImageClassification(ViTConfig(intermediate_size=24, **SIZES))
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.4, 0.4, 0.4]}')
    network = create_model(small(), pretrained=str(tmp_path))
    assert all(module.training for module in network.modules())
    assert network.config.mean == (0.5, 0.5, 0.5)
    assert network.config.std == (0.4, 0.4, 0.4)
    torch.testing.assert_close(network.encoder.norm.weight, model.vit.layernorm.weight)
    torch.testing.assert_close(network.encoder.blocks[7].mlp.fc1.weight, model.vit.layers[7].mlp.fc1.weight)


def test_pretrained_network_rebuilds_without_the_source(dino, small):
    _, folder = dino
    network = create_model(small(), pretrained=folder).eval()
    other = create_model(PAMMConfig.from_dict(network.config.to_dict())).eval()
    other.load_state_dict(network.state_dict())
    image = torch.randn(1, 3, 24, 40)
    wanted, got = network(image), other(image)
    assert all(torch.equal(wanted[name], got[name]) for name in wanted)


def test_image_size_is_cut_to_the_patches_of_the_pretrained_encoder(tmp_path):
    sizes = SIZES | {"patch_size": 14, "image_size": 28}
    Dinov2Model(Dinov2Config(mlp_ratio=2, **sizes)).save_pretrained(tmp_path)
    network = create_model("pamm_tiny", pretrained=str(tmp_path)).eval()
    assert network.config.image_size == (126, 154)
    assert network(torch.randn(1, 3, 28, 42))["depth"].shape == (1, 1, 28, 42)
    own = create_model("pamm_tiny", pretrained=str(tmp_path), image_size=(42, 28))
    assert own.config.image_size == (42, 28)
    with pytest.raises(ValueError, match=r"image_size is \(40, 28\), must be multiples of patch_size = 14"):
        create_model("pamm_tiny", pretrained=str(tmp_path), image_size=(40, 28))


def test_unreachable_source(small, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"'nobody/nothing' cannot be read.*folder with config.json"):
        create_model(small(), pretrained="nobody/nothing")


def test_unusable_sources(small, tmp_path, vit):
    BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(ValueError, match="is a bert, must be one of vit, dinov2, dinov2_with_registers, dinov3_vit"):
        create_model(small(), pretrained=str(tmp_path / "bert"))
    ViTConfig(hidden_act="relu", **SIZES).save_pretrained(tmp_path / "relu")
    with pytest.raises(ValueError, match="hidden_act = 'relu', only 'gelu'"):
        create_model(small(), pretrained=str(tmp_path / "relu"))
    DINOv3ViTConfig(key_bias=True).save_pretrained(tmp_path / "key_bias")
    with pytest.raises(ValueError, match="key_bias = True, only False"):
        create_model(small(), pretrained=str(tmp_path / "key_bias"))
    ViTConfig(intermediate_size=24, **SIZES).save_pretrained(tmp_path / "no_weights")
    with pytest.raises(ValueError, match="cannot be read"):
        create_model(small(), pretrained=str(tmp_path / "no_weights"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        create_model(small(), pretrained=str(tmp_path / "empty"))
    with pytest.raises(ValueError, match=r"encoder_width is 24.*has 12: leave encoder_width out"):
        create_model(small(), pretrained=vit[1], encoder_width=24)
    with pytest.raises(ValueError, match=r"encoder_mlp_ratio is 4.*has 2.0: leave encoder_mlp_ratio out"):
        create_model(small(), pretrained=vit[1], encoder_mlp_ratio=4)


def test_weights_of_another_form_are_refused(vit, small, tmp_path):
    model, _ = vit
    model.save_pretrained(
        tmp_path / "short", state_dict={k: v for k, v in model.state_dict().items() if "layers.7" not in k}
    )
    settings = read_settings(str(tmp_path / "short"))
    with pytest.raises(ValueError, match="lack"):
        load_encoder(str(tmp_path / "short"), small(**settings, image_size=(32, 32)))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_unused_is_kept(small, kind):
    names = {
        name for name, _ in build_encoder(small(**KINDS[kind])).named_parameters() if not name.startswith("blocks")
    }
    own = {"vit": {"position"}, "dinov2": {"position", "class_token", "registers"}}
    wanted = own.get(kind, {"class_token", "registers"})
    assert names == wanted | {"patches.weight", "patches.bias", "norm.weight", "norm.bias"}
    assert dict(build_encoder(small()).named_parameters())["position"].shape == (1, 12, 3, 4)


def test_new_registers_differ(small):
    for kind in ("dinov2", "dinov3"):
        registers = build_encoder(small(**KINDS[kind])).registers
        assert registers.shape[1] == 3
        assert len(registers[0].unique(dim=0)) == 3


@pytest.mark.parametrize(("encoder", "names"), BLOCK_NAMES.items())
def test_weights_keep_their_names(small, encoder, names):
    """Modules are the transformers library's: should it rename them, saved weights would no longer load."""
    block = build_encoder(small(**KINDS[encoder])).blocks[0]
    assert {name.removesuffix(".weight") for name in block.state_dict() if not name.endswith("bias")} == names


def test_position_keeps_its_values_on_its_own_grid_and_is_smooth_on_others(small):
    encoder = build_encoder(small())
    assert resize_position(encoder.position, (3, 4)) is encoder.position
    ramp = torch.linspace(0, 1, 4).expand(1, 12, 3, 4)
    encoder.position.data = ramp.clone()
    wide = resize_position(encoder.position, (3, 8))[0, 0, 1]
    assert (wide.diff() > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_stochastic_depth_grows_linearly_and_acts_in_training_only(small, kind):
    model = build_encoder(small(**KINDS[kind], stochastic_depth=0.3))
    paths = [module for module in model.modules() if isinstance(module, DropPath)]
    assert [path.chance for path in paths] == pytest.approx([0, 0.1, 0.2, 0.3])
    image = torch.randn(4, 3, 24, 32)
    assert not torch.equal(model(image)[3], model(image)[3])
    assert torch.equal(model.eval()(image)[3], model(image)[3])


def test_dropped_branches_are_made_up_for():
    path = DropPath(0.25)
    kept = path(torch.ones(20_000, 1, 2))
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert kept.mean() == pytest.approx(1, abs=0.03)
    assert torch.equal(kept[:, 0, 0], kept[:, 0, 1])
    assert torch.equal(path.eval()(kept), kept)


def test_hub_encoders_are_known_without_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in HUB_ENCODERS:
        assert set(known_settings(name)) <= set(FIELDS)
        with torch.device("meta"):
            model = build_encoder(PAMMConfig(**{"image_size": (448, 560), **known_settings(name)}))
        assert len(model.blocks) == (24 if "large" in name or "vitl" in name else 12)


def test_a_folder_comes_before_the_hub(vit, tmp_path, monkeypatch):
    model, folder = vit
    name = next(iter(HUB_ENCODERS))
    assert known_settings(folder) == read_settings(folder)
    model.save_pretrained(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert known_settings(name)["encoder_width"] == 12
