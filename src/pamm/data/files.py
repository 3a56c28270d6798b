"""Writing files so that a failure leaves nothing half-written, and reading YAML with errors of one line."""

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

_TEMPORARY = re.compile(r"\.[0-9a-f]{8}-(?P<name>.+)")


class WriteError(ValueError):
    """A file could not be written."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write a file under a temporary name in the same folder, and give it its name once it is whole.

    Whatever goes wrong, a full disk included, an older file of that name stays as it was and the temporary one is
    removed.

    Args:
        path: file to write; missing folders are made.

    Yields:
        The temporary path, with the suffix of ``path``.

    Raises:
        WriteError: if the file or its folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name[-64:]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"cannot write {path}: {reason}: make room, or choose a folder you may write to") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def check_name(path: Path) -> None:
    """See, before long work, that a file to write is not called like a folder that is there.

    Raises:
        WriteError: if it is.
    """
    if path.is_dir():
        raise WriteError(f"cannot write {path}: it is a folder: give the name of a file")


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what :func:`atomic_write` left of some files when its process was killed.

    Args:
        folder: where the files lie or were to lie; nobody else writes them now.
        names: the names they were to have.
    """
    wanted = {name[-64:] for name in names}
    for path in folder.glob(".*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match is not None and match["name"] in wanted:
            path.unlink(missing_ok=True)


def read_yaml(path: Path, what: str) -> object:
    """The plain values of a YAML file.

    Args:
        path: the file.
        what: what it is to be, for messages.

    Raises:
        ValueError: if it is missing, no text, or not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}: give the path of {what}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file: give the path of {what}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
