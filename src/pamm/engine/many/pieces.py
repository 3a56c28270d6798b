"""What one process of a run on Ray does.

The unit of work, a piece, is a batch as :func:`pamm.engine.many.batches.plan_batches` makes it, or a video. Ray hands
the pieces of a process that is gone to another one; what was finished of them is recognised by its record and kept.
"""

import json
import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pamm.engine.many.batches import Batch, plan_batches
from pamm.engine.many.job import Job
from pamm.engine.many.photos import Outcome, predict_batch
from pamm.engine.many.run_video import run_video
from pamm.engine.many.sources import RECORD, Source
from pamm.engine.many.video_parts import FOLDER, STATE
from pamm.engine.predictor import Predictor

if TYPE_CHECKING:
    from ray import ObjectRef

_TRIES = 5
"""Processes that a piece may cost before it counts as their cause."""

Stamp = list[int] | None
"""Tells a file from others that had or will have its name; nothing if there is none."""


@dataclass(frozen=True)
class Setup:
    """What all workers have in common."""

    job: Job
    """What is written, and where."""
    device: str
    """Where to predict."""
    threads: int
    """Of the network, on a CPU."""
    folder: str
    """What the names of files are relative to."""
    tries: str
    """Folder of a file for each piece, a byte for each process that began it."""
    batch_size: int
    """Of the frames of a video."""
    resume: bool
    """Whether frames are kept that an earlier run has finished."""


def to_pieces(
    predictor: Predictor, sources: Sequence[Source], job: Job, *, batch_size: int, finished: Collection[str]
) -> list[dict[str, Any]]:
    """The pieces of a run as rows of plain values.

    Args:
        predictor: the network.
        sources: all photos and videos of the run.
        job: what is written, and where.
        batch_size: photos in a batch, at most.
        finished: names of the sources that need not be predicted.

    Returns:
        For each piece its ``number``, and as JSON, ``piece``, the sources and what lies in the folders of their maps
        before the run.
    """
    photos = [source for source in sources if not source.is_video]
    videos = [source for source in sources if source.is_video and source.name not in finished]
    batches = plan_batches(photos, predictor, batch_size=batch_size, finished=finished)
    pieces: list[dict[str, Any]] = []
    for batch in (*batches, *(Batch((video,), (True,)) for video in videos)):
        folders = [job.folder(source) for source in batch.photos]
        piece = {
            "sources": [(str(source.path), source.name) for source in batch.photos],
            "wanted": batch.wanted,
            "records": [_stamp(folder / RECORD) for folder in folders],
            "parts": _stamp(folders[0] / FOLDER / STATE),
        }
        pieces.append({"number": len(pieces), "piece": json.dumps(piece)})
    return pieces


class Pieces:
    """Does one piece of a run after the other."""

    def __init__(self, predictor: Predictor, setup: Setup) -> None:
        """Take the network.

        Args:
            predictor: the network.
            setup: what all workers have in common.
        """
        self._predictor, self._setup, self._job = predictor, setup, setup.job

    def __call__(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Do one piece, but for what another process that began it has finished.

        Args:
            row: ``number`` and ``piece``, as :func:`to_pieces` makes them.

        Returns:
            What became of each source, by the fields of an :class:`Outcome`.
        """
        piece = json.loads(row["piece"])
        sources = [Source(Path(path), name) for path, name in piece["sources"]]
        kept = [
            wanted and self._is_made_now(source, before)
            for source, wanted, before in zip(sources, piece["wanted"], piece["records"], strict=True)
        ]
        missing = tuple(wanted and not done for wanted, done in zip(piece["wanted"], kept, strict=True))
        found = [
            Outcome(source, self._job.folder(source), self._job.known_failure(source))
            for source, done in zip(sources, kept, strict=True)
            if done
        ]
        left = [source for source, wanted in zip(sources, missing, strict=True) if wanted]
        if left and self._begin(row["number"]) > _TRIES:
            reason = f"{_TRIES} processes ended while they predicted it, for want of memory perhaps: give it one more"
            found += [Outcome(source, failure=f"{source.path}: {reason}") for source in left]
        elif left and left[0].is_video:
            found.append(self._video(left[0], piece["parts"]))
        elif left:
            found += predict_batch(self._predictor, Batch(tuple(sources), missing), self._job)
        return [_to_row(outcome) for outcome in found]

    def _begin(self, number: int) -> int:
        """Note that a piece is begun; how many times it was."""
        with (Path(self._setup.tries) / str(number)).open("ab") as file:
            file.write(b".")
            return file.tell()

    def _is_made_now(self, source: Source, before: Stamp) -> bool:
        """Whether the maps of a source are there, and were not before the run."""
        return _stamp(self._job.folder(source) / RECORD) not in (None, before) and self._job.is_finished(source)

    def _video(self, source: Source, before: Stamp) -> Outcome:
        begun_now = _stamp(self._job.folder(source) / FOLDER / STATE) not in (None, before)
        return run_video(
            self._predictor,
            source,
            self._job,
            batch_size=self._setup.batch_size,
            workers=1,
            resume=self._setup.resume or begun_now,
        )


class Worker(Pieces):
    """The same in a process of its own, which gets the network once."""

    def __init__(self, weights: "ObjectRef[Predictor]", setup: Setup) -> None:
        """Make ready.

        Args:
            weights: where the network lies in Ray's store.
            setup: what all workers have in common.
        """
        import ray

        threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()
        with suppress(OSError):
            os.chdir(setup.folder)
        torch.set_num_threads(setup.threads)
        super().__init__(ray.get(weights), setup)
        self._reason = ""
        try:
            self._predictor.to(setup.device)
        except ValueError as error:
            # raised here, Ray would show it with all of its own doings
            self._reason = str(error)

    def __call__(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As :meth:`Pieces.__call__`; hopeless if the device is not there."""
        if not self._reason:
            return super().__call__(row)
        piece = json.loads(row["piece"])
        path, name = piece["sources"][piece["wanted"].index(True)]
        return [_to_row(Outcome(Source(Path(path), name), failure=f"{path}: {self._reason}", hopeless=True))]


def _end_after(parent: int) -> None:
    """End this process once its parent is gone: on a busy machine Ray has left one behind, with all its memory."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _to_row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain values."""
    return {
        "name": outcome.source.name,
        "made": outcome.folder is not None,
        "failure": outcome.failure,
        "hopeless": outcome.hopeless,
        "frames": outcome.frames,
    }


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_ino, found.st_mtime_ns]
