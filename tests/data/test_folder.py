"""Folders of one's own: every encoding, every missing label, maps that do not fit."""

import numpy as np
import pytest

from folder_toys import HEIGHT, IDS, MANIFEST, WIDTH, grid, one_label, opened, put, write
from pamm.data.dataset import TransformedDataset
from pamm.data.folder import FolderDataset
from pamm.data.transforms import TestTransform


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


def test_answers_of_several_annotators(folder):
    # the upper bits say how many answered, and are no answers
    put(folder / "m" / "a.png", np.tile(np.array([0x5000, 0x5001, 0x5006, 0x501F], np.uint16), (HEIGHT, 4)))
    entry = {"path": "m/{id}.png", "annotators": 5, "ignore": [0x501F]}
    assert one_label(folder, "edge", entry)[0, :4].tolist() == [0, 1, 1, 255]
    assert one_label(folder, "edge", entry | {"threshold": 1})[0, :4].tolist() == [0, 0, 1, 255]
    put(folder / "m" / "a.png", grid(0x81))
    assert one_label(folder, "edge", {"path": "m/{id}.png", "annotators": 12, "threshold": 1}).all()


def test_thin_lines_stay_whole_in_smaller_images(folder):
    drawn = grid()
    drawn[:, 5], drawn[4] = 1, 1
    drawn[0, 0] = 255
    put(folder / "m" / "a.png", drawn)
    entry = {"path": "m/{id}.png", "ignore": [255], "threshold": 0}
    thin, whole = (
        opened(folder, labels={"edge": entry | {"lines": lines}}, resize=0.4)[0].labels["edge"]
        for lines in (False, True)
    )
    assert whole.shape == thin.shape == (5, 6)
    assert (whole[1] == 1).all()
    assert (whole[:, 1] == 1).all()
    assert (whole == 1).sum() == 5 + 6 - 1
    assert not (thin == 1).all(axis=1).any()


def test_a_task_like_a_standard_one(folder):
    entry = {"like": "semseg", "path": "classes/{id}.png", "classes": {"a": [0], "b": [5, 9]}, "ignore": [7]}
    (task,) = opened(folder, labels={"room_classes": entry}).tasks
    assert (task.name, task.title, task.kind, task.score) == ("room_classes", "Room classes", "classes", "miou")
    assert task.class_names == ("a", "b")
    assert set(np.unique(one_label(folder, "room_classes", entry))) == {0, 1, 255}


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
        assert sample.image.shape == (128, 225, 3)
        assert sample.labels["semseg"].max() == 255
        assert 0.5 < np.median(sample.labels["depth"]) < 4
        assert (sample.labels["normals"] != 0).any(-1).mean() > 0.95
        assert 0.01 < sample.labels["edge"].mean() < 0.06


def test_splits_by_folder(folder):
    for path in ("train/x", "train/y", "val/z"):
        put(folder / "photos" / f"{path}.png", grid(9, channels=(3,)))
    put(folder / "depth" / "z.png", grid(7))
    splits = {name: {"images": f"photos/{name}/{{id}}.png"} for name in ("train", "val", "none")}
    splitting = {"images": "photos/*/{id}.png", "splits": splits, "labels": {"depth": {"path": "depth/{id}.png"}}}
    assert opened(folder, **splitting, split="train").ids == ("x", "y")
    assert opened(folder, **splitting, split="val").ids == ("z",)
    with pytest.raises(ValueError, match=r"no file fits splits: none: images: photos/none/\{id\}\.png"):
        opened(folder, **splitting, split="none")
    put(folder / "photos" / "val" / "x.png", grid(9, channels=(3,)))
    with pytest.raises(ValueError, match=r"splits: val: id 'x' is that of .* each split a manifest of its own"):
        opened(folder, **splitting, split="val")
