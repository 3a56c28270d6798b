"""Folders of one's own: every encoding, every missing label, every mistake in a manifest."""

import re

import numpy as np
import pytest
import yaml
from PIL import Image

from pamm.data.dataset import TransformedDataset
from pamm.data.folder import FolderDataset
from pamm.data.transforms import TestTransform

HEIGHT, WIDTH = 12, 16
IDS = ["a", "b", "c", "d"]


def put(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


def grid(value=0, kind=np.uint8, channels=()):
    return np.full((HEIGHT, WIDTH, *channels), value, kind)


@pytest.fixture
def folder(tmp_path):
    """Four images; depth of all, classes of the first two, saliency of the last, normals of the first."""
    classes = grid()
    classes[:, 4:8], classes[:, 8:], classes[0] = 5, 9, 7
    for number, name in enumerate(IDS):
        put(tmp_path / "images" / f"{name}.png", grid(number * 40, channels=(3,)))
        depth = grid(1500 + number, np.uint16)
        depth[0] = 0
        put(tmp_path / "depth" / f"{name}.png", depth)
    for name in "ab":
        put(tmp_path / "classes" / f"{name}.png", classes)
    put(tmp_path / "salient" / "d.png", np.where(classes > 5, 255, 0).astype(np.uint8))
    normals = grid(channels=(3,))
    normals[1:] = (128, 128, 255)
    put(tmp_path / "normals" / "a.png", normals)
    return tmp_path


MANIFEST = {
    "images": "images/{id}.png",
    "splits": {"train": {"first": 3}, "val": {"last": 1}, "some": {"ids": ["c", "a"]}, "file": {"file": "file.txt"}},
    "labels": {
        "semseg": {"path": "classes/{id}.png", "classes": {"wall": 0, "thing": [5, 9]}, "ignore": [7]},
        "depth": {"path": "depth/{id}.png", "scale": 0.001},
        "saliency": {"path": "salient/{id}.png"},
        "normals": {"path": "normals/{id}.png"},
    },
}


def write(folder, **changes):
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(MANIFEST | changes, sort_keys=False))
    return path


def opened(folder, *, split=None, **changes):
    return FolderDataset(write(folder, **changes), split=split)


def one_label(folder, task, entry, index=0):
    return opened(folder, labels={task: entry})[index].labels[task]


def test_every_image_has_the_labels_that_exist(folder):
    data = opened(folder)
    assert [sample.name for sample in (data[i] for i in range(len(data)))] == IDS
    assert [list(data[i].labels) for i in range(4)] == [
        ["semseg", "depth", "normals"],
        ["semseg", "depth"],
        ["depth"],
        ["depth", "saliency"],
    ]
    assert data[1].image[0, 0].tolist() == [40, 40, 40]
    with pytest.raises(IndexError):
        data[4]


def test_stored_values_become_labels(folder):
    first, last = (opened(folder)[index].labels for index in (0, 3))
    assert first["semseg"].dtype == np.uint8
    assert first["semseg"][3, [0, 5, 12]].tolist() == [0, 1, 1]
    assert first["semseg"][0, 0] == 255
    assert first["depth"].dtype == np.float32
    assert first["depth"][:2, 0] == pytest.approx([0, 1.5])
    assert last["saliency"][3, [0, 5, 12]].tolist() == [0, 0, 1]
    assert first["normals"].shape == (HEIGHT, WIDTH, 3)
    assert first["normals"][0, 0].tolist() == [0, 0, 0], "black is no direction"
    assert first["normals"][1, 0] == pytest.approx([0.004, 0.004, 1], abs=1e-3)


def test_tasks_carry_the_classes_of_the_manifest(folder):
    colours = [[1, 2, 3], [4, 5, 6]]
    entry = MANIFEST["labels"]["semseg"] | {"colours": colours, "task": {"loss_weight": 3.0}}
    semseg, depth = opened(folder, labels={"semseg": entry, "depth": MANIFEST["labels"]["depth"]}).tasks
    assert (semseg.channels, semseg.class_names, semseg.loss_weight) == (2, ("wall", "thing"), 3.0)
    assert semseg.colours == ((1, 2, 3), (4, 5, 6))
    assert depth.unit == "m"


def test_a_task_of_ones_own(folder):
    put(folder / "albedo" / "a.png", grid(51, channels=(3,)))
    task = {"kind": "regression", "channels": 3, "loss": "l1", "score": "rmse", "ignore": -1}
    data = opened(folder, labels={"albedo": {"path": "albedo/{id}.png", "scale": 1 / 255, "task": task}})
    assert data.tasks[0].name == "albedo"
    assert data[0].labels["albedo"][2, 2] == pytest.approx([0.2] * 3)


