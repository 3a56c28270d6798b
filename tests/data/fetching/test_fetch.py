"""A set comes whole or not at all, from the first source that gives it."""

import errno
import os
import shutil

import pytest

from fetch_toys import FILES, Page, serve, tar_bytes, tree, zip_bytes
from pamm.cli import main
from pamm.data.fetching import download as download_module
from pamm.data.fetching import fetch as module
from pamm.data.fetching.fetch import FetchError, fetch
from pamm.data.files import WriteError

BODY = tar_bytes()
VARIANT = {f"NYUD_MT/{name}": b"-" for name in ("gt_sets/train.txt", "images/0001.jpg", "edge/0001.npy")}
SET = {name.removeprefix("NYUDv2/"): content for name, content in FILES.items()}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download_module.time, "sleep", lambda _: None)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archives" / "set.tar.gz"
    path.parent.mkdir()
    path.write_bytes(BODY)
    return path


def write_list(path, *urls):
    path.write_text("nyud:\n" + "".join(f"  - url: {url}\n" for url in urls))
    return path


def test_from_a_server(home):
    seen = []
    with serve({"/a": Page(BODY)}) as server:
        done = fetch("nyud", home / "NYUDv2", archive=f"{server}/a", progress=lambda *step: seen.append(step[0]))
    assert done.root == home / "NYUDv2"
    assert done.archive is None
    assert tree(home / "NYUDv2") == SET
    assert os.listdir(home) == ["NYUDv2"]
    assert list(dict.fromkeys(seen)) == ["downloading", "unpacking"]
    assert done.root.stat().st_mode & 0o555 == 0o777 & ~os.umask(os.umask(0o22)) & 0o555


def test_keeping_the_archive(home):
    with serve({"/a": Page(zip_bytes())}) as server:
        done = fetch("nyud", home / "new/NYUDv2", archive=f"{server}/a", keep=True)
    assert done.archive.read_bytes() == zip_bytes()
    assert done.archive.name.endswith(".zip")
    assert sorted(os.listdir(home / "new")) == sorted(["NYUDv2", done.archive.name])
    assert tree(fetch("nyud", home / "again", archive=str(done.archive)).root) == SET


@pytest.mark.parametrize("form", ["path", "file"])
def test_from_an_archive_here(form, archive, home):
    fetch("nyud", home / "NYUDv2", archive=str(archive) if form == "path" else archive.as_uri())
    assert tree(home / "NYUDv2") == SET
    assert archive.read_bytes() == BODY
    assert os.listdir(archive.parent) == [archive.name]


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


def test_archives_without_a_folder_of_their_own(tmp_path, home):
    (tmp_path / "a.tar").write_bytes(tar_bytes(SET, "w"))
    fetch("nyud", home / "NYUDv2", archive=str(tmp_path / "a.tar"))
    assert tree(home / "NYUDv2") == SET


