"""Every config that ships goes through the real command line, two steps long."""

from pathlib import Path

import pytest
import yaml

import pamm
from folder_toys import put
from pamm.cli import main
from pamm.data.scenes import SCENES_TASKS
from pamm.engine.weights import save_weights
from toys import MICRO, Rectangles

CONFIGS = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))
SMALL = (
    "--run.devices 1 --run.workers 0 --run.pictures 1 --run.validate_every 1 --optim.steps 2 --optim.batch_size 2 "
    "--data.height 32 --data.width 48 --val.height 32 --val.width 48 --val.length 2"
).split()
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
    assert settings["optim"]["steps"] % settings["run"]["validate_every"] == 0


def test_manifests_are_described_in_full():
    from pamm.data.manifest import Manifest
    from pamm.records import build

    for path in sorted(CONFIGS[0].parent.glob("data/*.yaml")):
        assert build(Manifest, yaml.safe_load(path.read_text()), path.name).labels
