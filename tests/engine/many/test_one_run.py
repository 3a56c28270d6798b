"""One run at a time writes to a folder, and what a killed one left goes."""

import os
import shutil
import signal
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from pamm.engine.many.on_ray import _tries
from pamm.engine.many.sources import RECORD
from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import Predictor
from pamm.engine.tiles.grid import Tiling
from pamm.engine.tiles.predictor import TiledPredictor
from pamm.models import create_model
from toys import MICRO


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", tasks=["depth"], **MICRO))


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((32, 48, 3), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_two_runs_do_not_meet_in_one_folder(predictor, photos, short, tmp_path):
    messages = []

    def meanwhile(done, total):
        with pytest.raises(ValueError, match=r"another process is predicting in .*out.*another -o") as raised:
            predict_files(predictor, [photos, short], tmp_path / "out", write=["values"])
        messages.append(str(raised.value))

    inputs = [photos, short]
    result = predict_files(predictor, inputs, tmp_path / "out", write=["values"], batch_size=1, progress=meanwhile)
    assert (len(result.done), result.failed) == (6, {})
    assert len(messages) > 5
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*"01234", "short"}
    assert predict_files(predictor, inputs, tmp_path / "out", write=["values"], resume=True).kept == result.done


def test_what_an_interrupted_run_was_at_is_over_when_it_says_so(predictor, photos, tmp_path, monkeypatch):
    """Otherwise it would write while the next run does."""
    finish, running = predictor.finish, []

    def finished(item, outputs):
        running.append(item)
        prediction = finish(item, outputs)
        running.pop()
        return prediction

    def interrupt(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(predictor, "finish", finished)
    with pytest.raises(KeyboardInterrupt) as raised:
        predict_files(predictor, [photos], tmp_path / "out", write=["values"], batch_size=1, progress=interrupt)
    assert raised.tb is not None
    assert not running
    shutil.rmtree(tmp_path / "out/0")
    assert not (tmp_path / "out/0").exists()
    assert not list((tmp_path / "out").glob("*.lock"))


def test_what_a_killed_run_on_ray_left_goes(tmp_path):
    (tmp_path / ".ray-abc").mkdir()
    (tmp_path / ".ray-abc/0").write_text("..")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / RECORD).touch()
    with _tries(tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
        assert not (tmp_path / ".ray-abc").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_control_c_ends_what_threads_do_tile_by_tile(predictor, photos, tmp_path, monkeypatch):
    steps = []

    def progress(done, total):
        assert threading.current_thread() is not threading.main_thread()
        steps.append((done, total))
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    tiled = TiledPredictor(predictor, Tiling(side=16, batch_size=1), progress=progress)
    forward = tiled.forward
    monkeypatch.setattr(tiled, "forward", lambda batch: (time.sleep(0.05), forward(batch))[1])
    Image.fromarray(np.zeros((320, 320, 3), np.uint8)).save(photos / "large.png")
    with pytest.raises(KeyboardInterrupt):
        predict_files(tiled, [photos / "large.png"], tmp_path / "out", write=["values"], workers=1)
    assert steps[0][1] > 400
    assert steps == [(done, steps[0][1]) for done in range(1, len(steps) + 1)]
    assert 3 <= len(steps) < 20
    assert not list((tmp_path / "out").iterdir())


def test_a_mistake_in_arithmetic_does_not_stop_the_others(predictor, photos, tmp_path, monkeypatch):
    finish = predictor.finish

    def failing(item, outputs):
        if item.photo[0, 0, 0] == 2:
            raise OverflowError("cannot convert float infinity to integer")
        return finish(item, outputs)

    monkeypatch.setattr(predictor, "finish", failing)
    result = predict_files(predictor, photos, tmp_path / "out", write=["values"])
    assert len(result.done) == 4
    assert list(result.failed) == [photos / "2.png"]