def test_the_next_source_is_tried(tmp_path, home):
    damaged = bytearray(BODY)
    damaged[len(BODY) // 2] ^= 255
    pages = {
        "/page": Page(b"<!DOCTYPE html>"),
        "/damaged": Page(bytes(damaged)),
        "/other": Page(tar_bytes({"NYUDv2/train/0.npy": b""})),
        "/part": Page(tar_bytes({"NYUDv2/gt_sets/train.txt": b"", "NYUDv2/edge/1.png": b""})),
        "/variant": Page(tar_bytes(VARIANT)),
        "/good": Page(BODY),
    }
    lines = []
    with serve(pages) as server:
        urls = [f"{server}{path}" for path in ("/gone", *pages)]
        done = fetch("nyud", home / "NYUDv2", sources=write_list(tmp_path / "list.yaml", *urls), tell=lines.append)
    assert done.source.url == urls[-1]
    assert tree(home / "NYUDv2") == SET
    assert os.listdir(home) == ["NYUDv2"]
    failed = [line for line in lines if not line.startswith("trying ")]
    reasons = [
        "answered 404",
        "is a web page",
        "is damaged",
        "holds another data set, wanted NYUD-v2",
        "lacks images",
        "holds MTI-Net's archive NYUD_MT",
    ]
    assert len(failed) == len(reasons)
    for line, url, reason in zip(failed, urls, reasons, strict=False):
        assert line.startswith(url)
        assert reason in line


@pytest.mark.parametrize("kind", ["segmentation", "depth", "normals", "edge"])
def test_a_set_without_all_kinds_of_labels(kind, tmp_path, home):
    some = {name: content for name, content in SET.items() if name.startswith(("gt_sets", "images", kind))}
    (tmp_path / "a.tar").write_bytes(tar_bytes(some, "w"))
    assert tree(fetch("nyud", home / "NYUDv2", archive=str(tmp_path / "a.tar")).root) == some


def test_all_failures_are_listed(tmp_path, home):
    with serve({"/page": Page(b"<html>")}) as server:
        urls = [f"{server}/gone", f"{server}/page", str(tmp_path / "none.tar")]
        with pytest.raises(FetchError) as error:
            fetch("nyud", home / "NYUDv2", sources=write_list(tmp_path / "list.yaml", *urls))
    text = str(error.value)
    assert [text.index(url) for url in urls] == sorted(text.index(url) for url in urls)
    assert all(reason in text for reason in ("404", "web page", "is not there"))
    assert os.listdir(home) == []


def test_the_checksum_of_a_list(tmp_path, archive, home):
    path = tmp_path / "list.yaml"
    path.write_text(f"nyud: [{{url: {archive}, md5: {'f' * 32}}}]")
    with pytest.raises(FetchError, match="its md5 is"):
        fetch("nyud", home / "NYUDv2", sources=path)
    assert archive.exists()


def test_the_known_sources(home, monkeypatch):
    """Without any word on where, the packaged ones are tried in their order."""
    tried = []

    def refuse(source, *_args, **_kwargs):
        tried.append(source)
        raise module.SourceError("no")

    monkeypatch.setattr(module, "download", refuse)
    with pytest.raises(FetchError):
        fetch("pascal_context", home / "PASCALContext")
    assert tuple(tried) == module.SETS["pascal_context"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("step", ["unpack", "find_root", "os.rename"])
def test_a_failure_leaves_the_download_and_nothing_else(step, failure, home, monkeypatch):
    def fail(*_args, **_kwargs):
        raise failure

    page = Page(BODY)
    with serve({"/a": page}) as server:
        with monkeypatch.context() as patch:
            patch.setattr(f"pamm.data.fetching.fetch.{step}", fail)
            with pytest.raises(KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else WriteError):
                fetch("nyud", home / "NYUDv2", archive=f"{server}/a")
        left = sorted(os.listdir(home))
        assert [name.partition(".part")[1:] for name in left] == [(".part", ""), (".part", ".json")]
        fetch("nyud", home / "NYUDv2", archive=f"{server}/a")
    assert page.asked == [None]
    assert tree(home / "NYUDv2") == SET
    assert os.listdir(home) == ["NYUDv2"]


def test_interrupted_while_downloading(home):
    page = Page(BODY)

    def interrupt(stage, done, total):
        if done > len(BODY) // 2:
            raise KeyboardInterrupt

    with serve({"/a": page}) as server:
        with pytest.raises(KeyboardInterrupt):
            fetch("nyud", home / "NYUDv2", archive=f"{server}/a", progress=interrupt)
        assert not (home / "NYUDv2").exists()
        fetch("nyud", home / "NYUDv2", archive=f"{server}/a")
    assert page.asked[1].startswith("bytes=")
    assert tree(home / "NYUDv2") == SET


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


def test_two_places_at_once(archive, home):
    with pytest.raises(ValueError, match="give one of them"):
        fetch("nyud", home / "NYUDv2", archive=str(archive), sources="list.yaml")


def test_the_command(archive, home, capsys):
    args = ["data", "fetch", "nyud", "-o", str(home / "NYUDv2"), "--archive"]
    with serve({"/a": Page(BODY)}) as server:
        assert main([*args, f"{server}/gone"]) == 2
        text = capsys.readouterr().err
        assert f"error: no source gave nyud: {server}/gone: answered 404" in text
        assert "Traceback" not in text
        assert main([*args, f"{server}/a", "--keep"]) == 0
    text = capsys.readouterr().out
    assert f"nyud: {home / 'NYUDv2'}\n" in text
    assert ".tar.gz" in text
    assert tree(home / "NYUDv2") == SET
    assert main([*args, str(archive)]) == 2
    assert "error: " in capsys.readouterr().err
    assert main([*args, str(archive), "--overwrite"]) == 0


def test_mistakes_on_the_command_line(home, capsys):
    assert main(["data", "fetch", "nyudv2", "--out", str(home / "a")]) == 2
    assert "no set to fetch 'nyudv2': did you mean 'nyud'" in capsys.readouterr().err
    assert main(["data", "fetch", "nyud", "--out", str(home / "a"), "--archive", "ftp://x/y"]) == 2
    assert "cannot fetch over ftp" in capsys.readouterr().err
