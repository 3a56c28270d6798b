"""Folders: those a set is copied from, those it is put into, and what is left there."""

import errno
import os
import shutil

import pytest

from fetch_toys import BODY, SET, VARIANT, tar_bytes, tree
from pamm.data.fetching import fetch as module
from pamm.data.fetching.fetch import FetchError, fetch
from pamm.data.fetching.unpack import Limits
from pamm.data.files import WriteError


@pytest.mark.parametrize("level", [".", "NYUDv2"])
def test_from_a_folder_here(level, archive, tmp_path, home):
    shutil.unpack_archive(archive, tmp_path / "here")
    linked = tmp_path / "here/NYUDv2/images/link.png"
    linked.symlink_to(archive)
    (tmp_path / "here/NYUDv2/edge").chmod(0o555)
    fetch("nyud", home / "NYUDv2", archive=str(tmp_path / "here" / level))
    assert tree(home / "NYUDv2") == SET | {"images/link.png": BODY}
    assert not (home / "NYUDv2/images/link.png").is_symlink()
    assert os.listdir(home) == ["NYUDv2"]


def test_a_failure_leaves_no_new_folders(archive, home):
    archive.write_bytes(tar_bytes(VARIANT))
    with pytest.raises(FetchError):
        fetch("nyud", home / "a/b/NYUDv2", archive=str(archive))
    assert os.listdir(home) == []


def test_what_a_killed_run_left_is_named(archive, home):
    for name in (".0123abcd-NYUDv2", ".NYUDv2-a_b1c2d3"):
        (home / name).mkdir()
    lines = []
    fetch("nyud", home / "NYUDv2", archive=str(archive), tell=lines.append)
    assert [line.partition(": ")[0] for line in lines[:2]] == [
        str(home / ".NYUDv2-a_b1c2d3"),
        str(home / ".0123abcd-NYUDv2"),
    ]
    assert len(os.listdir(home)) == 3


def test_what_is_there_stays(archive, home):
    target = home / "NYUDv2"
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(WriteError, match="is not empty: choose another folder, or ask to overwrite"):
        fetch("nyud", target, archive=str(archive))
    with pytest.raises(WriteError, match="holds no gt_sets, so it is no such set"):
        fetch("nyud", target, archive=str(archive), overwrite=True)
    with pytest.raises(WriteError, match="is no folder"):
        fetch("nyud", target / "mine", archive=str(archive))
    assert tree(home) == {"NYUDv2/mine": b"mine"}


def test_overwriting(archive, home, monkeypatch):
    target = home / "NYUDv2"
    (target / "gt_sets").mkdir(parents=True)
    (target / "gt_sets/old.txt").write_text("old")
    rename, calls = os.rename, []

    def fail_second(source, to):
        calls.append(to)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, to)

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "rename", fail_second)
        with pytest.raises(WriteError, match="Input/output error"):
            fetch("nyud", target, archive=str(archive), overwrite=True)
    assert tree(home) == {"NYUDv2/gt_sets/old.txt": b"old"}
    assert os.listdir(home) == ["NYUDv2"]
    fetch("nyud", target, archive=str(archive), overwrite=True)
    assert tree(target) == SET
    assert os.listdir(home) == ["NYUDv2"]


def test_an_empty_folder_may_be_there(archive, home, tmp_path):
    (home / "NYUDv2").mkdir()
    (tmp_path / "link").symlink_to(home / "NYUDv2")
    assert tree(fetch("nyud", tmp_path / "link", archive=str(archive)).root) == SET
    assert tree(home / "NYUDv2") == SET


def test_a_folder_is_not_copied_into_itself(archive, home):
    root = fetch("nyud", home / "NYUDv2", archive=str(archive)).root
    for out, overwrite in ((root, True), (root / "copy", False)):
        with pytest.raises(FetchError, match="choose another folder to fetch to"):
            fetch("nyud", out, archive=str(home), overwrite=overwrite)
    (root / "a.tar").write_bytes(BODY)
    with pytest.raises(FetchError, match="choose another folder to fetch to"):
        fetch("nyud", root, archive=str(root / "a.tar"), overwrite=True)
    assert tree(root) == SET | {"a.tar": BODY}


def test_a_folder_that_holds_itself(archive, tmp_path, home):
    shutil.unpack_archive(archive, tmp_path / "here")
    (tmp_path / "here/NYUDv2/images/loop").symlink_to(tmp_path / "here/NYUDv2")
    with pytest.raises(FetchError, match="images/loop is a link to a folder that holds it"):
        fetch("nyud", home / "NYUDv2", archive=str(tmp_path / "here"))
    assert os.listdir(home) == []


def test_a_folder_that_is_too_large(archive, tmp_path, home, monkeypatch):
    shutil.unpack_archive(archive, tmp_path / "here")
    monkeypatch.setattr(module, "LIMITS", Limits(size=1000))
    with pytest.raises(FetchError, match="holds more than 1000 bytes"):
        fetch("nyud", home / "NYUDv2", archive=str(tmp_path / "here"))
    assert os.listdir(home) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_folder_with_a_pipe(archive, tmp_path, home):
    shutil.unpack_archive(archive, tmp_path / "here")
    os.mkfifo(tmp_path / "here/NYUDv2/images/pipe")
    with pytest.raises(FetchError, match=r"pipe cannot be copied: .* no plain file"):
        fetch("nyud", home / "NYUDv2", archive=str(tmp_path / "here"))
    assert os.listdir(home) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(archive, home):
    home.chmod(0o555)
    with pytest.raises(WriteError, match="Permission denied: make room, or choose a folder you may write to"):
        fetch("nyud", home / "NYUDv2", archive=str(archive))
