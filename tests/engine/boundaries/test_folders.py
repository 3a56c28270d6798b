"""Boundary scores of folders: every kind of file, any number of workers, interrupted and gone on with."""

import csv
import json
import os
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from boundary_toys import detector, regions
from pamm.cli import main
from pamm.data.images import ImageError
from pamm.engine.boundaries import folders as boundary_folders
from pamm.engine.boundaries.files import read_probability, read_truth
from pamm.engine.boundaries.folders import score_folders
from pamm.metrics.boundary import PROTOCOLS, best_counts, boundary_scores, image_counts
from pamm.ops.boundaries.maps import boundary_truth, label_boundaries

NYUD, PARTS, BSDS = (PROTOCOLS[name] for name in ("nyud", "pascal_context", "bsds"))
NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def folders(tmp_path):
    """Predictions and edge maps of four images of different sizes."""
    rng = np.random.default_rng(0)
    for index, name in enumerate(NAMES):
        labels = regions(rng, (40 + index, 50 - index))
        lines = boundary_truth(labels, relabel=False)
        put(tmp_path / f"pred/{name}.png", detector(lines, rng))
        put(tmp_path / f"true/{name}.png", lines * 255)
    return tmp_path / "pred", tmp_path / "true"


def put(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def test_the_scores_are_those_of_the_arrays(folders):
    counts = [
        image_counts(read_probability(folders[0] / f"{name}.png"), read_truth(folders[1] / f"{name}.png", NYUD), NYUD)
        for name in NAMES
    ]
    result = score_folders(*folders, NYUD)
    assert list(result.counts) == NAMES
    assert result.scores == boundary_scores(sum(counts), sum(map(best_counts, counts)), NYUD)
    assert 0.3 < result.scores.odsF <= result.scores.oisF < 1


def test_order_and_workers_change_nothing(folders):
    first = score_folders(*folders, NYUD).to_dict()
    assert score_folders(*folders, NYUD, workers=3).to_dict() == first
    assert score_folders(*folders, NYUD, ids=NAMES[::-1]).to_dict() == first
    assert score_folders(*folders, NYUD, backend="scipy").to_dict() == first
    assert score_folders(*folders, NYUD, ids=["b"]).to_dict() != first


@pytest.mark.parametrize("tail", ['["c", "1', "damaged\n"])
def test_going_on_after_an_interruption(folders, tmp_path, monkeypatch, tail):
    notes, counted = tmp_path / "notes", []
    real = boundary_folders._count

    def stopping(predicted, *rest):
        counted.append(predicted.stem)
        if len(counted) == 3:
            raise KeyboardInterrupt
        return real(predicted, *rest)

    monkeypatch.setattr(boundary_folders, "_count", stopping)
    with pytest.raises(KeyboardInterrupt):
        score_folders(*folders, NYUD, notes=notes)
    kept = len(notes.read_text().splitlines()) - 1
    assert kept >= 1
    with notes.open("a") as stream:
        stream.write(tail)
    done = []
    monkeypatch.setattr(boundary_folders, "_count", lambda path, *rest: done.append(path.stem) or real(path, *rest))
    result = score_folders(*folders, NYUD, notes=notes)
    assert len(done) == len(NAMES) - kept
    monkeypatch.undo()
    assert result.to_dict() == score_folders(*folders, NYUD).to_dict()
    monkeypatch.setattr(boundary_folders, "_count", None)
    assert score_folders(*folders, NYUD, notes=notes).to_dict() == result.to_dict()


def test_notes_of_other_files_or_protocols_are_not_used(folders, tmp_path):
    notes = tmp_path / "notes"
    before = score_folders(*folders, NYUD, notes=notes)
    tight = replace(NYUD, tolerance=0.002)
    assert score_folders(*folders, tight, notes=notes).to_dict() == score_folders(*folders, tight).to_dict()
    score_folders(*folders, NYUD, notes=notes)
    shape = np.asarray(Image.open(folders[0] / "b.png")).shape
    put(folders[0] / "b.png", np.zeros(shape, np.uint8))
    assert score_folders(*folders, NYUD, notes=notes).scores.odsF < before.scores.odsF
    other = tmp_path / "other"
    for file in folders[0].iterdir():  # of equal size and time
        put(other / file.name, np.asarray(Image.open(file))[::-1])
        os.utime(other / file.name, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    assert (
        score_folders(other, folders[1], NYUD, notes=notes).to_dict()
        == score_folders(other, folders[1], NYUD).to_dict()
    )
    notes.write_bytes(b"\xff\xfe no notes")
    assert score_folders(*folders, NYUD, notes=notes).counts.keys() == before.counts.keys()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda pred, true: (true / "b.png").unlink(), "1 of 4 images lack a truth: b"),
        (lambda pred, true: put(pred / "e.png", np.zeros((4, 4), np.uint8)), "lack a truth: e"),
        (lambda pred, true: put(pred / "b.jpg", np.zeros((4, 4), np.uint8)), "are both of image 'b'"),
        (lambda pred, true: put(pred / "b.png", np.zeros((4, 4), np.uint8)), "4×4 pixels, its truth 41×49"),
        (lambda pred, true: put(pred / "b.png", np.arange(12, dtype=np.uint8).reshape(2, 2, 3)), "coloured"),
        (lambda pred, true: (true / "b.png").write_text("no picture"), "b.png"),
    ],
)
def test_what_does_not_fit(folders, break_it, message):
    break_it(*folders)
    with pytest.raises(ValueError, match=message):
        score_folders(*folders, NYUD)


