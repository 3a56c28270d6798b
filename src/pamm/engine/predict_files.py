"""Photos, folders of them and videos to folders of maps."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pamm.engine.colours import Span, check_spans
from pamm.engine.many.job import Job
from pamm.engine.many.on_ray import Ray, run_on_ray
from pamm.engine.many.photos import Outcome
from pamm.engine.many.run import Tally, run_here
from pamm.engine.many.sources import Source, find_sources
from pamm.engine.predictor import Predictor
from pamm.engine.survival.lock import only_run

_MOST_WORKERS = 8


@dataclass(frozen=True)
class FilesResult:
    """What became of a list of photos and videos."""

    done: list[Path] = field(default_factory=list)
    """Folders written, one a photo or video, in the order given."""
    failed: dict[Path, str] = field(default_factory=dict)
    """What is wrong with each photo that could not be read, predicted or written, a line each; and with a video of
    which only a part could be read, whose folder is among those that are done."""
    kept: list[Path] = field(default_factory=list)
    """Folders that were finished before."""
    frames: int = 0
    """Frames of videos that were predicted now, and not in an earlier run that was interrupted."""


def predict_files(
    predictor: Predictor,
    inputs: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    write: Collection[str] | None = None,
    video: str = "mp4",
    spans: Mapping[str, Span] | None = None,
    batch_size: int = 8,
    workers: int | None = None,
    resume: bool = False,
    ray: Ray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FilesResult:
    """Predict the maps of photos and videos; one that cannot be read, predicted or written does not stop the others.

    Only a disk that is full or cannot be written to ends it early: the photo at which it happened is the last in the
    result.

    Args:
        predictor: the network.
        inputs: photos, videos, folders and patterns, or one of them; see :func:`pamm.engine.many.sources.find_sources`.
        out: folder in which each photo gets a folder by its name without the suffix (``cat.jpg``: ``cat``), beneath
            which it lies as in the folder it was found in. Where several photos have that name, later ones are
            ``cat-2``, ``cat-3``. What :meth:`~pamm.engine.prediction.Prediction.save` writes lies inside, and
            ``made_from.json``, which says what it was made from. In that of a video are videos of the same names, as
            ``depth.mp4``, and values by frame, ``values/000000.npz``.
        write: what is written; see :meth:`~pamm.engine.prediction.Prediction.save`. By default all, but no values of
            videos.
        video: suffix of the videos, which decides their codec; see :data:`pamm.engine.many.video_file.CODECS`.
        spans: ranges of values that the colours stand for, by task that has values (no classes or directions). By
            default each photo has its own, and a video that of its first frames.
        batch_size: photos the network sees at a time, at most.
        workers: threads that read, and as many that write; as many as there are processors if left out, but no more
            than 8. With Ray, processes that predict; as many as there are GPUs, or processors for, if left out.
        resume: whether what is finished is kept: maps that are whole, of the same file, weights and settings.
        ray: spreads the run over processes or machines; see :func:`pamm.engine.many.on_ray.run_on_ray`.
        progress: called with the number of photos and frames done, kept or failed, and in all.

    Raises:
        ValueError: if an option makes no sense, no photo is given, a folder or pattern holds none, the folder cannot be
            made, another run writes to it, or maps to be kept were made with other weights or settings.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, must be at least 1")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, must be at least 1")
    check_spans(predictor.tasks, spans or {})
    sources = find_sources(inputs, out=out)
    job = Job(Path(out), predictor.settings(), None if write is None else tuple(write), video, spans or {})
    outcomes: dict[str, Outcome] = {}
    with only_run(job.out, doing="predicting", instead="another -o"):
        finished = {source.name for source in sources if job.is_finished(source)} if resume else set()
        tally = Tally(sources, finished, progress)
        common: dict[str, Any] = {"batch_size": batch_size, "resume": resume, "finished": finished, "tally": tally}
        if ray is None:
            threads = workers or min(os.cpu_count() or 1, _MOST_WORKERS)
            run = run_here(predictor, sources, job, workers=threads, **common)
        else:
            run = run_on_ray(predictor, sources, job, ray=ray, workers=workers, **common)
        with closing(run):
            for outcome in run:
                if not (outcome.hopeless and any(other.hopeless for other in outcomes.values())):
                    outcomes[outcome.source.name] = outcome
        return _result(sources, job, outcomes, finished)


def _result(
    sources: Iterable[Source], job: Job, outcomes: Mapping[str, Outcome], finished: Collection[str]
) -> FilesResult:
    """What became of all sources, in their order."""
    result = FilesResult(frames=sum(outcome.frames for outcome in outcomes.values()))
    for source in sources:
        if source.name in finished:
            result.kept.append(job.folder(source))
            failure = job.known_failure(source)
        elif source.name in outcomes:
            outcome = outcomes[source.name]
            failure = outcome.failure
            if outcome.folder is not None:
                result.done.append(outcome.folder)
        else:
            continue
        if failure:
            result.failed[source.path] = failure
    return result
