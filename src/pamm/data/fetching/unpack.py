"""Unpacking archives from anywhere: nothing is written outside the folder, and nothing is larger than it may be.

Only folders and plain files are unpacked; a member of any other kind, or with a name that could mean another place, a
name that comes twice, or one too many refuses the whole archive. Members are read and written one by one here, with
none of the permissions, owners and links that an archive may ask for.
"""

import lzma
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Self, TypeVar

from pamm.data.files import WriteError

_CHUNK = 1 << 20
"""Bytes that are read at a time."""
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, RuntimeError, UnicodeError, ValueError),  # zips with a password, of unknown kinds, torn
)
"""What the libraries raise on archives that are not sound."""
_LONG_HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
"""Headers whose content is read into memory whole."""
_LONGEST_HEADER = 1 << 16
_LONGEST_NAME = 1000
_LONGEST_END = 16 << 20
"""Bytes of padding after the last member of a .tar."""
_FREE = 256 << 20
"""Bytes that any archive may unpack to, however short it is."""
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")

Item = TypeVar("Item")


class ArchiveError(ValueError):
    """A file is no archive, is damaged, or holds what no archive of a data set should hold."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of what an archive may hold."""

    members: int = 200_000
    """Files and folders."""
    size: int = 128 << 30
    """Bytes of all files together."""
    file_size: int = 2 << 30
    """Bytes of one file."""
    ratio: int = 100
    """How many times the bytes of the archive; the first 256 MiB are free, so that small archives may be very empty."""


LIMITS = Limits()


@dataclass(frozen=True)
class Member:
    """A file or folder of an archive."""

    name: str
    """Its name as the archive has it."""
    is_folder: bool
    size: int
    """Bytes, as the archive says."""
    open: Callable[[], IO[bytes] | None]
    """Opens the content of a file."""


class _SoundHeader(tarfile.TarInfo):
    """Refuses headers that are torn, and those of names and remarks that would fill the memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header, where TarFile would take a torn one for the end."""
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if any(buf):
                raise tarfile.ReadError(f"a torn header: {error}") from error
            raise
        if member.type in _LONG_HEADERS and member.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def refuse_page(head: bytes) -> None:
    """Refuse what starts like a web page, which dead links give in place of an archive.

    Args:
        head: the first bytes.

    Raises:
        ArchiveError: if it is a web page.
    """
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        raise ArchiveError("is a web page, not an archive: the link is dead, or asks to sign in")


