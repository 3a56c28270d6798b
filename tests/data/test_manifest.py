"""Every mistake in a manifest."""

import re

import pytest

from folder_toys import opened
from pamm.data.folder import FolderDataset

BAD_MANIFESTS = [
    ({"imags": 1}, r"manifest.yaml: there is no key 'imags': did you mean 'images'\?"),
    ({"images": 3}, "images: got 3, wanted text"),
    ({"images": "images/a.png"}, r"does not hold \{id\}: write for example"),
    ({"images": "/images/{id}.png"}, "put that folder under 'root'"),
    ({"images": "pictures/{id}.png"}, r"no file fits images: pictures/\{id\}\.png below .*: correct the pattern"),
    ({"labels": {}}, "'labels' is empty"),
    ({"labels": {"depth": "depth/{id}.png"}}, r"labels: depth: got 'depth/\{id\}\.png', wanted keys with values"),
    (
        {"labels": {"depth": {"path": "depth/{id}.png", "scle": 1}}},
        "labels: depth: there is no key 'scle': did you mean 'scale'",
    ),
    ({"labels": {"depth": {"path": "depth/{id}.png", "scale": "mm"}}}, "depth: scale: got 'mm', wanted a number"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "scale": True}}}, "scale: got True, wanted a number"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "ignore": 0}}}, "ignore: got 0, wanted a list, each a number"),
    (
        {"labels": {"depth": {"path": "nothing/{id}.png"}}},
        r"depth: no file fits nothing/\{id\}\.png .* any of 4 images",
    ),
    ({"labels": {"depth": {"scale": 2}}}, "give 'path', or 'source' for derived labels"),
    ({"labels": {"dept": {"path": "depth/{id}.png"}}}, "there is no task 'dept': did you mean 'depth'"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "task": {"units": "cm"}}}}, "no key 'units': did you mean 'unit'"),
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
    ({"labels": {"depth": {"path": "depth/{id}.png", "annotators": 3}}}, "annotators answer yes/no questions"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "lines": True}}}, "lines are answers to yes/no questions"),
    ({"labels": {"edge": {"path": "depth/{id}.png", "annotators": 0}}}, "annotators is 0: give the number of bits"),
    ({"labels": {"depth": {"path": "depth/{id}.png", "like": "edge"}}}, "depth is a standard task of its own"),
    ({"labels": {"far": {"path": "depth/{id}.png", "like": "dept"}}}, "no standard task to be like 'dept': did you"),
    ({"splits": {"val": {"last": 9}}}, "splits: val: 9 of 4 images"),
    ({"splits": {"val": {"last": 1, "first": 2}}}, "splits: val: got first and last: give one of"),
    ({"splits": {"val": {}}}, "got nothing: give one of"),
    ({"splits": {"val": {"ids": ["a", "z"]}}}, "splits: val: 'z' is no id of an image"),
    ({"splits": {"val": {"ids": [1]}}}, "ids: got .1., wanted a list, each text"),
    ({"splits": {"val": {"file": "none.txt"}}}, r"cannot read the list .*none\.txt"),
    ({"splits": {"vall": {"last": 1}}}, "splits: there is no split 'val': did you mean 'vall'"),
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
