"""PASCAL-Context as it lies on the disk."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from benchmark_trees import (
    PASCAL_IDS,
    SHARED_CLASSES,
    annotation,
    box,
    part_cases,
    put,
    put_mat,
    put_palette,
    struct,
    write_nyud,
    write_pascal,
)
from pamm.benchmarks import BENCHMARKS
from pamm.data.mat_files import read_label_map, read_parts
from pamm.data.pascal_context import WITH_NORMALS, PASCALContextDataset, training_boundaries
from read_only import read_only

SIZE = (12, 16)


@pytest.fixture
def tree(tmp_path):
    return write_pascal(tmp_path / "PASCALContext")


def parts_of(tmp_path, anno, size=SIZE):
    put_mat(tmp_path / "a.mat", anno=anno)
    return read_parts(tmp_path / "a.mat", size)


def test_splits_follow_the_lists(tree):
    for split, ids in PASCAL_IDS.items():
        data = PASCALContextDataset(tree, split=split)
        assert data.tasks == BENCHMARKS["pascal_context"].tasks
        assert [data[index].name for index in range(len(data))] == list(ids)
        assert all(set(data[index].labels) == {task.name for task in data.tasks} for index in range(len(data)))


def test_classes_of_palette_and_grey_and_either_folder(tree):
    data = PASCALContextDataset(tree)
    folders = set()
    for index, name in enumerate(data.ids):
        path = next((tree / "semseg").rglob(f"{name}.png"))
        picture = Image.open(path)
        folders.add((path.parent.name, picture.mode))
        assert np.array_equal(data[index].labels["semseg"], np.array(picture))
    assert folders == {("VOC12", "L"), ("VOC12", "P"), ("pascal-context", "L"), ("pascal-context", "P")}
    name = data.ids[2]
    wanted = np.resize(np.array([0, 20, 255], np.uint8), data[2].image.shape[:2])
    put_palette(tree / f"semseg/VOC12/{name}.png", wanted)
    assert np.array_equal(data[2].labels["semseg"], wanted), "VOC12 comes first"


def test_normals_count_on_170_classes(tree):
    assert (len(set(WITH_NORMALS)), sum(WITH_NORMALS)) == (170, 37556)
    digest = hashlib.sha256(" ".join(map(str, WITH_NORMALS)).encode()).hexdigest()
    assert digest == "c99c649f6b3a0860b8113d1de7bea8f749655fe5b097b533e4d37f07e001711f", "the published list"
    data = PASCALContextDataset(tree)
    things = read_label_map(tree / f"pascal-context/trainval/{data.ids[0]}.mat")
    normals = data[0].labels["normals"]
    counts = (normals != 0).any(axis=2)
    wanted = np.isin(things, SHARED_CLASSES)
    wanted[0, :3] = wanted[1, :3] = False
    assert np.array_equal(counts, wanted)
    assert 0.1 < counts.mean() < 0.9
    row, column = np.argwhere(counts)[17]
    stored = np.array(Image.open(tree / f"normals_distill/{data.ids[0]}.png"))[row, column] / 127.5 - 1
    assert normals[row, column] == pytest.approx(stored / np.sqrt((stored**2).sum()), abs=1e-6)


def test_saliency_is_above_one_half(tree):
    data = PASCALContextDataset(tree)
    shades = np.resize(np.arange(256), data[0].image.shape[:2]).astype(np.uint8)
    path = tree / f"sal_distill/{data.ids[0]}.png"
    put(path, shades)
    label = data[0].labels["saliency"]
    assert label.tolist() == [[int(value / 255 > 0.5) for value in row] for row in shades.tolist()]
    bright = Image.fromarray(shades > 127)
    for picture in (bright, bright.convert("P"), bright.convert("RGB"), bright.convert("LA")):
        picture.save(path)
        assert np.array_equal(data[0].labels["saliency"], label), picture.mode
    grey = Image.fromarray(shades)
    for picture in (Image.merge("LA", (grey, grey.rotate(180))), Image.merge("RGBA", (grey,) * 4)):
        picture.save(path)
        assert np.array_equal(data[0].labels["saliency"], label), f"{picture.mode}: the stored shades count"
    grey.save(path, transparency=3)
    assert np.array_equal(data[0].labels["saliency"], label), "the stored shades count"


def test_boundaries_are_where_the_laplacian_is_not_zero():
    def laplacian(values, row, column):
        around = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [values[r][c] for r, c in around if 0 <= r < len(values) and 0 <= c < len(values[0])]
        # beyond the border lies what lies as far within it
        mirrored = [values[2 * row - r][2 * column - c] for r, c in around if not (0 <= r < 9 and 0 <= c < 9)]
        return sum(inside) + sum(mirrored) - 4 * values[row][column]

    things = np.full((9, 9), 7, dtype=np.uint16)
    things[:, 4] = 459
    values = things.tolist()
    marked = np.array([[laplacian(values, row, column) != 0 for column in range(9)] for row in range(9)])
    assert marked[:, 3:6].all()
    assert marked.sum() == 27, "the border of the image is no boundary"
    thinned = training_boundaries(things)
    assert thinned.dtype == np.uint8
    assert not thinned[~marked].any()
    assert (thinned.sum(axis=1)[1:-1] == 1).all(), "three pixels wide, thinned to one"

    slope = np.tile(np.arange(1, 10, dtype=np.uint16), (9, 1))
    assert not training_boundaries(slope)[:, 1:-1].any(), "what rises as much as it falls is no boundary"
    assert not training_boundaries(np.full((9, 9), 459, dtype=np.uint16)).any()


def test_scoring_has_boundaries_of_the_published_photos(tree):
    name = PASCAL_IDS["val"][1]
    things = np.full((44, 33), 5, dtype=np.uint16)
    things[:, 20:] = 6
    put_mat(tree / f"pascal-context/trainval/{name}.mat", LabelMap=things)
    data = PASCALContextDataset(tree, split="val", scoring=True)
    assert ["edge" in data[index].labels for index in range(3)] == [False, True, True]
    assert {task.name: task.score for task in data.tasks}["edge"] == "odsf_pascal_context"
    wanted = np.zeros((44, 33), dtype=np.uint8)
    wanted[:, 19] = 1
    assert np.array_equal(data[1].labels["edge"], wanted)
    assert [task.score for task in PASCALContextDataset(tree).tasks].count("odsf_pascal_context") == 0


def test_parts_of_every_structure(tmp_path):
    read = {name: parts_of(tmp_path, anno) for name, anno in part_cases(SIZE).items()}
    empty = np.full(SIZE, 255, dtype=np.uint8)
    for name in ("no objects", "no parts", "other classes"):
        assert np.array_equal(read[name], empty), name
    assert not read["empty masks"].any(), "there are parts, though nowhere to be seen"
    # 12 rows, 16 columns; later parts overwrite earlier ones
    wanted = np.zeros(SIZE, dtype=np.uint8)
    wanted[:3], wanted[3:6], wanted[4:6, :4], wanted[6:, 4:8] = 1, 2, 4, 5
    assert np.array_equal(read["overlapping"], wanted)
    wanted = np.zeros(SIZE, dtype=np.uint8)
    wanted[:4], wanted[6:, 4:8], wanted[3:6], wanted[4:6, :4] = 1, 6, 2, 3
    assert np.array_equal(read["several"], wanted)


def test_all_parts_have_their_label(tmp_path):
    groups = [
        "hair head lear rear lebrow rebrow leye reye mouth nose",
        "neck torso",
        "luarm ruarm",
        "llarm rlarm lhand rhand",
        "luleg ruleg",
        "llleg rlleg lfoot rfoot",
    ]
    names = [(name, label) for label, group in enumerate(groups, start=1) for name in group.split()]
    parts = [(name, box((1, 24), slice(None), slice(place, place + 1))) for place, (name, _) in enumerate(names)]
    whole = np.ones((1, 24), np.uint8)
    assert parts_of(tmp_path, annotation([(15, whole, parts)]), (1, 24)).tolist() == [[label for _, label in names]]


@pytest.mark.parametrize("kind", [np.uint8, bool, np.float64, np.int32])
@pytest.mark.parametrize("number", [15, 15.0, np.uint8(15), np.array([[15]], np.uint16)])
def test_parts_of_any_types(tmp_path, kind, number):
    mask = box(SIZE, slice(2, 5), slice(3, 9), kind)
    label = parts_of(tmp_path, annotation([(number, mask, [("lhand", mask)])]))
    assert np.array_equal(label, 4 * mask.astype(np.uint8))


def test_objects_and_parts_in_other_arrays(tmp_path):
    mask = box(SIZE, slice(2, 5), slice(3, 9))
    upright = struct(("n", "m"), ("torso", mask), ("head", np.roll(mask, 5, axis=1))).T
    objects = struct(("c", "i", "m", "p"), ("person", 15, mask, upright), ("cat", 8, mask, np.zeros((0, 0))))
    wanted = np.where(np.roll(mask, 5, axis=1), 1, 2 * mask)
    assert np.array_equal(parts_of(tmp_path, struct(("i", "o"), ("x", objects.T))), wanted)
    as_dicts = {
        "im": "x",
        "o": [{"c": "person", "i": 15, "m": mask, "p": [{"n": n, "m": m} for n, m in upright[:, 0].tolist()]}],
    }
    assert np.array_equal(parts_of(tmp_path, as_dicts), wanted), "a cell array of structures"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.float64])
def test_label_maps_of_any_numbers(tmp_path, kind):
    things = np.resize(np.arange(250), SIZE).astype(kind)
    put_mat(tmp_path / "a.mat", LabelMap=things, other=np.zeros((2, 2)))
    assert np.array_equal(read_label_map(tmp_path / "a.mat"), things)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"anno": np.ones((2, 2))}, "not built of objects"),
        ({"anno": struct(("a",), ("x",))}, "not built of objects"),
        ({"other": np.ones((2, 2))}, "there is no array anno"),
        ({"anno": annotation([(15, np.ones((3, 3)), [("wing", np.ones(SIZE))])])}, "'wing' is no known part"),
        ({"anno": annotation([(15, np.ones((3, 3)), [("head", np.ones((3, 3)))])])}, "mask of 'head' is 3×3"),
    ],
)
def test_bad_parts_are_named(tmp_path, variables, message):
    put_mat(tmp_path / "a.mat", **variables)
    with pytest.raises(ValueError, match=message) as error:
        read_parts(tmp_path / "a.mat", SIZE)
    assert "a.mat" in str(error.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_damaged_mat_files_are_named(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    for read in (read_label_map, lambda path: read_parts(path, SIZE)):
        with pytest.raises(ValueError, match=r"a\.mat"):
            read(tmp_path / "a.mat")
    for value in (2.5, -1.0, np.nan, np.inf, 1e30):
        put_mat(tmp_path / "a.mat", LabelMap=np.full(SIZE, value))
        with pytest.raises(ValueError, match="number no class"):
            read_label_map(tmp_path / "a.mat")
    put_mat(tmp_path / "cut.mat", LabelMap=np.random.default_rng(0).integers(0, 459, (50, 50)))
    (tmp_path / "cut.mat").write_bytes((tmp_path / "cut.mat").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"cut\.mat"):
        read_label_map(tmp_path / "cut.mat")


def test_normals_need_the_map_of_classes(tree):
    (tree / "pascal-context").rename(tree / "elsewhere")
    (tree / "human_parts").rename(tree / "elsewhere_too")
    data = PASCALContextDataset(tree)
    assert [task.name for task in data.tasks] == list(data[0].labels) == ["semseg", "saliency"]


def test_bad_files_are_named(tree):
    data = PASCALContextDataset(tree)
    (tree / f"human_parts/{data.ids[1]}.mat").unlink()
    with pytest.raises(ValueError, match=rf"human_parts/{data.ids[1]}\.mat: no such file"):
        data[1]
    put(tree / f"semseg/VOC12/{data.ids[0]}.png", np.full((30, 40), 21, np.uint8))
    with pytest.raises(ValueError, match="value 21 is none of 0 to 20, nor 255"):
        data[0]
    put(tree / f"normals_distill/{data.ids[3]}.png", np.ones((5, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="5×6 pixels"):
        data[3]
    next((tree / "semseg").rglob(f"{data.ids[4]}.png")).unlink()
    with pytest.raises(ValueError, match=rf"VOC12/{data.ids[4]}\.png: no such file"):
        data[4]


def test_nothing_is_written_and_no_cache_is_read(tree, monkeypatch):
    monkeypatch.chdir(tree)
    before = sorted(tree.rglob("*"))
    assert not (tree / "ImageSets/Parts").exists()
    with read_only(tree):
        data = PASCALContextDataset(".")
        assert all(data[index].labels for index in range(len(data)))
    assert sorted(tree.rglob("*")) == before


def test_another_archive_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"found NYUD-v2 .* wanted PASCAL-Context: name the data set 'nyud'"):
        PASCALContextDataset(write_nyud(tmp_path / "NYUDv2"))
