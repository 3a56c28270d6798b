"""Nothing half-written is left behind, whatever fails."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pamm.data.files import WriteError, atomic_write


def test_writes_and_makes_folders(tmp_path):
    with atomic_write(tmp_path / "a" / "b" / "values.npz") as path:
        assert path.suffix == ".npz"
        np.savez(path, depth=np.ones(3))
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["values.npz"]


def write(target, *, then=None, disk=None):
    with atomic_write(target) as path:
        if disk:
            path.symlink_to(disk)
        path.write_text("half")
        if then:
            raise then


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_keeps_the_older_file_and_leaves_no_other(tmp_path, failure):
    target = tmp_path / "out.txt"
    target.write_text("older")
    with pytest.raises(failure):
        write(target, then=failure())
    assert target.read_text() == "older"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_full_disk_is_one_clear_line(tmp_path):
    with pytest.raises(WriteError, match=r"^cannot write .*out\.txt: No space left on device: make room.*$"):
        write(tmp_path / "out.txt", then=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_really_full_device(tmp_path):
    with pytest.raises(WriteError, match="No space left"):
        write(tmp_path / "out.txt", disk="/dev/full")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="choose a folder"):
        write(tmp_path / "file" / "out.txt")


def test_very_long_names(tmp_path):
    with atomic_write(tmp_path / ("n" * 240 + ".png")) as path:
        path.write_bytes(b"x")
    assert len(os.listdir(tmp_path)) == 1