def unpack(
    archive: Path,
    folder: Path,
    *,
    limits: Limits = LIMITS,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Unpack a .tar, .tar.gz, .tar.bz2, .tar.xz or .zip into an empty folder.

    Args:
        archive: the file; its content tells the kind, not its name.
        folder: a folder that exists and is empty. After a failure it holds whatever came before.
        limits: what is too much.
        progress: called with the bytes of the archive that are read, and all of them.

    Raises:
        ArchiveError: if the archive is damaged, or holds what it should not.
        WriteError: if the folder cannot be written.
    """
    try:
        packed = archive.stat().st_size
        handle = archive.open("rb")
    except OSError as error:
        raise ArchiveError(f"cannot be read: {error.strerror}: give the path of an archive") from error
    left = most = min(limits.size, limits.ratio * packed + _FREE)
    taken: dict[str, tuple[str, bool]] = {}
    with handle:
        for count, member in enumerate(_sound(_members(handle)), 1):
            parts = _parts(member.name)
            _take(taken, parts, is_folder=member.is_folder)
            if max(count, len(taken)) > limits.members:
                raise ArchiveError(f"holds more than {limits.members} files and folders: it is no data set's archive")
            if member.size > limits.file_size:
                raise ArchiveError(f"{member.name!r} has {member.size} bytes, more than {limits.file_size}")
            path = folder.joinpath(*parts)
            try:
                (path if member.is_folder else path.parent).mkdir(parents=True, exist_ok=True)
                if not member.is_folder:
                    with path.open("xb") as file:
                        for chunk in _sound(_chunks(member)):
                            left -= len(chunk)
                            if left < 0:
                                raise ArchiveError(f"unpacks to more than {most} bytes, from {packed}")
                            file.write(chunk)
            except OSError as error:
                raise WriteError(
                    f"cannot write {path}: {error.strerror}: make room, or choose another folder"
                ) from error
            if progress is not None:
                progress(min(handle.tell(), packed), packed)


def archive_suffix(archive: Path) -> str:
    """Suffix that fits what an archive is, for example ``.tar.gz``."""
    with archive.open("rb") as file:
        head = file.read(6)
    known = {b"PK": ".zip", b"\x1f\x8b": ".tar.gz", b"BZh": ".tar.bz2", b"\xfd7zXZ\x00": ".tar.xz"}
    return next((suffix for magic, suffix in known.items() if head.startswith(magic)), ".tar")


def _sound(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, with one kind of error for all that can be wrong with an archive."""
    try:
        yield from items
    except ArchiveError:
        raise
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or "it ends too early"
        raise ArchiveError(f"is damaged, or no archive: {reason}") from error


def _chunks(member: Member) -> Iterator[bytes]:
    stream = member.open()
    if stream is None:
        raise ArchiveError(f"holds {member.name!r} without content")
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _members(handle: IO[bytes]) -> Iterator[Member]:
    head = handle.read(512)
    refuse_page(head)
    handle.seek(0)
    yield from _zip_members(handle) if head.startswith(b"PK") else _tar_members(handle)


def _tar_members(handle: IO[bytes]) -> Iterator[Member]:
    try:
        tar = tarfile.open(fileobj=handle, mode="r:*", tarinfo=_SoundHeader)
    except tarfile.ReadError as error:
        raise ArchiveError("starts neither like a .tar, compressed or not, nor like a .zip") from error
    with tar:
        for info in tar:
            if not info.isdir() and (not info.isreg() or info.issparse()):
                raise _no_file(info.name)
            yield Member(info.name, info.isdir(), info.size, partial(tar.extractfile, info))
        # checksums come last, after the padding
        end = 0
        while tar.fileobj is not None and (chunk := tar.fileobj.read(_CHUNK)):
            end += len(chunk)
            if end > _LONGEST_END:
                raise ArchiveError("goes on after its end")


def _zip_members(handle: IO[bytes]) -> Iterator[Member]:
    with zipfile.ZipFile(handle) as archive:
        for info in archive.infolist():
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _no_file(info.orig_filename)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ArchiveError("is compressed in a way that few programs know: pack it anew")
            is_folder = info.orig_filename.endswith("/")
            yield Member(info.orig_filename, is_folder, info.file_size, partial(archive.open, info))


def _no_file(name: str) -> ArchiveError:
    return ArchiveError(f"holds {name!r}, which is no plain file but a link, a device or the like")


def _parts(name: str) -> tuple[str, ...]:
    """The folders and the file that a member's name means, if they are below the folder on every system."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or re.search(r"[\\:\x00-\x1f\x7f]", name) or len(name) > _LONGEST_NAME:
        raise ArchiveError(f"holds {name[:80]!r}, a name that could lead out of the folder")
    return parts


def _take(taken: dict[str, tuple[str, bool]], parts: tuple[str, ...], *, is_folder: bool) -> None:
    """Note a member's name and those of its folders; only folders may come again, and only in the same letters."""
    if not parts and not is_folder:
        raise ArchiveError("holds a file without a name")
    for depth in range(1, len(parts) + 1):
        name, folder = "/".join(parts[:depth]), is_folder or depth < len(parts)
        key = unicodedata.normalize("NFC", name).casefold()
        if key in taken and (taken[key] != (name, folder) or not folder):
            raise ArchiveError(f"holds both {taken[key][0]!r} and {name!r}: they would be one file")
        taken[key] = (name, folder)
