"""Photos, folders of them and videos to folders of maps."""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pamm.data.files import WriteError
from pamm.engine.many.job import Job
from pamm.engine.many.photos import Outcome
from pamm.engine.many.run_photos import run_photos
from pamm.engine.many.sources import find_sources
from pamm.engine.prediction import PARTS
from pamm.engine.predictor import Predictor

_MOST_WORKERS = 8


@dataclass(frozen=True)
class FilesResult:
    """What became of a list of photos and videos."""

    done: list[Path] = field(default_factory=list)
    """Folders written, one a photo or video, in the order given."""
    failed: dict[Path, str] = field(default_factory=dict)
    """What is wrong with each photo that could not be read, predicted or written, a line each."""
    kept: list[Path] = field(default_factory=list)
    """Folders that were finished before."""


def predict_files(
    predictor: Predictor,
    inputs: Iterable[str | Path],
    out: str | Path,
    *,
    write: Collection[str] | None = None,
    batch_size: int = 8,
    workers: int | None = None,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> FilesResult:
    """Predict the maps of photos and videos; one that cannot be read, predicted or written does not stop the others.

    Only a disk that is full or cannot be written to ends it early: the photo at which it happened is the last in the
    result.

    Args:
        predictor: the network.
        inputs: photos, videos, folders and patterns; see :func:`pamm.engine.many.sources.find_sources`.
        out: folder in which each photo gets a folder by its name without the suffix (``cat.jpg``: ``cat``), beneath
            which it lies as in the folder it was found in. Where several photos have that name, later ones are
            ``cat-2``, ``cat-3``. What :meth:`~pamm.engine.prediction.Prediction.save` writes lies inside, and
            ``made_from.json``, which says what it was made from.
        write: what is written of each photo; see :meth:`~pamm.engine.prediction.Prediction.save`. By default all.
        batch_size: photos the network sees at a time, at most.
        workers: threads that read, and as many that write; as many as there are processors if left out, but no more
            than 8.
        resume: whether what is finished is kept: maps that are whole, of the same file, weights and settings.
        progress: called with the number of photos done, kept or failed, and in all.

    Raises:
        ValueError: if no photo is given, a folder or pattern holds none, the folder cannot be made, or maps to be kept
            were made with other weights or settings.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, must be at least 1")
    workers = min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else workers
    if workers < 1:
        raise ValueError(f"workers is {workers}, must be at least 1")
    sources = find_sources(inputs, out=out)
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot write to {out}: {error.strerror}: choose a folder you may write to") from error
    job = Job(Path(out), predictor.settings(), PARTS if write is None else tuple(write))
    finished = {source.name for source in sources if job.is_finished(source)} if resume else set()
    found: dict[str, Outcome] = {}
    count = len(finished)
    if progress is not None and count:
        progress(count, len(sources))
    for outcome in run_photos(predictor, sources, job, batch_size=batch_size, workers=workers, finished=finished):
        if outcome.hopeless and any(other.hopeless for other in found.values()):
            continue
        found[outcome.source.name] = outcome
        if progress is not None:
            progress(count + len(found), len(sources))
    outcomes = [found[source.name] for source in sources if source.name in found]
    return FilesResult(
        done=[outcome.folder for outcome in outcomes if outcome.folder is not None],
        failed={outcome.source.path: outcome.failure for outcome in outcomes if outcome.failure},
        kept=[job.folder(source) for source in sources if source.name in finished],
    )
