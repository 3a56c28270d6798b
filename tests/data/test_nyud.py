"""NYUD-v2 as it lies on the disk, and the archives that share its name."""

import pickle
from math import sqrt

import numpy as np
import pytest
from PIL import Image

from benchmark_trees import NYUD_IDS, put, put_list, write_mtan, write_nyud, write_nyud_mt, write_pascal
from pamm.benchmarks import BENCHMARKS
from pamm.data.nyud import NYUDDataset
from pamm.data.tree import published_ids
from read_only import read_only


@pytest.fixture
def tree(tmp_path):
    return write_nyud(tmp_path / "NYUDv2")


def stored(path):
    return np.array(Image.open(path)).tolist()


def test_splits_follow_the_lists(tree):
    train, val = NYUDDataset(tree), NYUDDataset(tree, split="val")
    assert (train.ids, val.ids) == (NYUD_IDS["train"], NYUD_IDS["val"])
    assert [val[index].name for index in range(len(val))] == list(NYUD_IDS["val"])
    assert train.tasks == BENCHMARKS["nyud"].tasks
    with pytest.raises(IndexError):
        val[2]


def test_decoded_values(tree):
    sample = NYUDDataset(tree, split="val")[1]
    name = NYUD_IDS["val"][1]
    assert sample.image.tolist() == stored(tree / f"images/{name}.png")
    classes = stored(tree / f"segmentation/{name}.png")
    assert sample.labels["semseg"].tolist() == [[value - 1 if value else 255 for value in row] for row in classes]
    assert set(np.unique(sample.labels["semseg"])) == {0, 1, 16, 39, 255}
    assert np.array_equal(sample.labels["depth"], np.load(tree / f"depth/{name}.npy"))
    edges = stored(tree / f"edge/{name}.png")
    assert sample.labels["edge"].tolist() == [[value // 255 for value in row] for row in edges]
    types = {name: label.dtype.name for name, label in sample.labels.items()}
    assert types == {"semseg": "uint8", "depth": "float32", "normals": "float32", "edge": "uint8"}


def test_normals_are_unit_vectors_or_nothing(tree):
    name = NYUD_IDS["train"][0]
    normals = NYUDDataset(tree)[0].labels["normals"]
    for row, column in ((0, 4), (7, 9), (29, 39)):
        vector = [2 * value / 255 - 1 for value in stored(tree / f"normals/{name}.png")[row][column]]
        length = sqrt(sum(part * part for part in vector))
        assert normals[row, column] == pytest.approx([part / length for part in vector], abs=1e-6)
    none = (normals == 0).all(axis=2)
    assert np.argwhere(none).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]], "black and mid-grey"
    assert np.linalg.norm(normals[~none], axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("change", [lambda d: d.astype(np.float64), lambda d: d[..., None], lambda d: d.astype(">f4")])
def test_depth_of_any_floats(tree, change):
    path = tree / "depth" / f"{NYUD_IDS['train'][0]}.npy"
    depth = np.load(path)
    depth[2, :3] = np.nan, np.inf, -1
    np.save(path, change(depth))
    read = NYUDDataset(tree)[0].labels["depth"]
    depth[2, :3] = 0
    assert read.dtype == np.float32
    assert np.array_equal(read, depth)


@pytest.mark.filterwarnings("error")
def test_depth_beyond_the_floats_of_the_labels(tree):
    path = tree / "depth" / f"{NYUD_IDS['train'][0]}.npy"
    depth = np.load(path).astype(np.float64)
    depth[2, 0] = 1e39
    np.save(path, depth)
    assert NYUDDataset(tree)[0].labels["depth"][2, 0] == 0


def test_photos_are_not_turned(tree):
    """Labels have no EXIF data that would turn them too."""
    name = NYUD_IDS["train"][0]
    path = tree / f"images/{name}.png"
    photo = Image.open(path)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(path, exif=exif)
    assert NYUDDataset(tree)[0].image.tolist() == np.array(photo).tolist()


def test_edges_of_one_bit_or_ones(tree):
    path = tree / "edge" / f"{NYUD_IDS['train'][0]}.png"
    before = NYUDDataset(tree)[0].labels["edge"]
    for picture in (Image.fromarray(before), Image.fromarray(before.astype(bool))):
        picture.save(path)
        assert np.array_equal(NYUDDataset(tree)[0].labels["edge"], before)


def test_scoring_takes_the_boundaries_of_the_edge_map(tree):
    path = tree / "edge" / f"{NYUD_IDS['val'][0]}.png"
    edges = np.zeros((30, 40), dtype=np.uint8)
    edges[10:20, 15:30] = 255
    put(path, edges)
    data = NYUDDataset(tree, split="val", scoring=True)
    truth = data[0].labels["edge"]
    # a pixel is marked where its neighbour to the east, south or south-east differs: left of and above the block
    marked = {(row, column) for row in range(9, 20) for column in range(14, 30) if row in (9, 19) or column in (14, 29)}
    found = set(map(tuple, np.argwhere(truth).tolist()))
    assert found <= marked
    assert len(marked - found) <= 4, "thinning takes corners at most"
    assert {task.name: task.score for task in data.tasks}["edge"] == "odsf_nyud"
    assert NYUDDataset(tree, split="val")[0].labels["edge"].sum() == 150


@pytest.mark.parametrize("text", [b"0001\r\n0002\r\n", b"\xef\xbb\xbf0001\n0002", b" 0001 \n\n0002\n\n"])
def test_lists_of_other_editors(tree, text):
    (tree / "gt_sets/val.txt").write_bytes(text)
    assert NYUDDataset(tree, split="val").ids == ("0001", "0002")


def test_read_only_and_relative(tree, monkeypatch):
    before = sorted(tree.rglob("*"))
    for folder, root in ((".", "NYUDv2"), ("NYUDv2", ".")):
        monkeypatch.chdir(tree.parent / folder)
        with read_only(tree):
            data = pickle.loads(pickle.dumps(NYUDDataset(root)))
            assert len([data[index] for index in range(len(data))]) == 3
    assert sorted(tree.rglob("*")) == before


def test_a_kind_of_label_may_be_missing(tree):
    (tree / "normals").rename(tree / "elsewhere")
    data = NYUDDataset(tree)
    assert [task.name for task in data.tasks] == list(data[0].labels) == ["semseg", "depth", "edge"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("segmentation/0004.png", np.full((30, 40), 41, np.uint8), "value 41 is none of 0 to 40"),
        ("segmentation/0004.png", np.zeros((30, 41), np.uint8), "semseg label of 0004 is 30×41"),
        ("segmentation/0004.png", np.arange(3600, dtype=np.uint8).reshape(30, 40, 3), "has 3 channels, wanted one"),
        ("depth/0004.npy", np.ones((30, 40), np.uint16), "uint16 and shape .* wanted floats"),
        ("normals/0004.png", np.ones((30, 40), np.uint8), "wanted 8-bit RGB"),
        ("edge/0004.png", np.full((30, 40), 7, np.uint8), "wanted 0 and 255"),
        ("depth/0004.npy", None, "depth/0004.npy: no such file"),
        ("images/0004.png", None, "images/0004.png: no such file"),
        ("images/0004.png", b"\x89PNG", "images/0004.png: not a picture"),
        ("depth/0004.npy", b"\x93NUMPY", "depth/0004.npy: damaged"),
    ],
)
def test_bad_files_are_named(tree, file, content, message):
    if content is None:
        (tree / file).unlink()
    elif isinstance(content, bytes):
        (tree / file).write_bytes(content)
    else:
        put(tree / file, content)
    data = NYUDDataset(tree)
    assert data[0].name == "0003"
    with pytest.raises(ValueError, match=message) as error:
        data[1]
    assert "0004" in str(error.value)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_nyud_mt, "found MTI-Net's archive NYUD_MT .* wanted NYUD-v2"),
        (write_mtan, "found MTAN's archive .* wanted NYUD-v2"),
        (write_pascal, "found PASCAL-Context .* name the data set 'pascal_context'"),
        (lambda root: root.mkdir(), "neither NYUD-v2 .* nor PASCAL-Context"),
        (lambda root: None, "no such folder"),
        (lambda root: put_list(root / "gt_sets/train.txt", []), "the list is empty"),
        (lambda root: put_list(root / "gt_sets/train.txt", ["1", "1"]), "an id comes twice"),
        (lambda root: put_list(root / "gt_sets/train.txt", ["1"]), "no folder of labels is there"),
        (lambda root: put_list(root / "gt_sets/val.txt", ["1"]), "train.txt: the list of ids is missing"),
    ],
)
def test_wrong_folders(tmp_path, write, message):
    write(tmp_path / "there")
    with pytest.raises(ValueError, match=message):
        NYUDDataset(tmp_path / "there")


def test_one_folder_may_hold_several(tmp_path):
    write_nyud_mt(tmp_path / "NYUD_MT")
    write_pascal(tmp_path / "PASCALContext")
    write_nyud(tmp_path / "NYUDv2")
    assert NYUDDataset(tmp_path).root == tmp_path / "NYUDv2"


def test_unknown_splits_are_named(tree):
    with pytest.raises(ValueError, match="there is no split 'vall': did you mean 'val'"):
        NYUDDataset(tree, split="vall")


@pytest.mark.parametrize(
    ("name", "listed", "count"),
    [
        ("nyud_val", "NYUD_test_new", 654),
        ("pascal_context_train", "PASCALContext_train", 4998),
        ("pascal_context_val", "PASCALContext_val", 5105),
        ("pascal_context_boundaries", "PASCALContext_test_new", 2498),
    ],
)
def test_published_lists(shared, name, listed, count):
    ids = published_ids(name)
    assert len(set(ids)) == count
    assert "\n".join(ids) == (shared / f"data/lists/{listed}.txt").read_text().strip()
