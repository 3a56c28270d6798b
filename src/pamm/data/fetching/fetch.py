"""Benchmark sets from a server or from this disk, whole or not at all."""

import errno
import glob
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pamm.data.fetching.download import SourceError, check, discard, download
from pamm.data.fetching.sources import SETS, Source, read_sources
from pamm.data.fetching.unpack import LIMITS, ArchiveError, archive_suffix, unpack
from pamm.data.files import WriteError
from pamm.data.layouts import WrongTreeError, find_root, layout_of
from pamm.names import unknown_name

Progress = Callable[[str, int, int | None], None]
_UNFIT = (ArchiveError, WrongTreeError)
"""An archive or a folder is not what it should be."""
_NAME = 64
"""Letters of the folder's name in those of hidden ones."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class FetchError(ValueError):
    """No source gave the set."""


@dataclass(frozen=True)
class Fetched:
    """A set that was fetched."""

    root: Path
    """Its root folder."""
    source: Source
    """Where it comes from."""
    archive: Path | None
    """The downloaded archive, if it was kept."""


def fetch(
    name: str,
    out: str | Path,
    *,
    archive: str | None = None,
    sources: str | Path | None = None,
    keep: bool = False,
    overwrite: bool = False,
    tell: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Put a benchmark set into a folder: download it, check it, unpack it, and move it there once it is whole.

    What was downloaded of an archive lies beside the folder, in ``NAME.*.part``; the next call goes on there.

    Args:
        name: a name of :data:`pamm.data.fetching.sources.SETS`.
        out: root folder the set is to have; it must be missing or empty.
        archive: address or path of an archive or folder, instead of the known sources.
        sources: YAML file of sources, instead of the known ones (see :mod:`pamm.data.fetching.sources`).
        keep: keep the archive that the set came in beside the folder, if it was downloaded.
        overwrite: replace the set that the folder holds, and whatever else lies in it.
        tell: called with a line for each source that is tried, and for each that failed.
        progress: called with what is done, and how many bytes of how many; None if that is not known.

    Raises:
        FetchError: if no source gave the set, with the reason for each.
        WriteError: if the folder cannot be written, or holds something.
        ValueError: if the name is unknown or the list of sources is wrong.
    """
    if name not in SETS:
        raise unknown_name("set to fetch", name, SETS)
    if archive is not None and sources is not None:
        raise ValueError("got an archive and a list of sources: give one of them")
    if archive is not None:
        chosen: tuple[Source, ...] = (Source(url=archive),)
    else:
        chosen = read_sources(sources, name) if sources is not None else SETS[name]
    job = _Job(Path(out).expanduser().resolve(), name, keep, overwrite, progress or (lambda *_: None))
    job.refuse_full()
    tell, failures = tell or (lambda _: None), []
    for left in job.leftovers():
        tell(f"{left}: an earlier run that was stopped, or one that goes on, has left it: take from it what you need")
    with _no_empty_folders(job.target.parent):
        for source in chosen:
            tell(f"trying {source.url}")
            try:
                kept = job.bring(source)
            except (SourceError, *_UNFIT) as error:
                failures.append(f"{source.url}: {error}")
                tell(failures[-1])
            else:
                job.discard_parts(chosen)
                return Fetched(job.target, source, kept)
    raise FetchError(
        f"no source gave {name}: {'; '.join(failures)}: give the address or path of its archive, or a list of sources"
    )


