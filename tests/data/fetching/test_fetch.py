"""A set comes whole or not at all, from the first source that gives it."""

import errno
import os

import pytest

from fetch_toys import BODY, SET, VARIANT, Page, serve, tar_bytes, tree, zip_bytes
from pamm.cli import main
from pamm.data.fetching import fetch as module
from pamm.data.fetching.fetch import FetchError, fetch
from pamm.data.files import WriteError


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


def test_success_leaves_no_part_of_any_source(tmp_path, home):
    pages = {"/half": Page(BODY, cuts=[len(BODY) // 2] + [0] * 9), "/good": Page(BODY)}
    with serve(pages) as server:
        fetch(
            "nyud", home / "NYUDv2", sources=write_list(tmp_path / "list.yaml", *(f"{server}{path}" for path in pages))
        )
    assert pages["/half"].asked[-1] is not None
    assert os.listdir(home) == ["NYUDv2"]


def test_only_the_used_archive_is_kept(tmp_path, home):
    pages = {"/variant": Page(tar_bytes(VARIANT)), "/good": Page(BODY)}
    with serve(pages) as server:
        urls = write_list(tmp_path / "list.yaml", *(f"{server}{path}" for path in pages))
        done = fetch("nyud", home / "NYUDv2", sources=urls, keep=True)
    assert sorted(os.listdir(home)) == sorted(["NYUDv2", done.archive.name])
    assert done.archive.read_bytes() == BODY


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