def test_an_empty_list(folders):
    with pytest.raises(ValueError, match="no image is named"):
        score_folders(*folders, NYUD, ids=[])


def test_an_annotator_s_map_that_changed(folders, tmp_path):
    notes = tmp_path / "notes"
    truth = tmp_path / "people"
    for name in NAMES:
        put(truth / f"{name}/1.png", np.asarray(Image.open(folders[1] / f"{name}.png")))
    before = score_folders(folders[0], truth, BSDS, notes=notes).to_dict()
    with Image.open(truth / "b/1.png") as picture:
        put(truth / "b/1.png", np.asarray(picture)[::-1])
    assert score_folders(folders[0], truth, BSDS, notes=notes).to_dict() != before


def test_missing_folders(tmp_path, folders):
    with pytest.raises(ValueError, match="no such folder"):
        score_folders(tmp_path / "nowhere", folders[1], NYUD)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no map"):
        score_folders(folders[0], tmp_path / "empty", NYUD)


def test_probabilities_of_every_kind(tmp_path):
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    put(tmp_path / "8.png", np.rint(values * 255).astype(np.uint8))
    put(tmp_path / "16.png", np.rint(values * 65535).astype(np.uint16))
    put(tmp_path / "rgb.png", np.repeat(np.rint(values * 255).astype(np.uint8)[..., None], 3, axis=2))
    np.save(tmp_path / "array.npy", values.astype(np.float64))
    for name, error in (("8.png", 0.002), ("16.png", 1e-5), ("rgb.png", 0.002), ("array.npy", 1e-7)):
        np.testing.assert_allclose(read_probability(tmp_path / name), values, atol=error)
    np.save(tmp_path / "logits.npy", values * 3)
    bits = values > 0.4
    for name, mode in (("bits.png", "1"), ("palette.png", "P")):
        Image.fromarray(bits.astype(np.uint8) * 255).convert(mode).save(tmp_path / name)
        np.testing.assert_array_equal(read_probability(tmp_path / name), bits)
    with pytest.raises(ValueError, match="or fractions"):
        read_probability(tmp_path / "logits.npy")


def test_a_small_file_of_many_pixels_is_refused_in_one_line(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (8, 8)).save(path)
    stored = bytearray(path.read_bytes())
    stored[16:24] = struct.pack(">II", 20_000, 20_000)
    stored[29:33] = struct.pack(">I", zlib.crc32(stored[12:29]))
    path.write_bytes(stored)
    with pytest.raises(ImageError, match=r"bomb\.png: .*make the picture smaller"):
        read_probability(path)


