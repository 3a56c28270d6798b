"""The demonstration, on a micro network without training."""

import json

import pytest
from rich.console import Console

from pamm.data.scenes import SCENES_TASKS
from pamm.engine.demo import PHOTOS, demo
from pamm.engine.weights import save_weights
from pamm.models import create_model
from toys import MICRO


def test_demo_leaves_a_page_pictures_and_scores(tmp_path):
    weights = save_weights(create_model("pamm_tiny", tasks=SCENES_TASKS, **MICRO), tmp_path / "weights")
    console = Console(record=True, width=100)
    page = demo(out=tmp_path / "demo", weights=str(weights), scenes=3, drawn=2, device="auto", console=console)
    assert page == tmp_path / "demo/index.html"
    text = page.read_text(encoding="utf-8")
    scores = json.loads((page.parent / "scores.json").read_text(encoding="utf-8"))
    assert scores["images"] == 3
    printed = console.export_text()
    for task in SCENES_TASKS:
        assert task.name in scores["tasks"]
        assert task.name in printed
        for name in PHOTOS:
            assert (page.parent / name / f"{task.name}.png").stat().st_size > 0
    assert sorted(file.name for file in (page.parent / "scenes").iterdir()) == ["scene_1.png", "scene_2.png"]
    assert "Astronaut" in text.title()
    assert f"--scenes 3 --out {tmp_path / 'demo'}" in text


def test_demo_without_weights_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="no weights"):
        demo(out=tmp_path / "demo", weights="not-there")
    with pytest.raises(ValueError, match="no device 'warp'"):
        demo(out=tmp_path / "demo", device="warp")
    assert not (tmp_path / "demo").exists()
