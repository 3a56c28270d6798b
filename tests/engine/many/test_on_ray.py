"""Runs that Ray spreads over processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pamm.engine.many.on_ray import Ray
from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import Predictor
from pamm.models import create_model
from toys import MICRO

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", **MICRO))


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A folder of photos of three sizes, and one file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(16):
        size = [(32, 48), (40, 30), (300, 400)][number % 3]
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "broken.png").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def plain(predictor, photos, tmp_path_factory):
    """What a run in this process makes of them, and its folder."""
    out = tmp_path_factory.mktemp("runs") / "plain"
    return predict_files(predictor, [photos], out, batch_size=2), out


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def workers() -> list[int]:
    """Processes that this one or its children started, and that predict."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if (folder / "cmdline").read_bytes().startswith(b"ray::MapWorker"):
                found.append(int(folder.name))
        except OSError:
            continue

    def is_ours(pid: int) -> bool:
        while pid not in (0, os.getpid()):
            pid = parents.get(pid, 0)
        return pid > 0

    return [pid for pid in found if is_ours(pid)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the processes are found by what Linux says")
def test_a_killed_worker_loses_nothing_and_nothing_is_made_twice(predictor, photos, plain, tmp_path):
    out, steps, killed, stamps = tmp_path / "ray", [], [], {}

    def kill_one(done, total):
        steps.append((done, total))
        if not killed:
            stamps.update({path: path.stat() for path in out.rglob("made_from.json")})
            killed.append(workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    result = predict_files(predictor, [photos], out, batch_size=2, workers=2, ray=Ray(device="cpu"), progress=kill_one)
    expected, plain_out = plain
    assert killed
    assert len(stamps) < len(expected.done), "the run was over before a worker was killed"
    assert steps == [(count, 17) for count in range(1, 18)]
    assert [folder.name for folder in result.done] == [folder.name for folder in expected.done]
    assert result.failed == expected.failed
    assert list(result.failed) == [photos / "broken.png"]
    assert contents(out) == contents(plain_out)
    for path, before in stamps.items():
        assert path.stat().st_mtime_ns == before.st_mtime_ns, f"{path} was made twice"
    assert not ray.is_initialized()
    deadline = time.monotonic() + 20
    while workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not workers()
