"""What `pamm data check` finds: figures of sound sets, faults of others."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmark_trees import PASCAL_IDS, put, write_mtan, write_nyud, write_nyud_mt, write_pascal
from folder_toys import HEIGHT, IDS, WIDTH, grid, write
from folder_toys import put as put_map
from pamm.cli import main
from pamm.engine.check import check
from read_only import read_only


def files(folder, pattern):
    return [np.array(Image.open(path)) for path in sorted(folder.glob(pattern))]


def test_figures_of_nyud(tmp_path):
    tree = write_nyud(tmp_path / "NYUDv2")
    report, sheet = check(tree)
    assert report.sound
    assert "NYUD-v2" in report.title
    assert [(split.name, split.photos, dict(split.sizes)) for split in report.splits] == [
        ("train", 3, {(30, 40): 3}),
        ("val", 2, {(30, 40): 2}),
    ]
    train = report.splits[0].tasks
    stored = np.stack([np.array(Image.open(tree / f"segmentation/{name}.png")) for name in ("0003", "0004", "0005")])
    assert (train["semseg"].labels, train["semseg"].pixels) == (3, 3600)
    assert train["semseg"].counted == (stored > 0).sum()
    for name, value in (("wall", 1), ("floor", 2), ("dresser", 17), ("otherprop", 40), ("bed", 4)):
        assert train["semseg"].shares[name] == pytest.approx((stored == value).sum() / (stored > 0).sum())
    depth = np.stack([np.load(tree / f"depth/{name}.npy") for name in ("0003", "0004", "0005")])
    assert train["depth"].span == pytest.approx((depth[depth > 0].min(), depth.max()))
    assert train["depth"].counted == (depth > 0).sum()
    assert train["normals"].counted == 3600 - 3 * 6
    edges = np.stack([np.array(Image.open(tree / f"edge/{name}.png")) for name in ("0003", "0004", "0005")])
    assert train["edge"].shares["boundary"] == pytest.approx((edges == 255).mean())
    assert report.notes() == [
        "train: 3 photos are not 425×560 pixels, as all of the benchmark are",
        "val: 2 of the 654 published ids, and 0 others",
        "val: 2 photos are not 425×560 pixels, as all of the benchmark are",
    ]
    assert sheet is not None
    assert sheet.height > 5 * 120, "a row for each of five photos"


def test_workers_change_nothing(tmp_path):
    tree = write_pascal(tmp_path / "PASCALContext")
    alone, several = (check(tree, workers=workers, samples=1)[0].to_dict() for workers in (0, 2))
    assert alone == several
    assert alone["splits"]["train"]["sizes"] == {"30x40": 3, "44x33": 3}
    assert alone["splits"]["train"]["tasks"]["human_parts"]["labels"] == 6
    json.dumps(alone, allow_nan=False)


def test_faults_are_counted_and_named(tmp_path):
    tree = write_pascal(tmp_path / "PASCALContext")
    first, second, third, *_ = PASCAL_IDS["train"]
    for name in PASCAL_IDS["train"]:
        (tree / f"human_parts/{name}.mat").unlink()
    (tree / f"pascal-context/trainval/{first}.mat").write_bytes(b"broken")
    (tree / f"JPEGImages/{second}.jpg").write_bytes(b"\xff\xd8\xff")
    put(tree / f"sal_distill/{third}.png", np.zeros((3, 3), np.uint8))
    (tree / "normals_distill").rename(tree / "elsewhere")
    report, sheet = check(tree)
    assert sheet is not None
    assert not report.sound
    assert report.missing == {"normals": "normals_distill"}
    train, val = report.splits
    assert not val.problems
    assert {(problem.part, problem.photo, problem.missing) for problem in train.problems} == {
        ("photo", second, False),
        ("edge", first, False),
        ("saliency", third, False),
        *(("human_parts", name, True) for name in PASCAL_IDS["train"]),
    }
    assert train.tasks["saliency"].labels == 5
    assert train.tasks["semseg"].labels == 6, "labels of a photo that is lost count"
    assert sum(train.sizes.values()) == 5
    faults = report.faults()
    assert faults[0] == "normals: normals_distill missing"
    assert faults[1].startswith(f"train: human_parts: 6 missing ({first}, {second}, ")
    assert any(fault.startswith(f"train: photo: 1 corrupt ({second}), the first: {tree}") for fault in faults)


def test_one_file_of_two_tasks_is_one_fault(tmp_path):
    tree = write_pascal(tmp_path / "PASCALContext")
    (tree / f"pascal-context/trainval/{PASCAL_IDS['val'][0]}.mat").unlink()
    report, _ = check(tree)
    assert [problem.part for problem in report.splits[1].problems] == ["edge"]
    assert report.splits[1].tasks["normals"].labels == 2


def test_sizes_and_values_are_compared_with_the_published_ones(tmp_path):
    tree = write_nyud(tmp_path / "NYUDv2", ids={"train": ["0003"], "val": ["0001"]}, size=(425, 560))
    path = tree / "depth/0003.npy"
    np.save(path, np.load(path) * 1000)
    report, _ = check(tree, samples=1)
    train, val = report.splits
    (remark,) = train.remarks
    assert remark.startswith("depth is up to 9")
    assert remark.endswith("m, the benchmark's up to 10: another unit?")
    assert val.remarks == ("1 of the 654 published ids, and 0 others",)
    assert train.tasks["normals"].words() == "-1 to 1 in every channel"


def test_labels_of_lost_photos_are_read(tmp_path):
    tree = write_pascal(tmp_path / "PASCALContext")
    whole, _ = check(tree, samples=1)
    for path in (tree / "JPEGImages").iterdir():
        path.unlink()
    report, sheet = check(tree)
    assert sheet is None
    for split, before in zip(report.splits, whole.splits, strict=True):
        assert {problem.part for problem in split.problems} == {"photo"}
        assert split.tasks == before.tasks


@pytest.mark.parametrize("lists", [["val"], ["train", "val"]])
def test_lists_that_cannot_be_read(lists, tmp_path):
    tree = write_nyud(tmp_path / "NYUDv2")
    for name in lists:
        (tree / f"gt_sets/{name}.txt").write_bytes(b"")
    report, _ = check(tree)
    faults = report.faults()
    assert [fault.partition(": copy")[0] for fault in faults] == [
        f"{name}: list: 1 corrupt (gt_sets/{name}.txt), the first: {tree}/gt_sets/{name}.txt: the list is empty"
        for name in lists
    ]
    assert [split.photos for split in report.splits] == ([3, 0] if len(lists) == 1 else [0, 0])
    report.table()


def test_a_missing_list_and_photos_without_labels(tmp_path):
    tree = write_nyud(tmp_path / "NYUDv2")
    (tree / "gt_sets/val.txt").unlink()
    for path in (tree / "images").iterdir():
        path.unlink()
    report, sheet = check(tree)
    assert sheet is None
    assert report.missing == {"split val": "gt_sets/val.txt"}
    assert [fault.split(" (")[0] for fault in report.faults()] == [
        "split val: gt_sets/val.txt missing",
        "train: photo: 3 missing",
    ]


@pytest.mark.parametrize(
    ("write_tree", "message"),
    [
        (write_nyud_mt, "found MTI-Net's archive NYUD_MT .* which no loader reads"),
        (write_mtan, "found MTAN's archive .* which no loader reads"),
        (lambda root: root.mkdir(), "neither NYUD-v2 .* nor PASCAL-Context"),
    ],
)
def test_other_archives_are_named(tmp_path, write_tree, message):
    write_tree(tmp_path / "there")
    with pytest.raises(ValueError, match=message):
        check(tmp_path / "there")


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(IDS):
        put_map(tmp_path / "images" / f"{name}.png", grid(number * 40, channels=(3,)))
        depth = grid(1500 + number, np.uint16)
        depth[0] = 0
        put_map(tmp_path / "depth" / f"{name}.png", depth)
    classes = grid(5)
    classes[:, :4], classes[0] = 0, 7
    put_map(tmp_path / "classes/a.png", classes)
    labels = {
        "semseg": {"path": "classes/{id}.png", "classes": {"wall": 0, "thing": [5, 9]}, "ignore": [7]},
        "depth": {"path": "depth/{id}.png", "scale": 0.001, "ignore": [0]},
        "normals": {"derive": "normals_from_depth", "source": "depth", "focal": [20, 20]},
    }
    return write(tmp_path, labels=labels, resize=0.5, splits={"train": {"first": 3}, "val": {"last": 1}})


def test_figures_of_a_manifest(folder):
    report, _ = check(folder)
    (every,) = report.splits
    assert report.sound
    assert dict(every.sizes) == {(HEIGHT, WIDTH): 4}, "as stored"
    assert {name: figures.labels for name, figures in every.tasks.items()} == {"semseg": 1, "depth": 4, "normals": 4}
    assert every.tasks["semseg"].shares == {"wall": 0.25, "thing": 0.75}
    assert every.tasks["semseg"].counted == (HEIGHT - 1) * WIDTH
    assert every.tasks["depth"].span == pytest.approx((1.5, 1.503))
    assert report.notes() == ["split train: 3 photos", "split val: 1 photos"]


def test_a_corrupt_image_of_a_manifest(folder):
    (folder.parent / "images/a.png").write_bytes(b"no picture")
    report, _ = check(folder)
    (problem,) = report.splits[0].problems
    assert (problem.photo, problem.part) == ("a", "photo")
    assert {name: figures.labels for name, figures in report.splits[0].tasks.items()} == {
        "semseg": 1,
        "depth": 4,
        "normals": 4,
    }


def test_a_corrupt_map_of_a_manifest(folder):
    (folder.parent / "depth/b.png").write_bytes(b"no picture")
    report, _ = check(folder)
    (problem,) = report.splits[0].problems
    assert (problem.photo, problem.part) == ("b", "depth")
    assert report.splits[0].tasks["normals"].labels == 3


def test_command(tmp_path, capsys, monkeypatch):
    tree = write_nyud(tmp_path / "NYUDv2")
    monkeypatch.chdir(tmp_path)
    before = sorted(tree.rglob("*"))
    assert main(["data", "check", "NYUDv2", "-o", "sheet.png", "--json", "found.json", "--workers", "0"]) == 0
    text = capsys.readouterr().out
    assert "3 of 3" in text
    assert "otherprop" in text
    assert json.loads((tmp_path / "found.json").read_text())["sound"]
    assert Image.open(tmp_path / "sheet.png").width > 500
    assert sorted(tree.rglob("*")) == before
    (tree / "depth/0003.npy").unlink()
    assert main(["data", "check", "NYUDv2", "-o", "sheet.png", "--workers", "0"]) == 2
    assert "train: depth: 1 missing (0003)" in capsys.readouterr().err


def test_command_inside_the_data_set(tmp_path, capsys, monkeypatch):
    tree = write_nyud(tmp_path / "NYUDv2")
    monkeypatch.chdir(tree)
    before = sorted(tmp_path.rglob("*"))
    with read_only(tmp_path):
        assert main(["data", "check", ".", "--workers", "0"]) == 0
    assert "name a picture elsewhere" in capsys.readouterr().out
    for option in ("-o", "--json"):
        assert main(["data", "check", "..", option, "edge/new.png", "--workers", "0"]) == 2
        assert "edge/new.png: lies in the data set, where nothing is written" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["data", "check", ".", "-o", "../sheet.png", "--workers", "0"]) == 0
    assert (tmp_path / "sheet.png").is_file()


def test_faults_come_before_files(tmp_path, capsys, monkeypatch):
    tree = write_nyud(tmp_path / "NYUDv2")
    (tree / "depth/0003.npy").unlink()
    (tmp_path / "file").touch()
    assert main(["data", "check", str(tree), "-o", str(tmp_path / "file/a.png"), "--workers", "0"]) == 2
    text = capsys.readouterr().err
    assert "train: depth: 1 missing (0003)" in text
    assert "cannot write" in text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["NYUDv2", "-o", "sheet"], "sheet: no kind of picture"),
        (["nowhere"], "nowhere: no such folder or file"),
        (["NYUDv2/gt_sets/val.txt"], "val.txt: holds no keys: a manifest has"),
        (["NYUDv2", "--root", "."], "a root belongs to a manifest"),
    ],
)
def test_mistakes(tmp_path, capsys, monkeypatch, args, message):
    write_nyud(tmp_path / "NYUDv2")
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", *args]) == 2
    assert message in capsys.readouterr().err
