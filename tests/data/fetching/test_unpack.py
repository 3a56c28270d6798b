"""Archives of every kind come out whole; hostile and damaged ones are refused, and write nothing outside."""

import errno
import io
import os
import random
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from fetch_toys import FILES, tar_bytes, tree, zip_bytes
from pamm.data.fetching.unpack import ArchiveError, Limits, archive_suffix, unpack
from pamm.data.files import WriteError


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "around" / "out"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def refused(tmp_path, out):
    """Unpack bytes that must be refused, give the message, and see that nothing lies outside the folder."""

    def check(content: bytes, **limits: int) -> str:
        archive = tmp_path / "archive"
        archive.write_bytes(content)
        with pytest.raises(ArchiveError) as error:
            unpack(archive, out, limits=Limits(**limits))
        assert sorted(os.listdir(tmp_path)) == ["archive", "around"]
        assert os.listdir(out.parent) == ["out"]
        assert "\n" not in str(error.value)
        return str(error.value)

    return check


def tar_of(*members: tarfile.TarInfo | tuple[str, bytes], mode="w", **settings) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode, **settings) as tar:
        for member in members:
            if isinstance(member, tuple):
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
            else:
                tar.addfile(member)
    return content.getvalue()


def info(name, kind, **fields):
    member = tarfile.TarInfo(name)
    member.type = kind
    for key, value in fields.items():
        setattr(member, key, value)
    return member


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], compression=zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        *((tar_bytes(mode=mode), suffix) for mode, suffix in
          [("w", ".tar"), ("w:gz", ".tar.gz"), ("w:bz2", ".tar.bz2"), ("w:xz", ".tar.xz")]),
        (zip_bytes(), ".zip"),
    ],
)  # fmt: skip
def test_every_kind(content, suffix, tmp_path, out):
    archive = tmp_path / "a.bin"  # the name says nothing
    archive.write_bytes(content)
    seen = []
    unpack(archive, out, progress=lambda done, total: seen.append((done, total)))
    assert tree(out) == FILES
    assert archive_suffix(archive) == suffix
    assert seen == sorted(seen)
    assert seen[-1][0] <= seen[-1][1] == len(content)


def test_folders_modes_and_dots(tmp_path, out):
    secret = info("./a/empty", tarfile.DIRTYPE, mode=0)
    runs = info("./a/run", tarfile.REGTYPE, mode=0o4777, uid=0)
    (tmp_path / "a.tar").write_bytes(tar_of(info("./", tarfile.DIRTYPE), secret, runs, ("a//./b", b"b")))
    unpack(tmp_path / "a.tar", out)
    assert tree(out) == {"a/run": b"", "a/b": b"b"}
    assert os.listdir(out / "a/empty") == []
    assert not (out / "a/run").stat().st_mode & 0o7111


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "a/..",
        "/tmp/x",
        "//x",
        "..\\x",
        "a\\x",
        "C:/x",
        "C:x",
        "a:stream",
        "x\ny",
        "a/" * 600 + "x",
    ],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_names_that_lead_out(pack, name, refused):
    assert "a name that could lead out" in refused(pack(("fine", b"1"), (name, b"2")))


