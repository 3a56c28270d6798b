"""Runs that start from a pretrained encoder, to weights that predict without it."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model, SwinConfig, SwinModel, ViTConfig, ViTModel

import pamm
from pamm.engine.config import ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig
from pamm.engine.train import train
from toys import MICRO

SIZES = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
SOURCES = {
    "patch_14": lambda: Dinov2Model(Dinov2Config(mlp_ratio=2, patch_size=14, image_size=70, **SIZES)),
    "patch_16": lambda: ViTModel(ViTConfig(intermediate_size=32, patch_size=16, image_size=64, **SIZES)),
    "swin": lambda: SwinModel(SwinConfig(embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4)),
}
SIDES = {"patch_14": (42, 70), "patch_16": (48, 64), "swin": (48, 64)}
DECODER = {name: value for name, value in MICRO.items() if not name.startswith(("encoder", "image", "patch"))}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    SOURCES[request.param]().save_pretrained(tmp_path / "source")
    (tmp_path / "source/preprocessor_config.json").write_text('{"image_mean": [0.2, 0.3, 0.4]}')
    return request.param, tmp_path / "source"


@pytest.mark.parametrize("options", [{}, {"frozen_blocks": "all"}, {"lora_rank": 2}], ids=["whole", "frozen", "lora"])
def test_a_run_and_its_weights(source, tmp_path, options):
    kind, folder = source
    height, width = SIDES[kind]
    best = train(
        model=ModelChoice(preset="pamm_small", overrides=DECODER, encoder_weights=str(folder), **options),
        data=DataConfig(length=3, height=height, width=width),
        val=DataConfig(length=1, seed=1, height=height, width=width),
        optim=OptimConfig(steps=2, batch_size=2, lr=1e-2, name="adamw", layer_decay=0.8),
        run=RunConfig(out=str(tmp_path / "run"), validate_every=2, workers=0, pictures=0, accelerator="cpu"),
        tasks=["depth", "edge"],
    )
    before = pamm.models.create_model("pamm_small", tasks=["depth"], pretrained=str(folder), **DECODER)
    shutil.rmtree(folder)
    predictor = pamm.load(best)
    assert predictor.model.config.mean == (0.2, 0.3, 0.4)
    assert predictor.model.config.patch_size == (14 if kind == "patch_14" else 16)
    maps = predictor(np.full((37, 61, 3), 90, np.uint8))
    assert maps.depth.shape == (37, 61)
    saved = load_file(best / "model.safetensors")
    moved = {
        name
        for name, tensor in before.encoder.state_dict().items()
        if not torch.equal(saved[f"encoder.{name}"], tensor)
    }
    assert bool(moved) == ("frozen_blocks" not in options)
    if "lora_rank" in options:
        assert not any("bias" in name or "norm" in name for name in moved)
