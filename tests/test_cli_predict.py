"""`pamm predict` on many photos and on videos."""

import os
import re
import signal
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from cli_checks import fails
from pamm.cli import main
from pamm.engine.many.sources import RECORD
from pamm.engine.many.video_file import write_video
from pamm.engine.weights import save_weights
from pamm.models import create_model
from toys import MICRO


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = create_model("pamm_tiny", tasks=["depth", "edge"], **MICRO)
    return str(save_weights(model, tmp_path_factory.mktemp("weights")))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder of photos, and a video."""
    (tmp_path / "photos/trip").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "trip/a.jpg"):
        Image.fromarray(np.full((32, 48, 3), 99, np.uint8)).save(tmp_path / "photos" / name)
    write_video(tmp_path / "clip.avi", [np.full((32, 48, 3), 99, np.uint8)] * 5, rate=5.0, codec="MJPG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predict(weights, *words):
    return main(["predict", *words, "--weights", weights, "-o", "maps"])


def test_folders_patterns_and_videos(weights, desk, capsys):
    words = ["photos/", "photos/trip/*.jpg", "clip.avi", "--batch-size", "2", "--workers", "2"]
    options = ["--tasks", "edge", "--write", "pictures", "values", "--video", "mkv"]
    assert predict(weights, *words, *options) == 0
    assert capsys.readouterr().out.split() == ["maps/a", "maps/b", "maps/trip/a", "maps/clip"]
    assert {path.name for path in (desk / "maps/a").iterdir()} == {RECORD, "edge.png", "values.npz"}
    assert {path.name for path in (desk / "maps/clip").iterdir()} == {RECORD, "edge.mkv", "values"}
    assert len(list((desk / "maps/clip/values").iterdir())) == 5
    assert predict(weights, *words, *options, "--resume") == 0
    assert capsys.readouterr().out.strip() == "4 were finished before"
    (desk / "maps/b" / RECORD).unlink()
    assert predict(weights, *words, *options, "--resume", "true") == 0
    assert capsys.readouterr().out.split() == "3 were finished before maps/b".split()


def test_ranges_of_colours(weights, desk, capsys):
    assert predict(weights, "photos/a.jpg", "--write", "pictures", "--spans", "{depth: [0, 10]}") == 0
    capsys.readouterr()
    text = fails(capsys, "predict", "clip.avi", "--weights", weights, "--spans", "{depth: [2, 1]}")
    assert "range of depth: from 2 to 1: give the lower value first" in text
    text = fails(capsys, "predict", "photos", "--weights", weights, "--spans", "{depth: [0, .inf]}")
    assert "range of depth: from 0 to inf: give two finite values" in text


def test_many_folders_are_counted(weights, desk, capsys):
    for number in range(21):
        Image.fromarray(np.full((8, 12, 3), number, np.uint8)).save(desk / f"photos/trip/{number}.png")
    assert predict(weights, "photos/trip", "--write", "values") == 0
    assert capsys.readouterr().out.strip() == "22 folders of maps in maps"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["photos", "--resume", "--tasks", "depth"],
            "maps/a: was made with tasks depth, edge instead of depth: .*--resume",
        ),
        (["none*.jpg"], "the pattern fits no photo and no video"),
        (["photos", "--tasks", "deph"], "no task of these weights 'deph': did you mean 'depth'"),
        (["photos", "--write", "picture"], "did you mean 'pictures'"),
        (["photos", "--video", "gif"], "no format of videos 'gif': known: mp4, webm, avi, mkv"),
        (["photos", "--batch-size", "0"], "batch_size is 0"),
        (["missing.jpg"], "missing.jpg: no such file"),
        (["text.mp4"], "text.mp4: not a video that can be read"),
    ],
)
def test_mistakes_are_one_line(weights, desk, capsys, words, message):
    (desk / "text.mp4").write_text("no video")
    if "--resume" in words:
        predict(weights, "photos", "--write", "values")
        words = [*words, "--write", "values"]
        capsys.readouterr()
    assert re.search(message, fails(capsys, "predict", *words, "--weights", weights, "-o", "maps"))


def test_control_c_keeps_what_is_done_and_says_how_to_go_on(weights, desk, capsys):
    for number in range(200):
        Image.fromarray(np.full((32, 48, 3), number, np.uint8)).save(desk / f"photos/{number:03d}.png")
    stopped = threading.Event()

    def interrupt():
        while not list((desk / "maps").glob(f"*/{RECORD}")):
            if stopped.wait(0.01):
                return
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        code = predict(weights, "photos", "--write", "values")
    finally:
        stopped.set()
        thread.join()
    assert code == 130
    said = capsys.readouterr().err.strip()
    assert said.startswith("interrupted: ")
    assert "--resume" in said
    assert "\n" not in said
    done = len(list((desk / "maps").rglob(RECORD)))
    assert 0 < done < 203
    assert predict(weights, "photos", "--write", "values", "--resume") == 0
    assert f"{done} were finished before" in capsys.readouterr().out
    assert len(list((desk / "maps").rglob(RECORD))) == 203
