"""Frames in, videos of maps out."""

import errno
import os
import resource
import signal
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

from pamm.engine.colours import colour_map, value_span
from pamm.engine.many.sources import RECORD
from pamm.engine.many.video_file import CODECS, open_video, write_video
from pamm.engine.many.video_parts import FOLDER
from pamm.engine.predict_files import predict_files


def frames_of(path):
    with open_video(path) as video:
        return video.rate, video.read(10_000)


@pytest.fixture
def predicted(video_predictor, monkeypatch):
    """The number of frames that went through the network."""
    counts = []
    forward = video_predictor.forward
    monkeypatch.setattr(video_predictor, "forward", lambda batch: (counts.append(len(batch)), forward(batch))[1])
    return counts


def test_videos_of_maps(video_predictor, short, tmp_path):
    steps = []
    result = predict_files(
        video_predictor,
        [short],
        tmp_path,
        write=["pictures", "values"],
        video="mkv",
        progress=lambda *counts: steps.append(counts),
    )
    folder = tmp_path / "short"
    assert (result.done, result.failed) == ([folder], {})
    assert {path.name for path in folder.iterdir()} == {"semseg.mkv", "depth.mkv", "normals.mkv", "values", RECORD}
    assert steps[-1] == (20, 20)
    assert steps == sorted(steps)
    rate, given = frames_of(short)
    maps = []
    for place in range(20):
        with np.load(folder / f"values/{place:06d}.npz") as values:
            maps.append({name: values[name] for name in values})
    for place, prediction in enumerate(video_predictor.predict_batch(given)):
        np.testing.assert_allclose(maps[place]["depth"], prediction.depth, atol=1e-4)
    for task in video_predictor.tasks:
        rate, drawn = frames_of(folder / f"{task.name}.mkv")
        assert rate == pytest.approx(30000 / 1001, rel=1e-4)
        span = value_span(task, *(values[task.name] for values in maps[:16]))
        for place, picture in enumerate(drawn):
            np.testing.assert_array_equal(picture, colour_map(task, maps[place][task.name], span=span))
        assert len(drawn) == 20


def test_an_overview_and_given_colours(video_predictor, short, tmp_path):
    for name, span in (("near", (0.0, 1.0)), ("far", (0.0, 90.0))):
        result = predict_files(video_predictor, [short], tmp_path / name, spans={"depth": span}, video="avi")
        assert not result.failed
    assert {path.name for path in (tmp_path / "near/short").iterdir()} == {
        *(f"{name}.avi" for name in ("semseg", "depth", "normals", "overview")),
        RECORD,
    }
    _, whole = frames_of(tmp_path / "near/short/overview.avi")
    assert len(whole) == 20
    assert len({frame.shape for frame in whole}) == 1
    assert min(whole[0].shape[:2]) > 300
    near, far = (frames_of(tmp_path / name / "short/depth.avi")[1][0].astype(int) for name in ("near", "far"))
    assert np.abs(near - far).max() > 50


KILLED = """
import os, signal, sys
from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import load

weights, film, out = sys.argv[1:]
predict_files(
    load(weights, fused=True), [film], out, write=["pictures"], video="mkv", batch_size=5, workers=1,
    progress=lambda done, total: done < 32 or os.kill(os.getpid(), signal.SIGKILL),
)
"""