@pytest.mark.parametrize(
    "member",
    [
        info("link", tarfile.SYMTYPE, linkname="../../x"),
        info("link", tarfile.SYMTYPE, linkname="fine"),
        info("link", tarfile.LNKTYPE, linkname="fine"),
        info("link", tarfile.LNKTYPE, linkname="/etc/passwd"),
        info("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        info("disk", tarfile.BLKTYPE),
        info("pipe", tarfile.FIFOTYPE),
        info("odd", b"Z"),
    ],
    ids=lambda member: f"{member.name} {member.type.decode()}",
)
def test_no_links_and_no_devices(member, refused, out):
    assert "no plain file" in refused(tar_of(("fine", b"1"), member, (f"{member.name}/x", b"2")))
    assert os.listdir(out) == ["fine"]


@pytest.mark.parametrize("kind", [0o120000, 0o010000, 0o020000, 0o060000, 0o140000])
def test_no_links_and_no_devices_in_zips(kind, refused):
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, (kind | 0o777) << 16
    assert "no plain file" in refused(zip_of((link, b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [
        *[("a", "a"), ("a", "./a"), ("a", "A"), ("d/a", "D/b"), ("a", "a/b"), ("a/b", "a")],
        *[("Stra\u00dfe", "STRASSE"), ("e\u0301", "\u00e9")],
    ],
)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_names_that_meet(pack, names, refused):
    assert "they would be one file" in refused(pack(*((name, b"1") for name in names)))


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_bounds(pack, refused):
    many = [(f"f/{number}", b"") for number in range(9)]
    assert "more than 9 files and folders" in refused(pack(*many), members=9)  # the folder counts
    assert "'big' has 11 bytes, more than 10" in refused(pack(("big", bytes(11))), file_size=10)
    assert "unpacks to more than 25 bytes" in refused(pack(*((name, bytes(9)) for name in "abc")), size=25)


def test_the_same_folder_without_end(refused):
    again = info("a", tarfile.DIRTYPE)
    assert "more than 5 files and folders" in refused(tar_of(*[again] * 6), members=5)


@pytest.mark.parametrize("pack", [lambda *members: tar_of(*members, mode="w:gz"), zip_of])
def test_a_bomb(pack, refused, monkeypatch):
    monkeypatch.setattr("pamm.data.fetching.unpack._FREE", 0)
    assert "unpacks to more than" in refused(pack(("zeros", bytes(3 << 20))))


def test_a_zip_that_lies_about_its_sizes(refused):
    content = bytearray(zip_of(("zeros", bytes(1 << 20))))
    at = content.rfind(b"PK\1\2")
    content[at + 24 : at + 28] = struct.pack("<I", 5)
    assert "damaged" in refused(bytes(content), file_size=10)


def test_a_header_that_would_fill_the_memory(refused):
    """A name of 64 MiB costs nothing when compressed."""
    header = info("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=64 << 20).tobuf(tarfile.GNU_FORMAT)
    assert "a header of 67108864 bytes" in refused(tar_of(("a", b"1"))[:1024] + header + bytes(1024))


def test_rare_compressions_of_zips(refused):
    assert "pack it anew" in refused(zip_of(("a", b"1"), compression=zipfile.ZIP_BZIP2))


def test_a_password(refused):
    content = bytearray(zip_bytes())
    for magic, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.find(magic) + at] |= 1
    assert "password" in refused(bytes(content))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_cut_archives(mode, keep, refused):
    whole = zip_bytes() if mode == "zip" else tar_bytes(mode=mode)
    refused(whole[: int(len(whole) * keep)])


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_flipped_bytes(mode, refused, out):
    """Whatever a flipped byte does, no file comes out with other content."""
    whole = zip_bytes() if mode == "zip" else tar_bytes(mode=mode)
    rng = random.Random(0)
    for _ in range(5):
        content = bytearray(whole)
        content[rng.randrange(len(whole) // 10, len(whole) * 9 // 10)] ^= 1 << rng.randrange(8)
        refused(bytes(content))
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def test_a_torn_header_is_not_the_end(refused):
    content = bytearray(tar_of(("a", b"1"), ("b", b"2")))
    content[1024 + 150] ^= 1
    assert "torn header" in refused(bytes(content))


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>Sign in", b"\xef\xbb\xbf\n <HTML>", b"<html><head>"])
def test_a_web_page(page, refused):
    assert "is a web page, not an archive" in refused(page)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4", b"\x1f\x8b"])
def test_no_archive(content, refused):
    refused(content)


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, out, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a.tar").write_bytes(tar_bytes())
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(WriteError, match=r"^cannot write .*: No space left on device: make room"):
        unpack(tmp_path / "a.tar", out)
