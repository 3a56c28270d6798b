"""Shards: found, checked and read, on the disk and in an object store."""

import hashlib
import shutil
import socket
import sys

import fsspec
import pyarrow
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow import parquet
from torch.utils.data import DataLoader

from pamm.data.dataset import TransformedDataset
from pamm.data.folder import FolderDataset
from pamm.data.pack import pack
from pamm.data.shards import ShardDataset
from pamm.data.transforms import TrainTransform
from sample_checks import assert_same_samples
from toys import Rectangles


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Five samples to learn from in three shards, two to score on in one."""
    folder = tmp_path_factory.mktemp("packed")
    pack(Rectangles(length=5), folder, split="train", photos=2)
    pack(Rectangles(length=2), folder, split="val")
    return folder


@pytest.fixture
def copy(packed, tmp_path):
    return shutil.copytree(packed, tmp_path / "copy")


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("asked the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_nothing_is_asked_of_the_network(copy, offline):
    assert_same_samples(ShardDataset(copy, split="train"), Rectangles(length=5))


def test_splits(packed):
    assert len(ShardDataset(packed, usual="train")) == 5
    assert len(ShardDataset(packed, split="val", usual="train")) == 2
    assert len(ShardDataset(packed / "val-00000-of-00001.parquet", usual="train")) == 2, "the only one"
    with pytest.raises(ValueError, match="holds the splits train, val: name one of them"):
        ShardDataset(packed, usual="test")
    with pytest.raises(ValueError, match="there is no split 'valid': did you mean 'val'"):
        ShardDataset(packed, split="valid")


def test_a_pattern_picks_some(packed):
    some = ShardDataset(packed / "train-0000[12]-of-*")
    assert some.ids == ("rectangle 2", "rectangle 3", "rectangle 4")
    with pytest.raises(IndexError):
        some[3]
    assert some[-1].name == "rectangle 4"


def test_folders_of_any_name(packed, tmp_path):
    folder = shutil.copytree(packed, tmp_path / "a [b] *?c")
    assert_same_samples(ShardDataset(folder, split="train"), Rectangles(length=5))


def test_training_sees_the_same_with_and_without_shards(packed):
    tasks = Rectangles().tasks
    views = [
        TransformedDataset(source, TrainTransform((32, 48), tasks), tasks, mean=[0.5] * 3, std=[0.5] * 3, seed=3)
        for source in (Rectangles(length=5), ShardDataset(packed, split="train"))
    ]
    for one, other in zip(*(DataLoader(view, sampler=[7, 3, 11], num_workers=1) for view in views), strict=True):
        assert one["image"].equal(other["image"])
        assert all(label.equal(other["labels"][name]) for name, label in one["labels"].items())


class Store(MemoryFileSystem):
    """An object store, which tags what it holds."""

    protocol = "store"
    root_marker = ""

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("store://", "memory://"))

    def info(self, path, **kwargs):
        found = super().info(path, **kwargs)
        tag = {"ETag": hashlib.sha256(self.cat_file(path)).hexdigest()} if found["type"] == "file" else {}
        return found | tag


def test_an_object_store(packed):
    fsspec.register_implementation("store", Store, clobber=True)
    files = fsspec.filesystem("store")
    for path in packed.iterdir():
        files.pipe_file(f"/bucket/rooms/{path.name}", path.read_bytes())
    found = ShardDataset("store://bucket/rooms", split="train")
    assert_same_samples(found, Rectangles(length=5))
    name = "train-00002-of-00003.parquet"
    files.pipe_file(f"/bucket/rooms/{name}", (packed / "train-00000-of-00003.parquet").read_bytes())
    changed = ShardDataset("store://bucket/rooms/train*", storage_options={"use_listings_cache": False})
    assert changed.ids == tuple(f"rectangle {number}" for number in (0, 1, 2, 3, 0, 1)), "fetched anew"


def foreign(folder):
    path = folder / "train-00001-of-00003.parquet"
    parquet.write_table(pyarrow.table({"name": ["a"]}), path)


def cut(folder):
    path = folder / "train-00001-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-9])


def other_set(folder):
    pack(Rectangles(length=5), folder / "other", split="train", photos=2, stamp="other")
    (folder / "other/train-00001-of-00003.parquet").replace(folder / "train-00001-of-00003.parquet")


def older(folder):
    shutil.copy(folder / "train-00001-of-00003.parquet", folder / "train-00001-of-00009.parquet")


def lacking(folder):
    (folder / "train-00001-of-00003.parquet").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (foreign, "does not say which tasks it has labels for: write it with `pamm data pack`"),
        (cut, "train-00001-of-00003.parquet: not a Parquet file, or cut short: copy it again"),
        (other_set, "train: the shards are not of one set: pack it again"),
        (older, r"train: shards of several packings, of \[3, 9\] each: remove the older ones"),
        (lacking, "1 of 3 shards are missing, the first is train-00001-of-00003.parquet: copy them too"),
    ],
)
def test_what_is_wrong_with_a_folder(change, message, copy):
    change(copy)
    with pytest.raises(ValueError, match=message):
        ShardDataset(copy, split="train")


@pytest.mark.parametrize(
    ("root", "message"),
    [("nowhere", "no shards are there"), ("", "no shards are there"), ("nosuch://bucket", "Protocol not known")],
)
def test_no_such_place(root, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        ShardDataset(root if "://" in root else tmp_path / root)


def test_a_later_version(copy):
    path = copy / "val-00000-of-00001.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.replace_schema_metadata({"pamm": '{"version": 2}'}), path)
    with pytest.raises(ValueError, match="version 2, wanted 1: pack the set again"):
        ShardDataset(copy, split="val")


def test_a_damaged_sample(copy):
    path = copy / "val-00000-of-00001.parquet"
    table = parquet.read_table(path)
    rows = table.to_pylist()
    rows[0]["photo"] = rows[0]["photo"][:40]
    rows[1]["label_semseg"] = rows[1]["label_depth"] = b"nothing"
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), path)
    data = ShardDataset(copy, split="val")
    with pytest.raises(ValueError, match="copy: rectangle 0: the photo is damaged: copy its shard again"):
        data[0]
    for task in ("semseg", "depth"):
        with pytest.raises(ValueError, match=f"copy: rectangle 1: the {task} label is damaged: copy its shard again"):
            data.labels(1)[task]()


def test_the_extra_is_named(packed, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r"shards need datasets: pip install 'pamm\[shards\]'"):
        ShardDataset(packed)


def test_the_package_of_a_store_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ModuleNotFoundError, match="s3://bucket/rooms: Install s3fs"):
        ShardDataset("s3://bucket/rooms")


def test_photos_of_two_shapes(shared, tmp_path):
    (tmp_path / "bsds.yaml").write_text(
        "{images: 'images/{id}.jpg', splits: {val: {last: 9}}, labels: {saliency: {path: 'saliency/{id}.png'}}}"
    )
    data = FolderDataset(tmp_path / "bsds.yaml", root=shared / "data/bsds_sod", split="val")
    pack(data, tmp_path, split="val", photos=5)
    found = ShardDataset(tmp_path)
    assert_same_samples(found, data)
    assert all(found.stored_photo(index) == data.stored_photo(index) for index in range(9))


def test_a_scanned_room(shared, root, tmp_path):
    config = root / "configs/data/replica_office0.yaml"
    data = FolderDataset(config, root=shared / "data/replica_office0", split="val")
    pack(data, tmp_path, split="val", photos=5)
    assert_same_samples(ShardDataset(tmp_path), data)
