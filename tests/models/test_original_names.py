"""Encoders from files of tensors: under the names of their authors and timm, and under those of transformers."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
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

from pamm.models import create_model
from pamm.models.backbone import Encoder

SIZES = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 1, "patch_size": 8, "image_size": 32}
MODELS = {
    "vit": lambda: ViTModel(ViTConfig(intermediate_size=96, layer_norm_eps=1e-6, **SIZES)),
    "dinov2": lambda: Dinov2Model(Dinov2Config(mlp_ratio=2, **SIZES)),
    "dinov2_registers": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(mlp_ratio=2, num_register_tokens=3, **SIZES)
    ),
    "dinov3": lambda: DINOv3ViTModel(DINOv3ViTConfig(intermediate_size=96, num_register_tokens=3, **SIZES)),
    "dinov3_gated": lambda: DINOv3ViTModel(
        DINOv3ViTConfig(intermediate_size=96, num_register_tokens=1, use_gated_mlp=True, hidden_act="silu", **SIZES)
    ),
}
RENAMED = (
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("layernorm.", "norm."),
    ("attention.o_proj", "attn.proj"),
    ("layer_scale1.lambda1", "ls1.gamma"),
    ("layer_scale2.lambda1", "ls2.gamma"),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("embeddings.patch_embeddings", "patch_embed.proj"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.", ""),
    ("encoder.layer.", "blocks."),
    ("model.layer.", "blocks."),
    ("layers.", "blocks."),
)


def originally(model):
    """The tensors of a transformers model as the authors of its kind name them."""
    gated = getattr(model.config, "use_gated_mlp", False)
    third = "dinov3" in model.config.model_type
    mlp = (("gate_proj", "w1"), ("up_proj", "w2" if gated else "fc1"), ("down_proj", "w3" if gated else "fc2"))
    made, parts = {}, {}
    for name, value in model.state_dict().items():
        if "pooler" in name:
            continue
        for theirs, original in (*RENAMED, *mlp):
            name = name.replace(theirs, original)
        if third:
            name = name.replace("register_tokens", "storage_tokens")
        before, found, after = name.partition("attention.")
        if found:
            letter, end = after.split("_proj.")
            parts.setdefault(f"{before}attn.qkv.{end}", {})[letter] = value
        else:
            made[name] = value
    for name, held in parts.items():
        made[name] = torch.cat([held.get(letter, torch.zeros(SIZES["hidden_size"])) for letter in "qkv"])
    return made


@pytest.fixture(params=MODELS)
def model(request):
    model = MODELS[request.param]().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def check(encoder, model):
    """Features are transformers' own; those of a ViT with the class token masked."""
    image, before = torch.randn(2, 3, 32, 32), 1 + getattr(model.config, "num_register_tokens", 0)
    options = {}
    if model.config.model_type == "vit":
        unseen = torch.ones(2, 17, dtype=torch.long)
        unseen[:, 0] = 0
        options["attention_mask"] = unseen
    with torch.no_grad():
        wanted = model(image, **options).last_hidden_state[:, before:].mT.unflatten(2, (4, 4))
        torch.testing.assert_close(encoder.eval()(image)[3], wanted, atol=1e-4, rtol=1e-4)


def test_features_from_the_authors_names(model, small, tmp_path):
    save_file({f"backbone.{name}": value for name, value in originally(model).items()}, tmp_path / "w.safetensors")
    network = create_model(small(), pretrained=str(tmp_path / "w.safetensors"))
    assert isinstance(network.encoder, Encoder)
    assert network.config.encoder == model.config.model_type[:6]
    check(network.encoder, model)


def test_a_pickle_of_nothing_but_tensors_is_read(small, tmp_path):
    model = MODELS["dinov2"]().eval()
    torch.save({"teacher": originally(model), "epoch": 3}, tmp_path / "w.pth")
    check(create_model(small(), pretrained=str(tmp_path / "w.pth")).encoder, model)


