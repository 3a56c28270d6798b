"""Files, folders and patterns to a list of photos and videos, each with a name of its own."""

import glob
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

RECORD = "made_from.json"
"""File in each folder of maps that says what they were made from; it is there only once they all are."""
PHOTO_SUFFIXES = frozenset(
    ".avif .bmp .gif .j2k .jfif .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tga .tif .tiff .webp".split()
)
"""What counts as a photo in a folder; a file that is named may be of any format that Pillow reads."""
VIDEO_SUFFIXES = frozenset(".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .webm .wmv".split())
"""What counts as a video."""


@dataclass(frozen=True)
class Source:
    """A photo or video to predict."""

    path: Path
    """The file."""
    name: str
    """Where its maps go beneath the output folder, with ``/`` between folders; no other source has it."""

    @property
    def is_video(self) -> bool:
        """Whether it is a video, by its suffix."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_sources(inputs: str | Path | Iterable[str | Path], *, out: str | Path | None = None) -> list[Source]:
    """The photos and videos that are meant by files, folders and patterns.

    Args:
        inputs: files, folders, and patterns of :mod:`glob` (``'holiday/**/*.jpg'``), or one of them. Of folders, and of
            all beneath them, files with the suffix of a photo or video are taken, hidden ones aside, in the order of
            their names; so are of a pattern's files and folders. A file that is not there is taken too, and a folder
            that was not named itself and cannot be read: reading them fails. A file that is met again is taken once.
        out: folder that is left out where it lies in another one or is met by a pattern, since it holds pictures that
            were written; so is any folder of maps.

    Returns:
        Sources in the order given. A file is named by its name without the suffix, a file of a folder by its path
        beneath the folder, after the folder's own name if several are given; a file of a pattern likewise by its path
        beneath what stands before the first ``*``, ``?`` or ``[``. Where names are alike, also if only letter case
        differs, later ones end in ``-2``, ``-3``.

    Raises:
        ValueError: if nothing is given, or a folder or pattern holds no photo and no video, or cannot be read.
    """
    given = [Path(item) for item in ([inputs] if isinstance(inputs, str | Path) else inputs)]
    if not given:
        raise ValueError("no photo was given: name at least one image file, folder or video")
    prefixed = sum(map(os.path.isdir, given)) > 1
    names = _Names()
    sources = []
    met: set[str] = set()
    for item in given:
        for path, name in _expanded(item, out, prefixed=prefixed):
            place = os.path.abspath(path)
            if place not in met:
                met.add(place)
                sources.append(Source(path, names.take(name)))
    return sources


def _expanded(item: Path, out: str | Path | None, *, prefixed: bool) -> Iterator[tuple[Path, str]]:
    """The files that one input stands for, with the names they would like."""
    if os.path.isdir(item):
        prefix = f"{_stem(item.absolute())}/" if prefixed else ""
        files = _files_in(item, out)
        if item in files:
            raise ValueError(f"{item}: cannot be read: change its permissions")
        if not files:
            raise ValueError(f"{item}: holds no photo and no video: name another folder, or the files themselves")
        yield from ((path, prefix + _below(item, path)) for path in files)
    elif not os.path.lexists(item) and glob.has_magic(str(item)):
        fixed = Path(*takewhile(lambda part: not glob.has_magic(part), item.parts))
        files = _files_of(item, fixed, out)
        if not files:
            raise ValueError(f"{item}: the pattern fits no photo and no video: check it, or name a folder")
        yield from ((path, _below(fixed, path)) for path in files)
    else:
        yield item, _stem(item)


def _files_of(pattern: Path, fixed: Path, out: str | Path | None) -> list[Path]:
    """Photos and videos that a pattern fits, and those in folders that it fits, but for what was written.

    Args:
        pattern: the pattern.
        fixed: the folder before the first of its parts that has a ``*``, ``?`` or ``[``.
        out: folder that is left out beneath that one.
    """
    apart = None if out is None else os.path.realpath(out)

    @cache
    def is_written(folder: Path) -> bool:
        return folder != fixed and (
            os.path.realpath(folder) == apart or os.path.exists(folder / RECORD) or is_written(folder.parent)
        )

    found: list[Path] = []
    for path in map(Path, glob.glob(str(pattern), recursive=True)):
        if os.path.isdir(path):
            found += [] if is_written(path) else _files_in(path, out)
        elif _is_meant(path) and not is_written(path.parent):
            found.append(path)
    return sorted(set(found))


def _is_meant(path: Path) -> bool:
    """Whether a file that was not named is taken, by its suffix."""
    return path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES


def _files_in(folder: Path, out: str | Path | None) -> list[Path]:
    """Photos and videos in a folder and beneath it, links included, and those folders that cannot be read."""
    apart = None if out is None else os.path.realpath(out)
    found: list[Path] = []
    seen = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        real = os.path.realpath(place)
        if real in seen or (real == apart and place != folder):
            continue
        seen.add(real)
        try:
            entries = [entry for entry in os.scandir(place) if not entry.name.startswith(".")]
            folders = [place / entry.name for entry in entries if entry.is_dir()]
            files = [place / entry.name for entry in entries if entry.is_file() and _is_meant(Path(entry.name))]
        except OSError:
            found.append(place)
            continue
        if place == folder or all(entry.name != RECORD for entry in entries):
            waiting += folders
            found += files
    return sorted(found)


def _below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).with_name(_stem(path)).as_posix()


def _stem(path: Path) -> str:
    """A name without its suffix; ``..`` and the root have none."""
    return path.stem.strip(".") or "photo"


class _Names:
    """Names, no two of them alike, also where file systems ignore case or how accents are composed."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def take(self, wanted: str) -> str:
        """The name that is wanted, with a number if it is taken."""
        name, number = wanted, self._numbers.get(_folded(wanted), 1)
        while _folded(name) in self._taken:
            number += 1
            name = f"{wanted}-{number}"
        self._numbers[_folded(wanted)] = number
        self._taken.add(_folded(name))
        return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