def stamps(parts):
    """The finished parts of a video, and when they were written."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in parts.glob("[0-9]*.zip")}


def test_a_killed_run_goes_on_without_doing_a_frame_again(video_predictor, weights, film, tmp_path, predicted):
    command = [sys.executable, "-c", KILLED, weights, film, tmp_path / "killed"]
    killed = subprocess.run(command, timeout=500, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    parts = tmp_path / "killed/film" / FOLDER
    there = stamps(parts)
    assert 2 <= len(there) < 7, "the process was not killed in the middle"
    assert not (tmp_path / "killed/film" / RECORD).exists()
    later = []

    def look(done, total):
        if parts.exists():
            later.append(stamps(parts))

    options = {"write": ["pictures"], "video": "mkv", "batch_size": 5}
    result = predict_files(video_predictor, [film], tmp_path / "killed", resume=True, progress=look, **options)
    assert any(len(found) == 7 for found in later)
    assert all(there.items() <= found.items() for found in later), "a finished part was written again"
    assert not result.failed
    assert sum(predicted) == result.frames == 100 - 16 * len(there)
    predicted.clear()
    predict_files(video_predictor, [film], tmp_path / "whole", **options)
    assert sum(predicted) == 100
    files = sorted(path.name for path in (tmp_path / "whole/film").iterdir())
    assert files == sorted([*(f"{name}.mkv" for name in ("semseg", "depth", "normals")), RECORD])
    assert files == sorted(path.name for path in (tmp_path / "killed/film").iterdir())
    for name in files:
        if name != RECORD:
            (_, one), (_, other) = (frames_of(tmp_path / run / "film" / name) for run in ("killed", "whole"))
            assert len(one) == len(other) == 100
            assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
    predicted.clear()
    again = predict_files(video_predictor, [film], tmp_path / "killed", resume=True, **options)
    assert (again.kept, predicted) == ([tmp_path / "killed/film"], [])


@pytest.fixture
def interrupted(video_predictor, film, tmp_path):
    """A folder of maps in which two parts or more are finished."""

    def interrupt(done, total):
        if done >= 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(video_predictor, [film], tmp_path / "out", write=["pictures"], progress=interrupt)
    return tmp_path / "out"


def test_other_settings_and_files_begin_anew_or_are_refused(interrupted, video_predictor, film, short, predicted):
    with pytest.raises(ValueError, match=r"was made with .*--resume"):
        predict_files(video_predictor, [short, film], interrupted, write=["values"], resume=True)
    assert not (interrupted / "short").exists()
    assert len(list((interrupted / "film" / FOLDER).glob("[0-9]*.zip"))) >= 2
    os.utime(film)
    predict_files(video_predictor, [film], interrupted, write=["pictures"], resume=True)
    assert sum(predicted) == 100
    predicted.clear()
    (interrupted / "film/values").mkdir()
    (interrupted / "film/values/000000.npz").touch()
    predict_files(video_predictor, [film], interrupted, write=["values"])
    assert sum(predicted) == 100
    assert {path.name for path in (interrupted / "film").iterdir()} == {RECORD, "values"}


def cut(path, share, to):
    data = path.read_bytes()
    to.write_bytes(data[: round(len(data) * share)])
    return to


def test_of_a_damaged_video_what_can_be_read_is_kept(video_predictor, film, short, tmp_path, predicted):
    broken = cut(film, 0.6, tmp_path / "broken.mkv")
    inputs = [broken, short]
    result = predict_files(video_predictor, inputs, tmp_path / "out", write=["pictures"])
    assert result.done == [tmp_path / "out/broken", tmp_path / "out/short"]
    assert list(result.failed) == [broken]
    message = result.failed[broken]
    assert "broken.mkv: " in message
    assert "of 100 frames can be read: damaged or cut short" in message
    _, kept = frames_of(tmp_path / "out/broken/depth.mp4")
    assert 40 <= len(kept) < 70
    predicted.clear()
    again = predict_files(video_predictor, inputs, tmp_path / "out", write=["pictures"], resume=True)
    assert (again.done, again.failed, predicted) == ([], result.failed, [])


def test_what_is_no_video(video_predictor, short, tmp_path, capfd):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    cut(short, 0.01, tmp_path / "head.mkv")
    inputs = [tmp_path / name for name in ("empty.mp4", "text.mp4", "missing.mp4", "head.mkv")]
    result = predict_files(video_predictor, [*inputs, short], tmp_path / "out", write=["pictures"])
    assert result.done == [tmp_path / "out/short"]
    assert list(result.failed) == inputs
    for path, wanted in zip(inputs, ("is empty", "not a video", "no such file", "be read"), strict=True):
        assert path.name in result.failed[path]
        assert wanted in result.failed[path]
        assert "\n" not in result.failed[path]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"short"}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("size", [(47, 63), (2, 2)])
def test_odd_and_small_sizes(video_predictor, tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    write_video(tmp_path / "odd.avi", [pixels] * 3, rate=5.0, codec="MJPG")
    result = predict_files(video_predictor, [tmp_path / "odd.avi"], tmp_path / "out", write=["pictures"], video="avi")
    assert not result.failed
    _, drawn = frames_of(tmp_path / "out/odd/depth.avi")
    assert [frame.shape[:2] for frame in drawn] == [(size[0] + size[0] % 2, size[1] + size[1] % 2)] * 3


def test_a_codec_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="ABCD cannot hold 8×6 pixels here: choose another format"):
        write_video(tmp_path / "film.mkv", [np.zeros((5, 8, 3), np.uint8)], rate=5.0, codec="ABCD")


@pytest.mark.parametrize("suffix", CODECS)
def test_writing_a_video_says_nothing(tmp_path, capfd, suffix):
    write_video(tmp_path / f"film.{suffix}", [np.zeros((8, 16, 3), np.uint8)] * 3, rate=5.0, codec=CODECS[suffix])
    os.write(2, b"but others may\n")
    assert capfd.readouterr().err == "but others may\n"


def test_photos_and_videos_in_one_folder(video_predictor, short, tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "clip.mkv").write_bytes(short.read_bytes())
    cv2.imwrite(str(folder / "clip.png"), np.zeros((40, 50, 3), np.uint8))
    steps = []
    result = predict_files(
        video_predictor, [folder], tmp_path / "out", write=["pictures"], progress=lambda *counts: steps.append(counts)
    )
    assert [path.name for path in result.done] == ["clip", "clip-2"]
    assert (tmp_path / "out/clip/depth.mp4").exists()
    assert (tmp_path / "out/clip-2/depth.png").exists()
    assert steps[0] == (1, 21)
    assert steps[-1] == (21, 21)


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(video_predictor, film, short, tmp_path, monkeypatch):
    original = zipfile.ZipFile.writestr
    written = []

    def full(archive, name, data):
        written.append(name)
        if len(written) > 2 * 16:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(archive, name, data)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    result = predict_files(video_predictor, [film, short], tmp_path, write=["overview"], workers=1)
    assert (result.done, list(result.failed)) == ([], [film])
    assert "No space left on device" in result.failed[film]
    assert {path.name for path in (tmp_path / "film").iterdir()} == {FOLDER}
    assert sorted(path.name for path in (tmp_path / "film" / FOLDER).glob("*.zip")) == [
        "000000-16.zip",
        "000001-16.zip",
    ]


def test_a_video_that_could_not_be_written_whole_is_no_video(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(ValueError, match="of 20 frames could be written: make room"):
            write_video(tmp_path / "large.mkv", [pixels] * 20, rate=5.0, codec="FFV1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
