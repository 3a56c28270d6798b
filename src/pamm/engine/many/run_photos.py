"""Many photos: some threads read, one predicts, some write."""

from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future

from pamm.engine.many.batches import Batch, plan_batches
from pamm.engine.many.job import Job
from pamm.engine.many.photos import (
    Outcome,
    PredictedPhoto,
    ReadPhoto,
    predict_photos,
    read_photo,
    write_photo,
)
from pamm.engine.many.sources import Source
from pamm.engine.many.threads import Room, ahead, threads
from pamm.engine.predictor import Predictor

_AHEAD = 2
"""Batches that are read while one is predicted."""
_PIXELS = 1 << 25
"""So many pixels of photos are being written at a time, at about 70 bytes each; a larger photo is alone."""


def run_photos(
    predictor: Predictor,
    photos: Sequence[Source],
    job: Job,
    *,
    batch_size: int,
    workers: int,
    finished: Collection[str] = (),
) -> Generator[Outcome, None, None]:
    """Predict photos and write their maps.

    Args:
        predictor: the network.
        photos: all photos of the run.
        job: what is written, and where.
        batch_size: photos the network sees at a time, at most.
        workers: threads that read, and as many that write.
        finished: names of the photos that need not be predicted.

    Yields:
        What became of each of the others, about in their order. After a hopeless one no other is begun.
    """
    room = Room(_PIXELS)
    writing: deque[Future[Outcome]] = deque()
    batches = plan_batches(photos, predictor, batch_size=batch_size, finished=finished)
    with threads(workers) as readers, threads(workers) as writers:
        for batch, reading in ahead(lambda batch: _read(readers, predictor, batch, job), batches, count=_AHEAD):
            read = [future.result() for future in reading]
            for one in predict_photos(predictor, batch, [photo for photo in read if isinstance(photo, ReadPhoto)]):
                if isinstance(one, Outcome):
                    yield one
                else:
                    writing.append(_write(writers, predictor, one, job, room))
            yield from (photo for photo in read if isinstance(photo, Outcome))
            written = list(_results(writing, wait=False))
            yield from written
            if any(outcome.hopeless for outcome in written):
                writers.shutdown(cancel_futures=True)
                break
        yield from _results(writing, wait=True)


def _read(
    readers: Executor, predictor: Predictor, batch: Batch, job: Job
) -> tuple[Batch, list[Future[ReadPhoto | Outcome]]]:
    """Begin to read the photos of a batch."""
    wanted = (photo for photo, wanted in zip(batch.photos, batch.wanted, strict=True) if wanted)
    return batch, [readers.submit(read_photo, predictor, photo, job) for photo in wanted]


def _write(writers: Executor, predictor: Predictor, one: PredictedPhoto, job: Job, room: Room) -> Future[Outcome]:
    """Begin to write the maps of a photo, as soon as there is room for them."""
    height, width, _ = one.photo.item.photo.shape
    room.enter(height * width)
    future = writers.submit(write_photo, predictor, one, job)
    future.add_done_callback(lambda _: room.leave(height * width))
    return future


def _results(writing: deque[Future[Outcome]], *, wait: bool) -> Iterator[Outcome]:
    """Take from the queue what became of photos, but for those that were dropped; all, or those that are written."""
    while writing and (wait or writing[0].done()):
        future = writing.popleft()
        if not future.cancelled():
            yield future.result()
