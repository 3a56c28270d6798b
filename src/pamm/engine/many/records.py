"""What finished maps were made from, beside them: whether they need be made again."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pamm.engine.many.sources import RECORD, Source
from pamm.records import build

VALUES = "values"
"""Folder of the values of a video's frames."""


class OtherSettingsError(ValueError):
    """Finished maps were made with other weights or options."""


@dataclass(frozen=True)
class Made:
    """What one folder of maps was made from."""

    source: str
    """The file, its path from the folder of the maps."""
    bytes: int
    """Size of the file."""
    modified: int
    """When the file was last changed, in nanoseconds."""
    settings: dict[str, Any]
    """The weights and all options that change what is written."""
    files: tuple[str, ...] = field(default=())
    """Names of what was written."""
    values: int = 0
    """Frames of a video whose values were written."""
    failure: str = ""
    """What was wrong with a video of which only a part could be read."""

    def all_files(self) -> Iterator[str]:
        """Names of what was written, also the values of frames."""
        yield from self.files
        yield from map(values_name, range(self.values))

    def to_text(self) -> str:
        """As :func:`read_record` reads it."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def values_name(frame: int) -> str:
    """Name of the file of a frame's values, in the folder of the maps."""
    return f"{VALUES}/{frame:06d}.npz"


def made_from(source: Source, folder: Path, settings: dict[str, Any]) -> Made:
    """What the maps of a source will have been made from.

    Args:
        source: the photo or video.
        folder: where its maps go.
        settings: the weights and options.

    Raises:
        OSError: if the file is not there.
    """
    found = source.path.stat()
    try:
        path = os.path.relpath(source.path, folder)
    except ValueError:  # another drive
        path = os.path.abspath(source.path)
    return Made(Path(path).as_posix(), found.st_size, found.st_mtime_ns, settings)


def read_record(folder: Path) -> Made | None:
    """The record in a folder of maps, or None if there is no whole one."""
    path = folder / RECORD
    try:
        return build(Made, json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError):
        return None


def check_settings(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise an error if maps that are to be kept were made with other weights or options.

    Raises:
        OtherSettingsError: what differs.
    """
    if before != now:
        raise OtherSettingsError(
            f"{folder}: was made with {_difference(before, now)}: choose another folder, or leave out --resume to make "
            "all maps again"
        )


def is_finished(source: Source, folder: Path, settings: dict[str, Any]) -> bool:
    """Whether a folder holds the maps of a source as it is now, whole and of these settings.

    Raises:
        OtherSettingsError: if they are whole, but were made with other weights or options.
    """
    made = read_record(folder)
    if made is None:
        return False
    check_settings(folder, made.settings, settings)
    try:
        now = made_from(source, folder, settings)
    except OSError:
        return False
    same = now == replace(made, files=(), values=0, failure="")
    return same and all((folder / name).exists() for name in made.all_files())


def remove_others(folder: Path, before: Made | None, now: Made) -> None:
    """Remove what an earlier run wrote to a folder of maps and this one did not."""
    for name in set(before.files if before else ()).difference(now.files):
        # the record may have come with the folder from elsewhere
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs between two sets of settings, in words."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return " and ".join(f"{key} {_shown(before.get(key))} instead of {_shown(now.get(key))}" for key in keys)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
