"""`pamm predict` of large photos, and on Ray."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from cli_checks import fails
from pamm import Predictor, TiledPredictor, Tiling
from pamm.cli import main
from pamm.engine.weights import load_weights, save_weights
from pamm.models import create_model, fuse
from toys import MICRO


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder of weights and two photos, one larger than a tile."""
    torch.manual_seed(0)
    save_weights(create_model("pamm_tiny", tasks=["depth", "edge"], **MICRO), tmp_path / "weights")
    draw = np.random.default_rng(0)
    for name, size in (("large", (97, 101)), ("small", (20, 30))):
        Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "tiling"),
    [(["--tile", "auto"], Tiling()), (["--tile", "64", "--overlap", "8"], Tiling(side=64, overlap=8))],
)
def test_tiles(desk, words, tiling):
    assert main(["predict", "large.png", "small.png", "--weights", "weights", "-o", "maps", *words]) == 0
    tiled = TiledPredictor(Predictor(fuse(load_weights("weights"))), tiling)
    for name in ("large", "small"):
        with np.load(desk / f"maps/{name}/values.npz") as values:
            for task, array in tiled(desk / f"{name}.png").maps.items():
                np.testing.assert_allclose(values[task], array, atol=1e-5)
        assert (desk / f"maps/{name}/overview.png").exists()


def test_other_tiles_are_other_settings(desk, capsys):
    words = ["predict", "small.png", "--weights", "weights", "-o", "maps", "--write", "values"]
    assert main([*words, "--tile", "64"]) == 0
    capsys.readouterr()
    assert main([*words, "--tile", "64", "--resume"]) == 0
    assert capsys.readouterr().out.strip() == "1 were finished before"
    assert "tiling" in fails(capsys, *words, "--tile", "80", "--resume")
    assert "tiling" in fails(capsys, *words, "--resume")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tile", "0"], "a tile of 0 pixels is none"),
        (["--tile", "64", "--overlap", "40"], "cannot overlap by 40"),
        (["--overlap", "8"], "give --tile too"),
        (["--ray-address", "auto"], "give --engine ray too"),
        (["--engine", "spark"], "spark"),
    ],
)
def test_options_that_make_no_sense(desk, capsys, words, message):
    assert message in fails(capsys, "predict", "small.png", "--weights", "weights", *words)


def test_ray_that_is_not_installed(desk, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    text = fails(capsys, "predict", "small.png", "--weights", "weights", "--engine", "ray", "-o", "maps")
    assert "pip install 'pamm[ray]'" in text
    assert not list((desk / "maps").iterdir())


def test_a_cluster_that_is_not_there(desk, capsys):
    words = ["predict", "small.png", "--weights", "weights", "--engine", "ray", "-o", "maps", "--ray-address"]
    for address in ("127.0.0.1:9", "ray://127.0.0.1:9"):
        assert f"nobody answers at {address}" in fails(capsys, *words, address)
    assert not list((desk / "maps").iterdir())