@pytest.mark.parametrize(
    ("split", "ids"), [(None, "abcd"), ("train", "abc"), ("val", "d"), ("some", "ca"), ("file", "bd")]
)
def test_splits(folder, split, ids):
    (folder / "file.txt").write_text("b\n\nd\n")
    data = opened(folder, split=split)
    assert "".join(data[index].name for index in range(len(data))) == ids


def test_a_list_of_ids_limits_and_orders_the_images(folder):
    (folder / "ids.txt").write_text("d\na")
    data = opened(folder, ids="ids.txt")
    assert data.ids == ("d", "a")
    assert opened(folder, ids="ids.txt", split="val").ids == ("a",)


def test_patterns_with_stars_and_folders(folder):
    put(folder / "more" / "x" / "left_e-1.png", grid(9, channels=(3,)))
    put(folder / "more" / "y" / "left_[f].bmp", grid(9, channels=(3,)))
    put(folder / "labels" / "z_[f]" / "depth.png", grid(7))
    labels = {"depth": {"path": "labels/*_{id}/depth.png"}}
    data = opened(folder, images="more/*/left_{id}.*", labels=labels, splits={})
    assert data.ids == ("[f]", "e-1")
    assert [list(data[index].labels) for index in range(2)] == [["depth"], []]


def test_the_root_can_be_given(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = write(elsewhere)
    assert len(FolderDataset(path, root=folder)) == 4
    assert len(FolderDataset(write(elsewhere, root=str(folder)))) == 4


def test_normals_follow_from_depth_and_boundaries_from_instances(folder):
    labels = {
        "normals": {"derive": "normals_from_depth", "source": "depth", "focal": [20, 20], "centre": [7.5, 5.5]},
        "depth": {"path": "depth/{id}.png", "scale": 0.001},
        "edge": {"derive": "boundaries_from_labels", "path": "classes/{id}.png", "ignore": [7]},
    }
    first = opened(folder, labels=labels)[0].labels
    assert list(first) == ["normals", "depth", "edge"]
    assert first["normals"][6, 6] == pytest.approx([0, 0, 1], abs=1e-3)
    assert first["normals"][0, 6].tolist() == [0, 0, 0]
    assert first["edge"][6].sum() == 2
    assert (first["edge"][0] == 255).all()


def test_normals_of_a_smaller_picture_are_the_same(tmp_path):
    """The camera shrinks with the image: a slanted plane keeps its normal."""
    rows, columns = np.mgrid[:60, :80]
    x, y = (columns - 39.5) / 70, (rows - 29.5) / 70
    normal = np.array([0.6, 0.2, 0.77]) / np.linalg.norm([0.6, 0.2, 0.77])
    put(tmp_path / "images" / "a.png", np.zeros((60, 80, 3), np.uint8))
    put(tmp_path / "depth" / "a.npy", -2 / (normal[0] * x - normal[1] * y - normal[2]))
    labels = {
        "depth": {"path": "depth/{id}.npy"},
        "normals": {"derive": "normals_from_depth", "source": "depth", "focal": [70, 70]},
    }
    for resize in (1.0, 0.5, 0.45):
        sample = opened(tmp_path, labels=labels, splits={}, resize=resize)[0]
        assert sample.image.shape[:2] == sample.labels["depth"].shape == (round(60 * resize), round(80 * resize))
        assert sample.labels["normals"].reshape(-1, 3).mean(axis=0) == pytest.approx(normal, abs=0.02)


def test_resizing_keeps_image_and_labels_in_register(tmp_path):
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
    put(tmp_path / "images" / "a.png", ramp)
    put(tmp_path / "depth" / "a.png", ramp)
    sample = opened(tmp_path, labels={"depth": {"path": "depth/{id}.png"}}, splits={}, resize=0.5)[0]
    difference = sample.image[..., 0] - sample.labels["depth"]
    assert np.abs(difference).max() <= 3
    assert np.abs(difference.mean()) <= 1.5


def test_encodings(folder):
    put(folder / "m" / "a.npy", np.tile(np.int64([-1, 0, 1, 2]), (HEIGHT, 4)))
    entry = {"path": "m/{id}.npy", "classes": ["x", "y", "z"], "ignore": [-1]}
    assert one_label(folder, "semseg", entry)[0, :4].tolist() == [255, 0, 1, 2]
    put(folder / "m" / "a.npy", np.tile([0.0, np.nan], (HEIGHT, 8)))
    assert one_label(folder, "semseg", {"path": "m/{id}.npy", "classes": ["x", "y"]})[0, :2].tolist() == [0, 255]
    put(folder / "m" / "a.npy", np.tile([0.0, 1.0, np.nan, 1.5], (HEIGHT, 4)))
    entry = {"path": "m/{id}.npy", "classes": ["x", "y"], "unlisted": "ignore"}
    assert one_label(folder, "semseg", entry)[0, :4].tolist() == [0, 1, 255, 255]
    assert one_label(folder, "depth", {"path": "m/{id}.npy", "scale": 2, "ignore": [1.5]})[0, :4].tolist() == [
        0,
        2,
        0,
        0,
    ]
    assert one_label(folder, "saliency", {"path": "m/{id}.npy", "threshold": 1})[0, :4].tolist() == [0, 0, 255, 1]
    put(folder / "m" / "a.npy", np.tile([0.0, 0.0, -1.0], (HEIGHT, WIDTH, 1)))
    entry = {"path": "m/{id}.npy", "axes": ["x", "-y", "-z"]}
    assert one_label(folder, "normals", entry)[0, 0].tolist() == [0, 0, 1]
    put(folder / "m" / "a.npy", np.tile([2.0, 0.1, 0.1], (HEIGHT, WIDTH, 1)) / 2)
    entry = {"path": "m/{id}.npy", "axes": ["z", "x", "y"]}
    assert one_label(folder, "normals", entry)[0, 0] == pytest.approx([0.05, 0.05, 1], abs=0.01)
    put(folder / "m" / "a.png", np.tile(np.uint8([0, 1, 255, 0]), (HEIGHT, 4)))
    assert one_label(folder, "edge", {"path": "m/{id}.png", "ignore": [255]})[0, :4].tolist() == [0, 1, 255, 0]
    put(folder / "m" / "a.png", np.tile(np.uint8([0, 1, 254, 255]), (HEIGHT, 4)))
    names = {f"n{value}": value for value in range(255)}
    assert one_label(folder, "semseg", {"path": "m/{id}.png", "classes": names})[0, :4].tolist() == [0, 1, 254, 255]


def test_partly_labelled_folders_become_batches(folder):
    data = opened(folder)
    tensors = TransformedDataset(data, TestTransform((16, 16), data.tasks), data.tasks, (0, 0, 0), (1, 1, 1))
    counts = [[int(task.valid(tensors[i]["labels"][task.name]).sum()) for task in data.tasks] for i in (0, 3)]
    assert counts == [[176, 176, 0, 176], [0, 176, 192, 0]]


BAD_MANIFESTS = [
    ({"imags": 1}, r"manifest.yaml: there is no 'imags': did you mean 'images'\?"),
    ({"images": 3}, "images: got 3, wanted text"),
    ({"images": "images/a.png"}, r"does not hold \{id\}: write for example"),
    ({"images": "/images/{id}.png"}, "put that folder under 'root'"),
    ({"images": "pictures/{id}.png"}, r"no file fits images: pictures/\{id\}\.png below .*: correct the pattern"),
    ({"labels": {}}, "'labels' is empty"),
    ({"labels": {"depth": "depth/{id}.png"}}, r"labels: depth: got 'depth/\{id\}\.png', wanted keys with values"),
    (
        {"labels": {"depth": {"path": "depth/{id}.png", "scle": 1}}},
        "labels: depth: there is no 'scle': did you mean 'scale'",
    ),
    ({"labels": {"depth": {"path": "depth/{id}.png", "scale": "mm"}}}, "depth: scale: got 'mm', wanted a number"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "scale": True}}}, "scale: got True, wanted a number"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "ignore": 0}}}, "ignore: got 0, wanted a list, each a number"),
    (
        {"labels": {"depth": {"path": "nothing/{id}.png"}}},
        r"depth: no file fits nothing/\{id\}\.png .* any of 4 images",
    ),
    ({"labels": {"depth": {"scale": 2}}}, "give 'path', or 'source' for derived labels"),
    ({"labels": {"dept": {"path": "depth/{id}.png"}}}, "there is no 'dept': did you mean 'depth'"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "task": {"units": "cm"}}}}, "no 'units': did you mean 'unit'"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "classes": ["a", "b"]}}}, "'regression' has no classes"),
    ({"labels": {"semseg": {"path": "classes/{id}.png", "classes": ["a"]}}}, "1 channels do not fit"),
    ({"labels": {"semseg": {"path": "classes/{id}.png", "classes": {"a": "b"}}}}, "classes: got .* wanted a list"),
    (
        {"labels": {"semseg": {"path": "classes/{id}.png", "classes": ["a", "b"], "colours": [[1, 2, 3]]}}},
        "got 1 colours",
    ),
    ({"labels": {"semseg": {"path": "classes/{id}.png", "unlisted": "drop"}}}, "got 'drop', wanted error or ignore"),
    ({"labels": {"normals": {"path": "normals/{id}.png", "axes": ["x", "y", "w"]}}}, "give x, y and z once each"),
    ({"labels": {"normals": {"derive": "normals_from_depth", "path": "depth/{id}.png"}}}, "add focal"),
    (
        {"labels": {"normals": {"derive": "normals", "path": "depth/{id}.png"}}},
        "wanted normals_from_depth or boundaries",
    ),
    (
        {"labels": {"normals": {"derive": "normals_from_depth", "source": "depth", "focal": [1, 1]}}},
        "source 'depth' is none of the stored labels",
    ),
    ({"labels": {"normals": {"derive": "normals_from_depth", "path": "{id}", "focal": [1]}}}, "wanted a list of 2"),
    (
        {"labels": {"depth": {"derive": "boundaries_from_labels", "path": "depth/{id}.png"}}},
        "gives labels of kind 'binary'",
    ),
    ({"splits": {"val": {"last": 9}}}, "splits: val: 9 of 4 images"),
    ({"splits": {"val": {"last": 1, "first": 2}}}, "splits: val: got first and last: give one of"),
    ({"splits": {"val": {}}}, "got nothing: give one of"),
    ({"splits": {"val": {"ids": ["a", "z"]}}}, "splits: val: 'z' is no id of an image"),
    ({"splits": {"val": {"ids": [1]}}}, "ids: got .1., wanted a list, each text"),
    ({"splits": {"val": {"file": "none.txt"}}}, r"cannot read the list .*none\.txt"),
    ({"splits": {"vall": {"last": 1}}}, "splits: there is no 'val': did you mean 'vall'"),
    ({"ids": "two.txt"}, "1 of 2 images are missing, the first is .*zz.png"),
    ({"ids": "blank.txt"}, "the list is empty"),
    ({"root": "nowhere"}, "the root folder .*nowhere is not there"),
    ({"resize": 2}, "resize is 2: give a factor above 0 and at most 1"),
]