def test_truth_of_every_kind(tmp_path):
    rng = np.random.default_rng(1)
    labels = regions(rng, (20, 30), 5)
    people = [label_boundaries(regions(rng, (20, 30), 4)) for _ in range(3)]
    put(tmp_path / "labels.png", labels)
    savemat(tmp_path / "labels.mat", {"LabelMap": labels})
    for name in ("labels.png", "labels.mat"):
        np.testing.assert_array_equal(
            read_truth(tmp_path / name, PARTS), boundary_truth(labels, relabel=True)[None] > 0
        )
    packed = np.full((20, 30), len(people) << 12, np.uint16)
    cell = np.empty((1, len(people)), object)
    for person, lines in enumerate(people):
        put(tmp_path / f"several/{person}.png", lines.astype(np.uint8) * 255)
        packed |= lines.astype(np.uint16) << person
        cell[0, person] = {"Segmentation": labels, "Boundaries": lines.astype(np.uint8)}
    put(tmp_path / "packed.png", packed)
    savemat(tmp_path / "several.mat", {"groundTruth": cell})
    for name in ("several", "packed.png", "several.mat"):
        np.testing.assert_array_equal(read_truth(tmp_path / name, BSDS), people)
    put(tmp_path / "one.png", people[0].astype(np.uint8))
    np.testing.assert_array_equal(read_truth(tmp_path / "one.png", BSDS), people[:1])
    for bad in (packed | 15 << 12, np.where(np.eye(20, 30) > 0, packed, 4 << 12)):
        put(tmp_path / "bad.png", bad.astype(np.uint16))
        with pytest.raises(ValueError, match="one number of annotators"):
            read_truth(tmp_path / "bad.png", BSDS)
    with pytest.raises(ValueError, match="no array LabelMap"):
        read_truth(tmp_path / "several.mat", PARTS)
    (tmp_path / "bad.mat").write_bytes(b"MATLAB? no")
    with pytest.raises(ValueError, match=r"bad\.mat: "):
        read_truth(tmp_path / "bad.mat", PARTS)


def test_berkeley_photos(shared, tmp_path):
    root = shared / "data/bsds_sod"
    for name in (root / "val.txt").read_text().split()[:2]:
        lines = read_truth(root / f"boundaries/{name}.png", BSDS)
        assert 4 <= len(lines) <= 9
        put(tmp_path / f"{name}.png", np.rint(255 * lines.mean(axis=0)).astype(np.uint8))
    scores = score_folders(tmp_path, root / "boundaries", BSDS).scores
    assert scores.odsF > 0.8


def test_the_command(folders, tmp_path, capsys):
    options = ["--protocol", "nyud", "--json", str(tmp_path / "out.json"), "--counts", str(tmp_path / "counts.csv")]
    assert main(["boundary", "score", *map(str, folders), *options]) == 0
    written = json.loads((tmp_path / "out.json").read_text())
    assert f"{100 * written['odsF']:.2f} %" in capsys.readouterr().out
    assert written["images"] == 4
    assert len(written["f_measure"]) == len(written["protocol"]["thresholds"]) == 101
    with (tmp_path / "counts.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4 * 101
    assert sum(int(row["matched_truth"]) for row in rows[::101]) == written["counts"][0][0]
    assert not (tmp_path / "out.json.part").exists()


def test_the_command_with_a_list_and_another_tolerance(folders, tmp_path, capsys):
    (tmp_path / "ids.txt").write_text("a\nc")
    options = ["--protocol", "bsds", "--ids", str(tmp_path / "ids.txt"), "--suppress", "true", "--tolerance", "0.02"]
    assert main(["boundary", "score", *map(str, folders), *options]) == 0
    assert "2 images" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(folders, tmp_path, capsys):
    for arguments, message in (
        (["--protocol", "coco"], "nyud"),
        (["--protocol", "nyud", "--tolerance", "-1"], "tolerance"),
        (["--protocol", "nyud", "--workers", "0"], "workers"),
        (["--protocol", "nyud", "--ids", str(tmp_path / "none.txt")], "none.txt"),
    ):
        assert main(["boundary", "score", *map(str, folders), *arguments]) == 2
        text = capsys.readouterr().err
        assert text.startswith("error: ")
        assert message in text
