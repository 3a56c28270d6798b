"""Figures of real labelled images, beside those that a few lines of numpy give."""

import json
from itertools import chain

import numpy as np
import pytest
import yaml
from PIL import Image

from pamm.engine.check import check

CAMVID = "sky building pole road pavement tree sign fence car pedestrian bicyclist".split()


def read_all(folder, pattern):
    return [np.array(Image.open(path)) for path in sorted(folder.glob(pattern))]


def checked(tmp_path, root, manifest):
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(manifest, sort_keys=False))
    report, sheet = check(path, root=root, samples=1)
    assert report.sound
    assert sheet is not None
    (every,) = report.splits
    return every, report.notes()


def counts(maps, values):
    """Number of pixels of each value."""
    found = sum(np.bincount(array.ravel(), minlength=256) for array in maps)
    return [int(found[np.asarray(value)].sum()) for value in values]


def test_saliency_of_bsds(shared, tmp_path):
    root = shared / "data/bsds_sod"
    splits = {name: {"file": f"{name}.txt"} for name in ("train", "val")}
    # lines of several annotators, packed as bits, are not labels of one kind of pixel
    manifest = {"images": "images/{id}.jpg", "splits": splits, "labels": {"saliency": {"path": "saliency/{id}.png"}}}
    every, notes = checked(tmp_path, root, manifest)
    maps = read_all(root, "saliency/*.png")
    assert (every.photos, every.tasks["saliency"].labels) == (300, 300)
    assert notes == ["split train: 200 photos", "split val: 100 photos"]
    assert set(every.sizes) == {(321, 481), (481, 321)}
    assert every.tasks["saliency"].classes == counts(maps, [[0], [255]])


def test_parts_of_ccp(shared, tmp_path):
    root = shared / "data/ccp_parts"
    listed = json.loads((root / "classes.json").read_text())
    values = {
        name: [value for value, group in enumerate(listed["to_coarse"]) if group == index]
        for index, name in enumerate(listed["coarse_names"])
    }
    without = [value for value, group in enumerate(listed["to_coarse"]) if group == 255]
    entry = {"path": "labels/{id}.png", "classes": values, "ignore": without}
    every, _ = checked(tmp_path, root, {"images": "images/{id}.jpg", "labels": {"human_parts": entry}})
    figures = every.tasks["human_parts"]
    wanted = counts(read_all(root, "labels/*.png"), values.values())
    assert (every.photos, figures.labels, figures.classes) == (160, 160, wanted)
    assert figures.shares["upper"] == pytest.approx(wanted[3] / sum(wanted))
    assert {height for height, _ in every.sizes} == {512}


def test_streets_of_camvid(shared, tmp_path):
    root = shared / "data/camvid_240"
    entry = {"path": "*annot/{id}.png", "classes": CAMVID, "ignore": [11]}
    every, _ = checked(tmp_path, root, {"images": "*/{id}.jpg", "labels": {"semseg": entry}})
    maps = read_all(root, "*annot/*.png")
    assert (every.photos, every.tasks["semseg"].labels, dict(every.sizes)) == (468, 468, {(180, 240): 468})
    assert every.tasks["semseg"].classes == counts(maps, [[value] for value in range(11)])
    assert every.tasks["semseg"].pixels - every.tasks["semseg"].counted == counts(maps, [[11]])[0]


def test_rooms_of_replica(shared, root):
    folder = shared / "data/replica_office0"
    report, _ = check(root / "configs/data/replica_office0.yaml", root=folder, samples=1)
    tasks = report.splits[0].tasks
    classes = yaml.safe_load((root / "configs/data/replica_office0.yaml").read_text())["labels"]["semseg"]["classes"]
    assert report.notes() == ["split train: 52 photos", "split val: 12 photos"]
    assert tasks["semseg"].classes == counts(
        (array.astype(np.int64) for array in read_all(folder, "semantic/*.png")), [[v] for v in classes.values()]
    )
    depth = list(chain.from_iterable(read_all(folder, "depth_mm/*.png")))
    metres = np.concatenate(depth) / 1000
    assert tasks["depth"].span == pytest.approx((metres[metres > 0].min(), metres.max()))
    assert tasks["depth"].counted == (metres > 0).sum()
    assert tasks["depth"].labels == tasks["normals"].labels == tasks["edge"].labels == 64
