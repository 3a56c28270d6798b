"""The values of a video's frames, when something comes between."""

import shutil

import pytest

from pamm.engine.many.sources import RECORD
from pamm.engine.many.video_parts import FOLDER
from pamm.engine.predict_files import predict_files

OPTIONS = {"write": ["pictures", "values"], "workers": 1}


def contents(folder):
    """The values in a folder of maps."""
    return {path.name: path.read_bytes() for path in (folder / "values").iterdir()}


def interrupt(done, total):
    if done >= 32:
        raise KeyboardInterrupt


def test_an_interrupted_redo_leaves_the_maps_as_they_were(video_predictor, film, tmp_path):
    folder = tmp_path / "film"
    predict_files(video_predictor, [film], tmp_path, **OPTIONS)
    before = contents(folder)
    assert len(before) == 100
    with pytest.raises(KeyboardInterrupt):
        predict_files(video_predictor, [film], tmp_path, progress=interrupt, **OPTIONS)
    assert contents(folder) == before
    assert (folder / RECORD).exists()
    assert predict_files(video_predictor, [film], tmp_path, resume=True, **OPTIONS).kept == [folder]
    (folder / RECORD).unlink()
    result = predict_files(video_predictor, [film], tmp_path, resume=True, **OPTIONS)
    assert 0 < result.frames < 100
    assert contents(folder) == before
    assert not (folder / FOLDER).exists()


def test_values_that_are_gone_are_made_again(video_predictor, short, tmp_path):
    folder = tmp_path / "short"
    predict_files(video_predictor, [short], tmp_path, write=["values"])
    before = contents(folder)
    for lose in (lambda: shutil.rmtree(folder / "values"), (folder / "values/000007.npz").unlink):
        lose()
        result = predict_files(video_predictor, [short], tmp_path, write=["values"], resume=True)
        assert (result.kept, result.done) == ([], [folder])
        assert contents(folder) == before


def test_values_of_an_earlier_longer_video_go(video_predictor, short, tmp_path):
    (tmp_path / "short/values").mkdir(parents=True)
    for name in ("000019", "000020", "000100"):
        (tmp_path / f"short/values/{name}.npz").touch()
    predict_files(video_predictor, [short], tmp_path, write=["values"])
    assert sorted(contents(tmp_path / "short")) == [f"{frame:06d}.npz" for frame in range(20)]
    assert all(contents(tmp_path / "short").values())
