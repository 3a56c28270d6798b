"""One run in a folder at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pamm.data.files import WriteError


@contextmanager
def only_run(folder: Path, *, doing: str = "training", instead: str = "another run.out") -> Iterator[None]:
    """Hold the folder of a run, made if need be; the lock of a process that has died is none.

    Args:
        folder: the folder.
        doing: what is done in it, for messages.
        instead: what to choose if another process holds it.

    Raises:
        ValueError: if another process holds it, or nothing can be written there.
    """
    path = folder / "run.lock"
    lock = FileLock(path, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ValueError(
            f"another process is {doing} in {folder}: wait until it ends, stop it, or choose {instead}"
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(
            f"cannot write to {folder}: {reason}: make room, or choose a folder you may write to"
        ) from error
    try:
        yield
    finally:
        # whoever has opened it meanwhile finds that it has no name any more; Windows keeps it
        with suppress(OSError):
            path.unlink()
        lock.release()