@pytest.mark.parametrize(("changes", "message"), BAD_MANIFESTS, ids=[message[:30] for _, message in BAD_MANIFESTS])
def test_mistakes_in_a_manifest(folder, changes, message):
    (folder / "two.txt").write_text("a\nzz")
    (folder / "blank.txt").write_text("\n\n")
    chosen = {"splits": {"val": {"first": 2}}} | changes
    with pytest.raises(ValueError, match=message) as caught:
        opened(folder, split="val", **chosen)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1", "not YAML"), ("", "holds no keys"), ("- 1", "holds no keys"), ("labels: {}", "'images' is missing")],
)
def test_files_that_are_no_manifest(tmp_path, text, message):
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: .*{message}"):
        FolderDataset(path)


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="No such file or directory: give the path of a manifest"):
        FolderDataset(tmp_path / "m.yaml")
    (tmp_path / "m.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ValueError, match="not a text file"):
        FolderDataset(tmp_path / "m.yaml")


def spoilt(folder, name, array, message, task="semseg"):
    put(folder / name, array)
    data = opened(folder)
    with pytest.raises(ValueError, match=message) as caught:
        data[0]
    assert str(folder / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_out_of_range(folder):
    spoilt(folder, "classes/a.png", grid(57), r"a\.png: value 57 is none of the 2 classes of semseg and is not ignored")


def test_a_map_of_another_size(folder):
    spoilt(folder, "depth/a.png", np.zeros((5, 7), np.uint8), r"the map is 7×5 pixels, its image 16×12: store both")


def test_a_map_of_other_channels(folder):
    spoilt(folder, "depth/a.png", grid(channels=(3,)), "the map has 3 channels, depth has 1")
    put(folder / "depth/a.png", grid())
    spoilt(folder, "normals/a.png", grid(), "the map has 1 channels, normals has 3")


def test_a_yes_or_no_map_that_can_be_read_two_ways(folder):
    spoilt(folder, "salient/a.png", np.tile(np.uint8([0, 1, 255, 0]), (HEIGHT, 4)), "holds both 1 and 255")


def test_a_damaged_image_is_named(folder):
    (folder / "images" / "a.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"images/a\.png: not a picture"):
        opened(folder)[0]


def test_the_scanned_room(root, shared):
    train, val = (
        FolderDataset(
            root / "configs" / "data" / "replica_office0.yaml", split=split, root=shared / "data" / "replica_office0"
        )
        for split in ("train", "val")
    )
    assert (len(train), len(val)) == (52, 12)
    assert not set(train.ids) & set(val.ids)
    assert [task.name for task in train.tasks] == ["semseg", "depth", "normals", "edge"]
    for sample in (train[0], val[11]):
        assert sample.image.shape == (170, 300, 3)
        assert sample.labels["semseg"].max() == 255
        assert 0.5 < np.median(sample.labels["depth"]) < 4
        assert (sample.labels["normals"] != 0).any(-1).mean() > 0.95
        assert 0.01 < sample.labels["edge"].mean() < 0.06
