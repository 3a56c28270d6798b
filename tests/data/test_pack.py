"""Packing: every data set as shards without loss, in whole files, from where it stopped."""

import numpy as np
import pytest
from PIL import Image

from benchmark_trees import write_nyud, write_pascal
from folder_toys import HEIGHT, IDS, WIDTH, opened, write
from pamm.data.folder import FolderDataset
from pamm.data.nyud import NYUDDataset
from pamm.data.pack import pack
from pamm.data.pascal_context import PASCALContextDataset
from pamm.data.sample import Sample
from pamm.data.scenes import ScenesDataset
from pamm.data.shards import ShardDataset
from sample_checks import assert_same_samples
from toys import ALBEDO, Rectangles


def test_a_folder_with_missing_labels(folder, tmp_path):
    data = opened(folder)
    counts = []
    shards = pack(data, tmp_path / "out", split="all", photos=3, progress=lambda *count: counts.append(count))
    assert [path.name for path in shards] == ["all-00000-of-00002.parquet", "all-00001-of-00002.parquet"]
    assert counts == [(3, 4), (4, 4)]
    assert_same_samples(ShardDataset(tmp_path / "out"), data)


@pytest.mark.parametrize("scoring", [False, True])
@pytest.mark.parametrize(("kind", "write_tree"), [(NYUDDataset, write_nyud), (PASCALContextDataset, write_pascal)])
def test_benchmarks(kind, write_tree, scoring, tmp_path):
    write_tree(tmp_path / "tree")
    data = kind(tmp_path / "tree", split="val", scoring=scoring)
    pack(data, tmp_path / "out", split="val")
    assert_same_samples(ShardDataset(tmp_path / "out"), data)


def test_rendered_scenes_and_tasks_of_ones_own(tmp_path):
    scenes = ScenesDataset(length=2, height=32, width=40)
    pack(scenes, tmp_path, split="scenes")
    assert_same_samples(ShardDataset(tmp_path, split="scenes"), scenes)
    own = Rectangles([ALBEDO], length=3)
    pack(own, tmp_path, split="own")
    assert_same_samples(ShardDataset(tmp_path, split="own"), own)


def test_values_of_every_bit_pattern(tmp_path):
    class Odd(Rectangles):
        def __getitem__(self, index):
            label = np.array([np.nan, -0.0, np.inf, 1e-45, 3.4e38, 1 / 3], np.float32)
            label[:1].view(np.uint32)[0] |= 5
            image = np.zeros((2, 1, 3), np.uint8)
            return Sample(image, {"albedo": np.stack([label.reshape(2, 1, 3)[..., k] for k in range(3)], axis=-1)}, "a")

    data = Odd([ALBEDO], length=1)
    pack(data, tmp_path, split="all")
    assert_same_samples(ShardDataset(tmp_path), data)


def test_photos_keep_the_bytes_of_their_files(folder, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    for name in IDS:
        turned = name == "b"
        size = (WIDTH, HEIGHT) if turned else (HEIGHT, WIDTH)
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"images/{name}.jpg", exif=exif if turned else b"")
    data = opened(folder, images="images/{id}.jpg", labels={"depth": {"path": "depth/{id}.png"}})
    pack(data, tmp_path / "out", split="all")
    found = ShardDataset(tmp_path / "out")
    assert found.stored_photo(0) == (folder / "images/a.jpg").read_bytes()
    assert found.stored_photo(1).startswith(b"\x89PNG"), "turned as it is shown"
    assert [found[index].image.tobytes() for index in range(4)] == [data[index].image.tobytes() for index in range(4)]


def test_a_set_that_is_made_smaller_as_it_is_read(folder, tmp_path):
    data = FolderDataset(write(folder), resize=0.5)
    pack(data, tmp_path / "out", split="all")
    assert_same_samples(ShardDataset(tmp_path / "out"), data)


def test_it_goes_on_where_it_stopped(tmp_path):
    class Failing(Rectangles):
        broken = 5

        def __getitem__(self, index):
            reads.append(index)
            if index == self.broken:
                raise ValueError("5.png: damaged")
            return super().__getitem__(index)

    reads = []
    data = Failing(length=8)
    with pytest.raises(ValueError, match=r"^5\.png: damaged$"):
        pack(data, tmp_path, split="all", photos=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"all-0000{k}-of-00004.parquet" for k in (0, 1)]
    Failing.broken = None
    reads.clear()
    pack(data, tmp_path, split="all", photos=2)
    assert reads == [4, 5, 6, 7]
    assert_same_samples(ShardDataset(tmp_path), data)
    reads.clear()
    pack(data, tmp_path, split="all", photos=2)
    assert reads == []


@pytest.mark.parametrize(
    ("length", "changes"), [(6, {"stamp": "other"}), (5, {}), (6, {"photos": 3}), (6, {"photos": 5})]
)
def test_another_set_under_the_same_names(tmp_path, length, changes):
    pack(Rectangles(length=6), tmp_path, split="all", photos=4)
    with pytest.raises(ValueError, match="of another set or another packing: choose another folder"):
        pack(Rectangles(length=length), tmp_path, split="all", **({"photos": 4} | changes))


def test_processes_that_read(tmp_path):
    data = Rectangles(length=5)
    pack(data, tmp_path / "two", split="all", workers=2, photos=2)
    pack(data, tmp_path / "none", split="all", photos=2)
    for path in (tmp_path / "none").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "a/b"}, "split 'a/b': give a name of letters"),
        ({"split": "all", "photos": 0}, "got 0 photos in a shard: give 1 or more"),
    ],
)
def test_mistakes(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pack(Rectangles(), tmp_path, **options)


def test_labels_of_another_type(tmp_path):
    class Wide(Rectangles):
        def __getitem__(self, index):
            sample = super().__getitem__(index)
            return Sample(sample.image, {name: label.astype(np.float64) for name, label in sample.labels.items()}, "a")

    with pytest.raises(ValueError, match="the albedo label is of type float64, wanted float32"):
        pack(Wide([ALBEDO]), tmp_path, split="all")
    assert list(tmp_path.iterdir()) == []
