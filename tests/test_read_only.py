"""The guard that other tests rely on."""

import os

import numpy as np
import pytest
from PIL import Image

from read_only import read_only


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("a"),
        lambda path: path.mkdir(),
        lambda path: path.touch(),
        lambda path: np.save(path, np.zeros(3)),
        lambda path: Image.new("L", (2, 2)).save(path),
        lambda path: os.replace(path.parent / "there", path.parent.parent / "away"),
    ],
)
def test_nothing_is_written(write, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "there").write_text("there")
    with read_only(folder), pytest.raises(PermissionError):
        write(folder / "new.png")
    with read_only(folder):
        assert (folder / "there").read_text() == "there"
        (tmp_path / "beside").write_text("free")
    assert os.listdir(folder) == ["there"]
