"""Many photos: resume, batches, threads."""

import json
import math
import os
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pamm.engine.many.batches import plan_batches
from pamm.engine.many.job import Job
from pamm.engine.many.photos import predict_batch
from pamm.engine.many.sources import RECORD, find_sources
from pamm.engine.predict_files import predict_files as predict_and_write
from pamm.engine.predictor import Predictor
from pamm.models import create_model, fuse
from toys import MICRO

predict_files = partial(predict_and_write, write=["values"])
"""Drawing pictures takes most of the time."""
SIZES = [(32, 48), (48, 32), (32, 48), (30, 50), (64, 96), (48, 32), (32, 48), (31, 47), (32, 48)]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(fuse(create_model("pamm_tiny", tasks=["depth", "edge", "semseg"], **MICRO)))


@pytest.fixture
def photos(tmp_path):
    """A folder of photos of several sizes."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, size in enumerate(SIZES):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / ("more" if number % 2 else "") / f"{number}.png")
    return folder


@pytest.fixture
def seen(predictor, monkeypatch):
    """The number of photos in each pass through the network."""
    counts = []
    forward = predictor.forward

    def counted(batch):
        counts.append(len(batch))
        return forward(batch)

    monkeypatch.setattr(predictor, "forward", counted)
    return counts


def assert_alike(one: Path, other: Path) -> None:
    """The same files in two folders of maps, bit for bit."""
    for folder, against in ((one, other), (other, one)):
        for path in folder.rglob("*.*"):
            twin = against / path.relative_to(folder)
            if path.name == RECORD:
                assert json.loads(path.read_text())["files"] == json.loads(twin.read_text())["files"]
            elif path.suffix == ".npz":
                with np.load(path) as mine, np.load(twin) as theirs:
                    assert list(mine) == list(theirs)
                    assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
            else:
                assert path.read_bytes() == twin.read_bytes()


def test_photos_of_one_size_go_together(predictor, photos, seen, tmp_path):
    steps = []
    result = predict_files(
        predictor, [photos], tmp_path / "out", batch_size=4, progress=lambda *counts: steps.append(counts)
    )
    assert not result.failed
    assert [str(folder.relative_to(tmp_path / "out")) for folder in result.done] == [
        "0", "2", "4", "6", "8", "more/1", "more/3", "more/5", "more/7",
    ]  # fmt: skip
    assert sorted(seen) == [1, 2, 2, 4]
    assert steps == [(count, 9) for count in range(1, 10)]
    for path, (height, width) in zip(sorted(photos.rglob("*.png"), key=lambda path: path.stem), SIZES, strict=True):
        folder = tmp_path / "out" / path.relative_to(photos).with_suffix("")
        with np.load(folder / "values.npz") as arrays:
            assert arrays["depth"].shape == (height, width)
            np.testing.assert_allclose(arrays["depth"], predictor(path).depth, atol=1e-4)


@pytest.mark.parametrize("lost", [["0"], ["2", "more/3"], ["0", "2", "4", "6", "8", "more/1"]])
def test_what_is_resumed_equals_what_was_never_interrupted(predictor, photos, tmp_path, seen, lost):
    whole, out = tmp_path / "whole", tmp_path / "out"
    for folder in (whole, out):
        predict_files(predictor, [photos], folder, batch_size=4, workers=3)
    for name in lost:
        (out / name / RECORD).unlink()
        (out / name / "values.npz").write_text("half")
        (out / name / ".01234567-values.npz").write_text("half")
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.rglob("*.*")}
    seen.clear()
    steps = []
    result = predict_files(
        predictor, [photos], out, batch_size=4, resume=True, progress=lambda *counts: steps.append(counts)
    )
    assert sorted(folder.relative_to(out).as_posix() for folder in result.done) == lost
    assert len(result.kept) == len(SIZES) - len(lost)
    assert steps == [(count, 9) for count in range(len(result.kept), 10)]
    assert_alike(out, whole)
    assert not [path for path in out.rglob(".*")]
    for path, stat in before.items():
        if path.parent.relative_to(out).as_posix() not in lost:
            assert (path.stat().st_ino, path.stat().st_mtime_ns) == stat, f"{path} was written again"


def test_nothing_is_done_again(predictor, photos, tmp_path, seen):
    first = predict_files(predictor, [photos], tmp_path / "out")
    seen.clear()
    again = predict_files(predictor, [photos], tmp_path / "out", resume=True)
    assert (again.done, again.kept, seen) == ([], first.done, [])
    predict_files(predictor, [photos], tmp_path / "out")
    assert sum(seen) == len(SIZES)


def test_a_photo_that_changed_is_done_again(predictor, photos, tmp_path):
    out = tmp_path / "out"
    predict_files(predictor, [photos], out)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(photos / "0.png")
    os.utime(photos / "2.png", ns=(0, 0))
    (out / "more/1/values.npz").unlink()
    (out / "more/3" / RECORD).write_text("{")
    result = predict_files(predictor, [photos], out, resume=True)
    assert result.done == [out / name for name in ("0", "2", "more/1", "more/3")]
    with np.load(out / "0/values.npz") as arrays:
        assert arrays["depth"].shape == (40, 40)
    assert len(predict_files(predictor, [photos], out, resume=True).kept) == len(SIZES)


def test_other_settings_are_refused_before_anything_is_done(predictor, photos, tmp_path, seen):
    out = tmp_path / "out"
    predict_files(predictor, [photos / "0.png"], out)
    other = Predictor(create_model("pamm_tiny", tasks=["depth", "edge", "semseg"], **MICRO))
    fewer = Predictor(predictor.model, tasks=["edge"])
    inputs = [photos / "2.png", photos / "0.png"]
    for changed, options, message in (
        (predictor, {"write": None}, "write values instead of pictures, values, overview"),
        (fewer, {}, "tasks depth, edge, semseg instead of edge"),
        (other, {}, r"weights \w{16} instead of \w{16}"),
        (predictor, {"spans": {"depth": (0, 1)}}, "spans"),
    ):
        with pytest.raises(ValueError, match=f"out/0: was made with .*{message}.*--resume"):
            predict_files(changed, inputs, out, resume=True, **options)
    assert [path.name for path in out.iterdir()] == ["0"]
    result = predict_files(fewer, inputs, out, write=["pictures"])
    assert result.done == [out / "2", out / "0"]
    assert {path.name for path in (out / "0").iterdir()} == {RECORD, "edge.png"}


def test_batches_do_not_depend_on_what_is_finished(predictor, photos):
    sources = find_sources([photos])
    whole = list(plan_batches(sources, predictor, batch_size=2))
    assert sorted(len(batch.photos) for batch in whole) == [1, 1, 1, 2, 2, 2]
    finished = {source.name for source in sources[:5]}
    rest = list(plan_batches(sources, predictor, batch_size=2, finished=finished))
    assert [batch.photos for batch in rest] == [
        batch.photos for batch in whole if not finished.issuperset(photo.name for photo in batch.photos)
    ]
    for batch in rest:
        assert batch.wanted == tuple(photo.name not in finished for photo in batch.photos)


def test_large_inputs_go_in_smaller_batches(predictor, photos):
    native = Predictor(predictor.model, resize=False)
    sizes = {
        batch.photos[0].path.stem: len(batch.photos)
        for batch in plan_batches([source for source in find_sources([photos]) for _ in range(3)], native, batch_size=2)
    }
    assert sizes["4"] == 1
    assert sizes["0"] == 2


def test_a_batch_alone_gives_the_same_as_the_run(predictor, photos, tmp_path):
    (photos / "bad.png").write_text("no picture")
    result = predict_files(predictor, [photos], tmp_path / "run", batch_size=4)
    assert list(result.failed) == [photos / "bad.png"]
    job = Job(tmp_path / "alone", predictor.settings(), ("values",))
    sources = find_sources([photos])
    outcomes = [
        outcome
        for batch in plan_batches(sources, predictor, batch_size=4)
        for outcome in predict_batch(predictor, batch, job)
    ]
    assert [outcome.failure for outcome in outcomes if outcome.failure] == list(result.failed.values())
    assert_alike(tmp_path / "alone", tmp_path / "run")


def test_a_batch_that_is_too_much_is_taken_apart(predictor, photos, tmp_path, monkeypatch):
    forward = predictor.forward

    def little_memory(batch):
        if len(batch) > 1:
            raise RuntimeError("out of memory")
        return forward(batch)

    monkeypatch.setattr(predictor, "forward", little_memory)
    assert len(predict_files(predictor, [photos], tmp_path / "out").done) == len(SIZES)


def test_colours_can_be_the_same_for_all(predictor, photos, tmp_path):
    for name, spans in (("own", None), ("given", {"depth": (0.0, 50.0)})):
        predict_files(predictor, [photos / "0.png"], tmp_path / name, write=["pictures"], spans=spans)
    own, given = ((tmp_path / name / "0/depth.png").read_bytes() for name in ("own", "given"))
    assert own != given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"write": ["picture"]}, "no part of a prediction 'picture': did you mean 'pictures'"),
        ({"write": []}, "nothing is to be written"),
        ({"video": "mp5"}, "no format of videos 'mp5': did you mean 'mp4'"),
        ({"spans": {"deph": (0, 1)}}, "'deph': did you mean 'depth'"),
        ({"spans": {"depth": (1, 1)}}, "range of depth: from 1 to 1"),
        ({"spans": {"depth": (0, math.inf)}}, "range of depth: from 0 to inf: give two finite"),
        ({"spans": {"depth": (math.nan, 1)}}, "range of depth: from nan to 1: give two finite"),
        ({"spans": {"depth": (-1.7e308, 1.7e308)}}, "range of depth: .*: give two finite"),
        ({"spans": {"semseg": (0, 1)}}, "range of semseg: its colours stand for classes"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_mistakes(predictor, photos, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        predict_files(predictor, [photos], tmp_path / "out", **options)


def test_an_unknown_task_is_an_error(predictor):
    with pytest.raises(ValueError, match="'deph': did you mean 'depth'"):
        Predictor(predictor.model, tasks=["deph"])
    with pytest.raises(ValueError, match="no task was given"):
        Predictor(predictor.model, tasks=[])


def test_only_wanted_tasks_are_predicted(predictor, photos):
    fewer = Predictor(predictor.model, tasks=["semseg", "depth"])
    prediction = fewer(photos / "0.png")
    assert list(prediction.maps) == [task.name for task in fewer.tasks]
    assert set(prediction.maps) == {"semseg", "depth"}
    np.testing.assert_array_equal(prediction.depth, predictor(photos / "0.png").depth)


def test_an_interruption_keeps_what_is_done(predictor, photos, tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(predictor, [photos], tmp_path / "out", batch_size=1, workers=1, progress=interrupt)
    result = predict_files(predictor, [photos], tmp_path / "out", batch_size=1, resume=True)
    assert len(result.kept) >= 3
    assert len(result.kept) + len(result.done) == len(SIZES)
    assert not list((tmp_path / "out").rglob(".*"))


def test_little_is_read_ahead(predictor, tmp_path, monkeypatch):
    lock, alive, most = threading.Lock(), [0], [0]
    prepare, finish = predictor.prepare, predictor.finish

    def prepared(image):
        with lock:
            alive[0] += 1
            most[0] = max(most[0], alive[0])
        return prepare(image)

    def finished(item, outputs):
        with lock:
            alive[0] -= 1
        return finish(item, outputs)

    monkeypatch.setattr(predictor, "prepare", prepared)
    monkeypatch.setattr(predictor, "finish", finished)
    monkeypatch.setattr("pamm.engine.many.run_photos._PIXELS", 2 * 20 * 30)
    (tmp_path / "photos").mkdir()
    for number in range(60):
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / f"photos/{number}.png")
    result = predict_files(predictor, [tmp_path / "photos"], tmp_path / "out", batch_size=2)
    assert len(result.done) == 60
    assert most[0] <= 2 * (1 + 3) + 2, "more than three batches and two photos at the writers"
