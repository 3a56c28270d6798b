"""Every config that ships goes through the real command line, two steps long."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch
import yaml
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    ViTConfig,
    ViTModel,
)

import pamm
from benchmark_trees import write_nyud, write_pascal
from folder_toys import put
from pamm.cli import main
from pamm.data.scenes import SCENES_TASKS
from pamm.engine.balancing import BalanceConfig
from pamm.engine.plain import read_plain
from pamm.engine.recipes import read_recipe, recipe_config
from pamm.engine.weights import save_weights
from pamm.models.hub_encoders import HUB_ENCODERS
from pamm.models.info import count_parameters
from toys import MICRO, Rectangles

ROOT = Path(__file__).resolve().parents[1] / "configs"
CONFIGS = sorted(ROOT.glob("*.yaml"))
RECIPES = [*sorted(ROOT.glob("nyud/*.yaml")), *sorted(ROOT.glob("pascal_context/*.yaml"))]
OVERLAYS = sorted(ROOT.glob("ablations/*.yaml"))
BALANCES = sorted(ROOT.glob("balance/*.yaml"))
SMALL = (
    "--run.devices 1 --run.workers 0 --run.pictures 1 --run.validate_every 1 --optim.steps 2 --optim.batch_size 2 "
    "--data.height 32 --data.width 48 --val.height 32 --val.width 48 --val.length 2"
).split()
QUICK = [*SMALL, "--run.pictures", "0", "--optim.batch_size", "1", "--run.validate_every", "2"]
SIZES = {key: value for key, value in MICRO.items() if key != "image_size"}


@pytest.fixture
def start(tmp_path):
    """Options that replace the weights to start from and the images to read by small ones."""
    save_weights(pamm.create_model("pamm_tiny", tasks=SCENES_TASKS, **MICRO), tmp_path / "weights")
    data = Rectangles()
    for number in range(4):
        sample = data[number]
        put(tmp_path / f"images/{number}.png", sample.image)
        put(tmp_path / f"classes/{number}.png", sample.labels["semseg"])
    manifest = {
        "images": "images/{id}.png",
        "splits": {"train": {"first": 3}, "val": {"last": 1}},
        "labels": {"semseg": {"path": "classes/{id}.png", "classes": ["grey", "rectangle"]}},
    }
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return {
        "scenes": [],
        "folder": ["--data.manifest", str(tmp_path / "manifest.yaml")],
        "init": ["--model.init", str(tmp_path / "weights")],
    }


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_two_steps(config, start, tmp_path):
    settings = yaml.safe_load(config.read_text())
    options = [*SMALL, "--model.overrides", str(SIZES), "--run.out", str(tmp_path / "run")]
    options += start[settings["data"]["name"]]
    if settings["model"].get("init"):
        options += start["init"]
    assert main(["train", "--config", str(config), *options]) == 0
    assert (tmp_path / "run/best/model.safetensors").exists()
    overrides = yaml.safe_load((tmp_path / "run/config.yaml").read_text())["model"]["overrides"]
    assert overrides == settings["model"].get("overrides", {}) | json.loads(json.dumps(SIZES))
    assert settings["optim"]["steps"] % settings["run"]["validate_every"] == 0


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Folders of tiny benchmarks by the name of their data set."""
    folder = tmp_path_factory.mktemp("benchmarks")
    ids = {"train": ["2008_000008", "2008_000015"], "val": ["2008_000002"]}
    return {
        "nyud": write_nyud(folder / "nyud", ids=ids),
        "pascal_context": write_pascal(folder / "pascal", ids=ids, sizes=[(30, 40)]),
    }


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Folders of tiny encoders that stand for those of the hub, by the hub's name."""
    folder = tmp_path_factory.mktemp("encoders")
    common = {"hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 8, "image_size": 32}
    hidden, registers = {"intermediate_size": 32}, {"num_register_tokens": 4}
    gated = {"use_gated_mlp": True, "hidden_act": "silu"}
    models = {
        ("vit", 0, False): ViTModel(ViTConfig(**common, **hidden)),
        ("dinov2", 0, False): Dinov2Model(Dinov2Config(mlp_ratio=2, **common)),
        ("dinov2", 4, False): Dinov2WithRegistersModel(Dinov2WithRegistersConfig(mlp_ratio=2, **common, **registers)),
        ("dinov3", 4, False): DINOv3ViTModel(DINOv3ViTConfig(**common, **hidden, **registers)),
        ("dinov3", 4, True): DINOv3ViTModel(DINOv3ViTConfig(**common, **hidden, **registers, **gated)),
    }
    for form, model in models.items():
        model.save_pretrained(folder / "-".join(map(str, form)))
    forms = {
        name: (sizes["encoder"], sizes.get("encoder_registers", 0), sizes.get("encoder_gated_mlp", False))
        for name, sizes in HUB_ENCODERS.items()
    }
    return {name: str(folder / "-".join(map(str, form))) for name, form in forms.items()}


@pytest.fixture
def run_recipe(roots, encoders, tmp_path):
    """Trains what some files make of each other, at micro sizes, and gives the config of the weights."""
    micro = tmp_path / "micro.yaml"
    micro.write_text("model: {overrides: {d_model: 16, norm_groups: 4, d_state: 2}}")

    def run(base, *overlays):
        recipe = read_recipe(base, *overlays)
        files = [word for path in (base, micro, *overlays) for word in ("--config", str(path))]
        options = ["--data.root", str(roots[recipe.data.name]), "--run.out", str(tmp_path / "run")]
        options += ["--model.encoder_weights", encoders[recipe.model.encoder_weights]]
        assert main(["train", *files, *QUICK, *options]) == 0
        return json.loads((tmp_path / "run/best/config.json").read_text())

    return run


@pytest.mark.parametrize("base", RECIPES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_two_steps_of_recipes(base, run_recipe):
    recipe = read_recipe(base)
    config = run_recipe(base)
    assert recipe.data.name == recipe.val.name == base.parent.name
    assert [task["name"] for task in config["tasks"]] == [task.name for task in recipe_config(recipe).tasks]
    assert config["scan"] == (base.stem in ("paper", "released"))
    assert recipe.run.out == f"runs/{base.parent.name}_{base.stem}"
    assert recipe.optim.steps % recipe.run.validate_every == 0


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_two_steps_of_ablations(overlay, run_recipe):
    config = run_recipe(ROOT / "nyud/paper.yaml", overlay)
    model = read_plain(overlay).get("model", {})
    assert config.items() >= {"mean": [0.485, 0.456, 0.406], **model.get("overrides", {})}.items()
    if "encoder_weights" in model:
        assert config["encoder"] == HUB_ENCODERS[model["encoder_weights"]]["encoder"]


@pytest.mark.parametrize("overlay", BALANCES, ids=lambda path: path.stem)
def test_two_steps_of_balances(overlay, run_recipe, tmp_path):
    run_recipe(ROOT / "nyud/paper.yaml", overlay)
    balance = yaml.safe_load((tmp_path / "run/config.yaml").read_text())["balance"]
    assert balance == asdict(BalanceConfig(name=overlay.stem))


def test_every_way_of_balancing_has_a_file():
    assert {"fixed", *(path.stem for path in BALANCES)} == set(get_args(get_type_hints(BalanceConfig)["name"]))


def test_ablations_change_something():
    base = ROOT / "nyud/paper.yaml"
    alone = read_recipe(base)
    seen = [alone]
    for overlay in OVERLAYS:
        recipe = read_recipe(base, overlay)
        # ViT-L is there for a row of its own beside the other encoders
        assert recipe not in seen or overlay.stem == "encoder_vit_l"
        seen.append(recipe)


def test_recipes_have_the_published_sizes():
    nyud, pascal = (recipe_config(read_recipe(ROOT / name / "paper.yaml")) for name in ("nyud", "pascal_context"))
    assert (nyud.image_size, nyud.d_model, nyud.d_state) == ((448, 576), 768, 16)
    assert (pascal.image_size, pascal.d_model, pascal.d_state) == ((512, 512), 1024, 64)
    assert {(config.encoder_width, config.encoder_depth) for config in (nyud, pascal)} == {(1024, 24)}


def test_the_table_of_costs_leaves_out_only_what_costs_the_same():
    text = (ROOT.parent / "docs/reference/recipes.md").read_text()
    listed = {
        name: float(line.split("|")[2])
        for line in text.splitlines()
        if line.startswith(("| `nyud/", "| `ablations/"))
        for name in re.findall(r"`(.+?)`", line.split("|")[1])
    }
    base = ROOT / "nyud/paper.yaml"
    for path in (*sorted(ROOT.glob("nyud/*.yaml")), *OVERLAYS):
        with torch.device("meta"):
            model = pamm.create_model(recipe_config(read_recipe(base, path)))
        millions = sum(count_parameters(model).values()) / 1e6
        name = f"{path.parent.name}/{path.stem}"
        assert millions == pytest.approx(listed.get(name, 552.0), abs=0.05 if name in listed else 5.5), name


def test_manifests_are_described_in_full():
    from pamm.data.manifest import Manifest
    from pamm.records import build

    for path in sorted(CONFIGS[0].parent.glob("data/*.yaml")):
        assert build(Manifest, yaml.safe_load(path.read_text()), path.name).labels
