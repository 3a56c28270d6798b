"""What one process of a run on Ray does, here without Ray."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pamm.engine.many.job import Job
from pamm.engine.many.pieces import Pieces, Setup, to_pieces
from pamm.engine.many.sources import find_sources
from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import Predictor
from pamm.models import create_model
from toys import MICRO


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", tasks=["depth"], **MICRO))


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


class Run:
    """A run of one process."""

    def __init__(self, predictor, photos, out, finished=()):
        (out.parent / "tries").mkdir(exist_ok=True)
        out.mkdir(exist_ok=True)
        job = Job(out, predictor.settings())
        self.out = out
        self.rows = to_pieces(predictor, find_sources([photos]), job, batch_size=2, finished=finished)
        self.work = Pieces(
            predictor,
            Setup(
                job=job,
                device="cpu",
                threads=1,
                folder=os.getcwd(),
                tries=str(out.parent / "tries"),
                batch_size=2,
                resume=False,
            ),
        )

    def __call__(self):
        return [row for piece in self.rows for row in self.work(piece)]

    def stamps(self):
        return {path: path.stat().st_mtime_ns for path in self.out.rglob("*") if path.is_file()}


def test_pieces_are_the_batches_of_any_other_run(predictor, photos, tmp_path):
    run = Run(predictor, photos, tmp_path / "out")
    sources = [[name for _, name in json.loads(row["piece"])["sources"]] for row in run.rows]
    assert sources == [["0", "1"], ["2"]]
    assert [row["number"] for row in run.rows] == [0, 1]
    later = Run(predictor, photos, tmp_path / "out", finished={"0", "2"})
    assert [json.loads(row["piece"])["wanted"] for row in later.rows] == [[False, True]]


def test_a_piece_that_was_done_before_its_process_ended_is_not_done_again(predictor, photos, tmp_path):
    run = Run(predictor, photos, tmp_path / "out")
    first = run()
    stamps = run.stamps()
    assert run() == first
    assert run.stamps() == stamps
    assert [row["name"] for row in first] == ["0", "1", "2"]
    assert all(row["made"] and not row["failure"] for row in first)


def test_what_was_not_finished_is_done_the_same(predictor, photos, tmp_path):
    run = Run(predictor, photos, tmp_path / "out")
    run()
    before = {path: path.read_bytes() for path in run.stamps()}
    (run.out / "1/made_from.json").unlink()
    (run.out / "1/values.npz").write_bytes(b"half")
    run()
    assert {path: path.read_bytes() for path in run.stamps()} == before


def test_maps_of_an_earlier_run_are_made_again(predictor, photos, tmp_path):
    predict_files(predictor, [photos], tmp_path / "out", batch_size=2)
    run = Run(predictor, photos, tmp_path / "out")
    stamps = run.stamps()
    run()
    assert all(now != stamps[path] for path, now in run.stamps().items())


def test_a_piece_that_ends_every_process_is_given_up(predictor, photos, tmp_path):
    run = Run(predictor, photos, tmp_path / "out")
    for _ in range(5):
        # as if each had been killed before it wrote a record
        for record in run.out.rglob("made_from.json"):
            record.unlink()
        run()
    (run.out / "1/made_from.json").unlink()
    rows = {row["name"]: row for row in run()}
    assert rows["0"]["made"]
    assert rows["2"]["made"]
    assert not rows["1"]["made"]
    assert rows["1"]["failure"].startswith(f"{photos / '1.png'}: 5 processes ended")
