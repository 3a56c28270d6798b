"""Folders that nothing may be written to, also where the tests run as a user who may write anywhere."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
_guarded: list[Path] = []


@contextmanager
def read_only(folder: Path):
    """Refuse to open files of a folder for writing, and to change it in other ways."""
    _guarded.append(folder.resolve())
    try:
        yield
    finally:
        _guarded.pop()


def _refuse(event, args):
    if not _guarded or not (event in _CHANGES or (event == "open" and args[2] & _WRITING)):
        return
    for name in args[:2]:
        path = Path(os.path.realpath(os.fsdecode(name))) if isinstance(name, str | bytes | os.PathLike) else None
        if path is not None and any(path.is_relative_to(folder) for folder in _guarded):
            raise PermissionError(f"{event} of {path}")


sys.addaudithook(_refuse)