@dataclass(frozen=True)
class _Job:
    """A set on its way to a folder."""

    target: Path
    """Root folder it is to have."""
    name: str
    """Name of the set."""
    keep: bool
    overwrite: bool
    progress: Progress

    def refuse_full(self) -> None:
        """Refuse a target that is something already, unless it is to be replaced."""
        with _writing(self.target):
            if self.target.exists() and not self.target.is_dir():
                raise WriteError(f"{self.target} is no folder: choose another")
            if not self.target.is_dir() or not any(self.target.iterdir()):
                return
            if not self.overwrite:
                raise WriteError(f"{self.target} is not empty: choose another folder, or ask to overwrite it")
            marker = layout_of(self.name).needs[0]
            if not (self.target / marker).is_dir():
                raise WriteError(f"{self.target} holds no {marker}, so it is no such set: choose another folder")

    def bring(self, source: Source) -> Path | None:
        """Bring the set from one source, and give the archive if it was downloaded and is kept."""
        local = source.local()
        if local is not None:
            self._bring_local(source, local.resolve())
            return None
        part = self._part(source)
        try:
            download(source, part, progress=lambda done, total: self.progress("downloading", done, total))
            self._unpack(part)
        except _UNFIT:
            with _writing(part):
                discard(part)
            raise
        if not self.keep:
            return None
        with _writing(part):
            kept = part.with_suffix(archive_suffix(part))
            os.replace(part, kept)
            return kept

    def discard_parts(self, sources: Sequence[Source]) -> None:
        """Remove what was downloaded from any of the sources."""
        for source in sources:
            with _writing(self._part(source)):
                discard(self._part(source))

    def leftovers(self) -> list[Path]:
        """Hidden folders of runs that could not clean up: what they had unpacked, and what they were replacing."""
        name, random = self.target.name, "?" * 8
        patterns = (f".{glob.escape(name[:_NAME])}-{random}", f".{random}-{glob.escape(name[-_NAME:])}")
        return [path for pattern in patterns for path in sorted(self.target.parent.glob(pattern)) if path.is_dir()]

    def _part(self, source: Source) -> Path:
        digest = hashlib.sha256(source.url.encode()).hexdigest()[:8]
        return self.target.with_name(f"{self.target.name}.{digest}.part")

    def _bring_local(self, source: Source, local: Path) -> None:
        if not local.exists():
            raise SourceError("is not there: correct the path")
        root = find_root(local, self.name) if local.is_dir() else local
        if root.is_relative_to(self.target) or self.target.is_relative_to(root):
            raise SourceError(f"lies in {self.target} or holds it: choose another folder to fetch to")
        if local.is_dir():
            with self._staging() as staging:
                self._copy(root, staging)
                self._place(staging)
        else:
            check(source, local)
            self._unpack(local)

    def _unpack(self, archive: Path) -> None:
        with self._staging() as staging:
            unpack(archive, staging, progress=lambda done, total: self.progress("unpacking", done, total))
            self._place(find_root(staging, self.name))

    def _copy(self, root: Path, staging: Path) -> None:
        """Copy the content of files, as members of an archive are written; folders may be read-only."""
        size = count = 0
        try:
            for folder, _, files in os.walk(root, followlinks=True, onerror=_raise):
                place = Path(folder).relative_to(root)
                if any(os.path.samefile(folder, root / above) for above in place.parents):
                    raise SourceError(f"{folder} is a link to a folder that holds it: remove the link")
                copy = staging / place
                copy.mkdir(exist_ok=True)
                count += 1 + len(files)
                if count > LIMITS.members:
                    raise SourceError(f"holds more than {LIMITS.members} files and folders")
                for name in files:
                    path = Path(folder, name)
                    if not path.is_file():
                        raise SourceError(f"{path} cannot be copied: it is a link to nothing, or no plain file")
                    size += path.stat().st_size
                    if size > LIMITS.size:
                        raise SourceError(f"holds more than {LIMITS.size} bytes")
                    shutil.copyfile(path, copy / name)
                    self.progress("copying", size, None)
        except OSError as error:
            if error.errno in _FULL:
                raise
            raise SourceError(f"{error.filename} cannot be copied: {error.strerror}") from error

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """An empty folder beside the target, removed at the end with all that is still there."""
        with _writing(self.target):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            outer = tempfile.mkdtemp(prefix=f".{self.target.name[:_NAME]}-", dir=self.target.parent)
            try:
                staging = Path(outer, "set")  # mkdtemp's own folder is for no other user
                staging.mkdir()
                yield staging
            finally:
                shutil.rmtree(outer, ignore_errors=True)

    def _place(self, root: Path) -> None:
        """Give the root its name; what had that name goes last."""
        self.refuse_full()
        aside = self.target.with_name(f".{secrets.token_hex(4)}-{self.target.name[-_NAME:]}")
        replaced = self.target.exists()
        if replaced:
            os.rename(self.target, aside)
        try:
            os.rename(root, self.target)
        except BaseException:
            if replaced:
                os.rename(aside, self.target)
            raise
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _no_empty_folders(folder: Path) -> Iterator[None]:
    """Remove, at the end, a folder and those above it that were not there at first and are empty."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        yield
    finally:
        with suppress(OSError):
            for place in missing:
                place.rmdir()


def _raise(error: OSError) -> None:
    raise error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"cannot write {path}: {reason}: make room, or choose a folder you may write to") from error