def test_a_pickle_of_anything_else_is_refused(small, tmp_path):
    torch.save({"model": originally(MODELS["vit"]()), "folder": Path("x")}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="holds Python objects, which can run code"):
        create_model(small(), pretrained=str(tmp_path / "w.pth"))
    (tmp_path / "damaged.pt").write_bytes(pickle.dumps({"a": 1}, protocol=2)[:-3])
    with pytest.raises(ValueError, match=r"damaged\.pt"):
        create_model(small(), pretrained=str(tmp_path / "damaged.pt"))


def test_a_class_token_that_holds_its_own_position(small, tmp_path):
    """As timm stores DINOv2 with registers."""
    model = MODELS["dinov2_registers"]().eval()
    tensors = originally(model)
    rows = tensors["pos_embed"]
    tensors |= {"cls_token": tensors["cls_token"] + rows[:, :1], "pos_embed": rows[:, 1:].contiguous()}
    tensors["reg_token"] = tensors.pop("register_tokens")
    save_file(tensors, tmp_path / "w.safetensors")
    check(create_model(small(), pretrained=str(tmp_path / "w.safetensors")).encoder, model)


def test_folders_of_timm_and_their_normalisation(small, tmp_path):
    model = MODELS["vit"]().eval()
    save_file(originally(model) | {"head.weight": torch.ones(3, 64)}, tmp_path / "model.safetensors")
    form = {"architecture": "vit", "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.4, 0.4, 0.4]}}
    (tmp_path / "config.json").write_text(json.dumps(form))
    for source in (tmp_path, tmp_path / "model.safetensors"):
        network = create_model(small(), pretrained=str(source))
        assert network.config.mean == (0.5, 0.5, 0.5)
        assert network.config.std == (0.4, 0.4, 0.4)
        check(network.encoder, model)


def test_a_file_of_transformers_with_its_config(small, tmp_path):
    model = ViTForImageClassification(MODELS["vit"]().config).eval()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"put their config\.json beside them"):
        create_model(small(), pretrained=str(tmp_path / "pytorch_model.bin"))
    model.config.save_pretrained(tmp_path)
    check(create_model(small(), pretrained=str(tmp_path / "pytorch_model.bin")).encoder, model.vit)


def test_code_beside_the_weights_is_not_run(small, tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run it"))
    form = {"model_type": "unheard_of", "auto_map": {"AutoConfig": "code.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(form))
    (tmp_path / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ValueError, match="is no encoder that transformers knows"):
        create_model(small(), pretrained=str(tmp_path))


def test_other_heads_can_be_told(small, tmp_path):
    save_file(originally(MODELS["vit"]()), tmp_path / "w.safetensors")
    network = create_model(small(), pretrained=str(tmp_path / "w.safetensors"), encoder_heads=2)
    assert network.config.encoder_heads == 2


def test_a_file_that_is_not_there_is_not_asked_of_the_hub(small, monkeypatch):
    monkeypatch.setattr("pamm.models.pretrained.PreTrainedConfig.get_config_dict", None)
    with pytest.raises(ValueError, match=r"'weights/vit\.pth' cannot be read \(there is no such file\)"):
        create_model(small(), pretrained="weights/vit.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.1.attn.q_norm.weight": torch.ones(64)}, r"hold blocks\.\*\.attn\.q_norm\.weight, which no vit"),
        ({"pos_embed": torch.ones(1, 19, 64)}, "pos_embed has 19 rows"),
        ({"blocks.1.norm1.bias": None}, r"1 missing \(blocks\.1\.layernorm_before\.bias\)"),
        ({"norm.bias": None}, "lack norm.bias"),
        ({"blocks.0.mlp.fc1.weight": None}, r"lack blocks\.0\.mlp\.fc1\.weight, and w1"),
    ],
)
def test_other_forms_are_refused(small, tmp_path, change, message):
    tensors = originally(MODELS["vit"]()) | change
    save_file({name: value for name, value in tensors.items() if value is not None}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=message):
        create_model(small(), pretrained=str(tmp_path / "w.safetensors"))
