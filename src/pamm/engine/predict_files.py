"""Photo files to folders of maps."""

import errno
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pamm.data.files import WriteError
from pamm.engine.predictor import Predictor

_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of writing that the next photo would meet as well."""


@dataclass(frozen=True)
class FilesResult:
    """What became of a list of photos."""

    done: list[Path] = field(default_factory=list)
    """Folders written, one a photo."""
    failed: dict[Path, str] = field(default_factory=dict)
    """What is wrong with each photo that could not be read, predicted or written, a line each."""


def predict_files(
    predictor: Predictor,
    photos: Iterable[str | Path],
    out: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> FilesResult:
    """Predict the maps of photo files; one that cannot be read, predicted or written does not stop the others.

    Only a disk that is full or cannot be written to ends it early: the photo at which it happened is the last in the
    result.

    Args:
        predictor: the network.
        photos: image files.
        out: folder in which each photo gets a folder by its name without the suffix (``cat.jpg``: ``cat``). Where
            several photos have that name, later ones are ``cat-2``, ``cat-3``, in the order given. What
            :meth:`~pamm.engine.prediction.Prediction.save` writes lies inside.
        progress: called with the number of photos done or failed, and in all.

    Raises:
        ValueError: if no photo is given, or the folder cannot be made.
    """
    paths = [Path(photo) for photo in photos]
    if not paths:
        raise ValueError("no photo was given: name at least one image file")
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write to {out}: {error.strerror}: choose a folder you may write to") from error
    result = FilesResult()
    for count, (path, name) in enumerate(zip(paths, _folder_names(paths), strict=True), start=1):
        folder = Path(out) / name
        try:
            predictor(path).save(folder)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            result.failed[path] = reason if str(path) in reason else f"{path}: {reason}"
            if getattr(error.__cause__, "errno", None) in _HOPELESS:
                break
        else:
            result.done.append(folder)
        if progress is not None:
            progress(count, len(paths))
    return result


def _folder_names(paths: Sequence[Path]) -> list[str]:
    """A folder name for each photo, no two alike, also where file systems ignore case."""
    taken: set[str] = set()
    names = []
    for path in paths:
        number, name = 1, path.stem
        while name.lower() in taken:
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name.lower())
        names.append(name)
    return names
