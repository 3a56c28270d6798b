"""A run on this machine: photos, then videos, and how far it is."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from functools import partial

from pamm.engine.many.job import Job
from pamm.engine.many.photos import Outcome
from pamm.engine.many.run_photos import run_photos
from pamm.engine.many.run_video import run_video
from pamm.engine.many.sources import Source
from pamm.engine.many.video_file import frame_count
from pamm.engine.predictor import Predictor

Progress = Callable[[int, int], None]
"""Called with the number of photos and frames that are done, and in all."""


class Tally:
    """How many photos and frames are done."""

    def __init__(self, sources: Sequence[Source], finished: Collection[str], progress: Progress | None) -> None:
        """Count them.

        Args:
            sources: all photos and videos.
            finished: names of those that were finished before.
            progress: whom to tell.
        """
        self._sizes = {source.name: frame_count(source.path) if source.is_video else 1 for source in sources}
        self._total = sum(self._sizes.values())
        self._progress = progress
        self._whole = sum(self._sizes[name] for name in finished)
        if finished:
            self._tell(self._whole)

    def frames(self, source: Source, count: int) -> None:
        """So many frames of a video are done."""
        self._tell(self._whole + min(count, self._sizes[source.name]))

    def whole(self, source: Source) -> None:
        """A photo or video is done, or failed."""
        self._whole += self._sizes[source.name]
        self._tell(self._whole)

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._total)


def run_here(
    predictor: Predictor,
    sources: Sequence[Source],
    job: Job,
    *,
    batch_size: int,
    workers: int,
    resume: bool,
    finished: Collection[str],
    tally: Tally,
) -> Generator[Outcome, None, None]:
    """Predict photos and videos on this machine.

    Args:
        predictor: the network.
        sources: all photos and videos of the run.
        job: what is written, and where.
        batch_size: photos or frames the network sees at a time, at most.
        workers: threads that read, and as many that write.
        resume: whether frames are kept that an interrupted run has finished.
        finished: names of the sources that need not be predicted.
        tally: told what is done.

    Yields:
        What became of each source that is not finished; of none after a hopeless one, but for those already begun.
    """
    photos = [source for source in sources if not source.is_video]
    videos = [source for source in sources if source.is_video and source.name not in finished]
    hopeless = False
    run = run_photos(predictor, photos, job, batch_size=batch_size, workers=workers, finished=finished)
    with closing(run):
        for outcome in run:
            tally.whole(outcome.source)
            yield outcome
            hopeless |= outcome.hopeless
    for video in videos:
        if hopeless:
            break
        outcome = run_video(
            predictor,
            video,
            job,
            batch_size=batch_size,
            workers=workers,
            resume=resume,
            progress=partial(tally.frames, video),
        )
        tally.whole(video)
        yield outcome
        hopeless = outcome.hopeless
