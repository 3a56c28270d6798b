"""`pamm draw` through the real entry point."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import pamm
from cli_checks import fails
from pamm.cli import main
from pamm.data.scenes import SCENES_TASKS
from pamm.engine.weights import save_weights
from toys import MICRO

SCENES = ["--data", "scenes", "--data.seed", "7", "--data.length", "2", "--data.height", "32", "--data.width", "48"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Untrained weights of a micro network for scenes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_weights(pamm.create_model("pamm_tiny", tasks=SCENES_TASKS, **MICRO), folder)
    return str(folder)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return str(path)


def draw(tmp_path, *args):
    """Run a command twice: it must write the same bytes."""
    written = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.svg"
        assert main(["draw", *map(str, args), "-o", str(path)]) == 0
        written.append(path.read_text())
    assert written[0] == written[1]
    return written[0]


def test_panels_of_scenes_beside_others(weights, tmp_path):
    shutil.copytree(weights, tmp_path / "other")
    args = ["panels", *SCENES, "--weights", weights, "--others", f"Theirs={tmp_path / 'other'}", "--name", "PAMM"]
    svg = draw(tmp_path, *args, "--tasks", "depth", "edge", "--ids", "1", "0")
    assert all(svg.count(f">{word}</text>") == 1 for word in ("Truth", "PAMM", "Theirs"))
    assert all(svg.count(f">{word}</text>") == 2 for word in ("Depth", "Boundaries"))
    assert "Saliency" not in svg


def test_panels_of_photos_and_predicted_maps(weights, photo, tmp_path):
    assert main(["predict", photo, "-o", str(tmp_path / "maps"), "--weights", weights]) == 0
    args = ["panels", photo, "--weights", weights, "--others", f"Saved={tmp_path / 'maps'}", "--tasks", "semseg"]
    svg = draw(tmp_path, *args)
    assert ">Saved</text>" in svg
    assert "Truth" not in svg


def test_errors_of_scenes(weights, tmp_path):
    svg = draw(tmp_path, "errors", *SCENES, "--weights", weights, "--tasks", "depth", "--relative", "--width", "5")
    assert ">Ours: error</text>" in svg
    assert svg.count(">mean ") == 2


def test_gates_are_counted(weights, photo, tmp_path, capsys):
    svg = draw(tmp_path, "gates", photo, photo, "--weights", weights)
    assert "mean gate over 2 images" in svg
    assert "of 192 gates are 0 throughout 2 images" in capsys.readouterr().out
    assert "mean gate over 2 images" in draw(tmp_path, "gates", *SCENES, "--weights", weights)


def test_orders(tmp_path, capsys):
    svg = draw(
        tmp_path, "orders", "--kinds", "hilbert", "gilbert", "--rows", "6", "--columns", "8", "--directions", "2"
    )
    assert ">gilbert 1</text>" in svg
    assert "6.9 × " in capsys.readouterr().out


def test_features(weights, photo, tmp_path):
    svg = draw(tmp_path, "features", photo, "--weights", weights, "--tasks", "depth")
    assert all(f">{word}</text>" in svg for word in ("Encoder", "Depth", "Stage 4", "Fused"))


def test_curves(tmp_path):
    for name in "ab":
        path = tmp_path / name / "log/metrics.csv"
        path.parent.mkdir(parents=True)
        path.write_text("step,train/loss,val/loss,val/depth/RMSE\n0,3,,\n1,2,4,0.5\n")
    svg = draw(tmp_path, "curves", tmp_path / "a", tmp_path / "b", "--smooth", "0.5")
    assert all(f">{word}</text>" in svg for word in ("a", "b", "validation", "Depth: RMSE [m] ↓"))
    svg = draw(tmp_path, "curves", tmp_path / "a", tmp_path / "b", "--join", "--columns", "val/loss")
    assert ">Loss</text>" in svg
    assert "RMSE" not in svg


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["panels", "-o", "a.jpg"], "no format for figures"),
        (["panels", "missing.png"], "missing.png"),
        (["panels", "--others", "runs/best"], "got 'runs/best', wanted NAME=PLACE"),
        (["panels", "--others", "Ours=somewhere"], "'Ours' is given twice"),
        (["errors", *SCENES, "--name", "Truth"], "'Truth' is a heading of figures"),
        (["panels", "--others", "B=missing"], "no weights 'missing'"),
        (["panels", "--ids", "7", *SCENES], "give numbers from 0 to 1"),
        (["panels", "--tasks", "deph", *SCENES], "did you mean 'depth'"),
        (["errors", "--width", "0.5", *SCENES], "do not fit into 0.5 inches"),
        (["orders", "--kinds", "peano"], "no kind of order 'peano'"),
        (["orders", "--directions", "3"], "1, 2, 4 or 8 directions"),
        (["orders", "--rows", "100000", "--columns", "100000"], "too fine"),
        (["orders", "--dpi", "0"], "dpi: got 0 pixels to an inch: give 10 to 1200"),
        (["orders", "--dpi", "1000000", "-o", "a.png"], "dpi: got 1000000 pixels to an inch"),
        (["orders", "--dpi", "1200", "--width", "50", "-o", "a.png"], "more than 100,000,000 pixels"),
        (["panels", "--dpi", "0", *SCENES], "dpi: got 0 pixels to an inch"),
        (["panels", "--scale", "{depth: 0}", *SCENES], "scale: got 0 for depth"),
        (["panels", "--scale", "{dept: 1}", *SCENES], "no predicted task 'dept': did you mean 'depth'"),
        (["curves", "missing", "--dpi", "0"], "dpi: got 0 pixels to an inch"),
        (["curves", "missing", "--width", "2000"], "width: got 2000 inches: give 0.25 to 50"),
        (["curves", "missing"], "missing: no log there"),
        (["gates", "--width", "1", *SCENES], "do not fit into 1 inches"),
    ],
)
def test_mistakes_are_one_line(args, message, weights, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named = [] if args[0] in ("orders", "curves") else ["--weights", weights]
    assert message in fails(capsys, "draw", *args, *named)
    assert not list(tmp_path.iterdir())


def test_photos_and_ids_do_not_go_together(weights, photo, capsys):
    assert "leave one of both out" in fails(capsys, "draw", "features", photo, "--ids", "0", "--weights", weights)
