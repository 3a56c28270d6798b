"""One video: frames in, videos of maps out."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pamm.data.files import WriteError, atomic_write, remove_leftovers
from pamm.data.images import check_file, png
from pamm.engine.colours import Map, Span, colour_map, thumbnail, value_span
from pamm.engine.many.batches import largest_batch
from pamm.engine.many.job import Job
from pamm.engine.many.photos import FAILURES, Outcome, failed
from pamm.engine.many.records import OtherSettingsError, read_record, remove_others
from pamm.engine.many.sources import RECORD, Source
from pamm.engine.many.threads import Room, ahead, threads
from pamm.engine.many.video_file import CODECS, Video, open_video, quiet, write_video
from pamm.engine.many.video_parts import FOLDER, Parts
from pamm.engine.predictor import NetworkInput, Predictor
from pamm.engine.survival.lock import only_run

_PIXELS = 1 << 26
"""So many pixels of frames are being written at a time; a part of more is alone."""
_DETAIL = 256
"""Longest side of the maps that the ranges of colours are found in."""
_CUT_SHORT = 0.98
"""A video of fewer of its frames than this is damaged; some formats do not know their number exactly."""

Outputs = dict[str, Tensor]
"""Raw values by task, (channels, h, w) of one frame."""


def run_video(
    predictor: Predictor,
    source: Source,
    job: Job,
    *,
    batch_size: int,
    workers: int,
    resume: bool = False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Outcome:
    """Predict the frames of a video and write videos of their maps.

    Args:
        predictor: the network.
        source: the video.
        job: what is written, and where.
        batch_size: frames the network sees at a time, at most.
        workers: threads that write.
        resume: whether frames that an interrupted run has finished are kept.
        progress: called with the number of frames that are done.

    Returns:
        What became of it. Of a video that is damaged or cut short there are maps of what could be read, and a failure.

    Raises:
        OtherSettingsError: if frames that are to be kept were made with other weights or options.
    """
    folder = job.folder(source)
    try:
        check_file(source.path)
        made = job.made(source)
        with (
            quiet(),
            open_video(source.path) as video,
            only_run(folder / FOLDER, doing="predicting", instead="another -o"),
        ):
            parts = Parts.begin(folder, made, size=video.size, resume=resume)
            run = _VideoRun(predictor, video, parts, job, source)
            run.predict(batch_size=batch_size, workers=workers, progress=progress)
            run.join(workers=workers)
        parts.remove()
    except OtherSettingsError:
        raise
    except FAILURES as error:
        return failed(source, error)
    return Outcome(source, folder=folder, failure=run.failure, frames=run.predicted)


@dataclass(frozen=True, eq=False)
class _ReadPart:
    """Some frames in a row."""

    number: int
    frames: int
    """How many; fewer than in other parts at the end of the video, and then none."""
    items: list[NetworkInput]
    """What was read of them; nothing if their maps are there."""


class _VideoRun:
    """A video on its way."""

    def __init__(self, predictor: Predictor, video: Video, parts: Parts, job: Job, source: Source) -> None:
        self.predictor = predictor
        self.video = video
        self.parts = parts
        self.job = job
        self.source = source
        self.folder = job.folder(source)
        self.wanted = job.parts(source)
        self.frames = 0
        self.predicted = 0

    @property
    def failure(self) -> str:
        """What is wrong with the video, if something is."""
        if self.frames + 1 >= _CUT_SHORT * self.video.frames:
            return ""
        return f"{self.source.path}: {self.frames} of {self.video.frames} frames can be read: damaged or cut short"

    def predict(self, *, batch_size: int, workers: int, progress: Callable[[int], None]) -> None:
        """Make the parts that are missing: one thread reads, this one predicts, some write."""
        room = Room(_PIXELS)
        writing: deque[Future[int]] = deque()
        done = 0
        with threads(1) as reader, threads(workers) as writers:
            for reading in ahead(lambda number: reader.submit(self._read, number), count(), count=1):
                part = reading.result()
                if not part.frames:
                    break
                self.frames += part.frames
                if part.items:
                    self.predicted += part.frames
                    outputs = self._forward(part.items, batch_size)
                    if not self.parts.begun:
                        self.parts.settle(self._spans(part.items, outputs))
                    pixels = part.frames * math.prod(self.video.size)
                    room.enter(pixels)
                    writing.append(writers.submit(self._write, part, outputs))
                    writing[-1].add_done_callback(partial(_leave, room, pixels))
                else:
                    done += part.frames
                while writing and writing[0].done():
                    done += writing.popleft().result()
                progress(done)
            for future in writing:
                done += future.result()
                progress(done)

    def _read(self, number: int) -> _ReadPart:
        """Read the frames of a part, or pass over them if their maps are there."""
        there = self.parts.frames(number)
        if there:
            return _ReadPart(number, self.video.skip(there), [])
        items = [self.predictor.prepare(frame) for frame in self.video.read(self.parts.state.length)]
        return _ReadPart(number, len(items), items)

    def _forward(self, items: list[NetworkInput], batch_size: int) -> list[Outputs]:
        """Let the frames of a part through the network."""
        rows, columns = items[0].tensor.shape[1:]
        most = largest_batch(self.predictor, (rows, columns), batch_size)
        outputs: list[Outputs] = []
        for start in range(0, len(items), most):
            batch = torch.stack([item.tensor for item in items[start : start + most]])
            found = self.predictor.forward(batch)
            outputs += [{name: values[place] for name, values in found.items()} for place in range(len(batch))]
        return outputs

    def _spans(self, items: list[NetworkInput], outputs: list[Outputs]) -> dict[str, Span]:
        """Ranges of values for the colours of the whole video: those that are given, else those of some frames."""
        small: dict[str, list[Map]] = {task.name: [] for task in self.predictor.tasks}
        for item, output in zip(items, outputs, strict=True):
            for name, array in self.predictor.finish(item, output).maps.items():
                small[name].append(thumbnail(array, _DETAIL))
        found = {task.name: value_span(task, *small[task.name]) for task in self.predictor.tasks}
        return {**found, **self.job.spans}

    def _write(self, part: _ReadPart, outputs: list[Outputs]) -> int:
        """Write the maps of a part, and give the number of frames."""
        self.parts.write(part.number, part.frames, self._pictures(part, outputs))
        return part.frames

    def _pictures(self, part: _ReadPart, outputs: list[Outputs]) -> Iterator[tuple[str, bytes]]:
        spans = self.parts.state.spans
        first = part.number * self.parts.state.length
        for place, (item, output) in enumerate(zip(part.items, outputs, strict=True)):
            prediction = self.predictor.finish(item, output)
            if "values" in self.wanted:
                prediction.save_values(self.parts.values(first + place))
            if "pictures" in self.wanted:
                for task in prediction.tasks:
                    yield task.name, png(colour_map(task, prediction.maps[task.name], span=spans[task.name]))
            if "overview" in self.wanted:
                yield "overview", png(np.asarray(prediction.overview(spans=spans)))

    def join(self, *, workers: int) -> None:
        """Make the videos of the maps of all frames."""
        names = [task.name for task in self.predictor.tasks] if "pictures" in self.wanted else []
        names += ["overview"] if "overview" in self.wanted else []
        files = {f"{name}.{self.job.video}": name for name in names}
        before = read_record(self.folder)
        values = self.frames if "values" in self.wanted else 0
        made = replace(self.parts.state.made, files=tuple(files), values=values, failure=self.failure)
        remove_leftovers(self.folder, (*files, RECORD))
        with ExitStack() as stack, threads(workers) as writers:
            # what is entered first takes its name last
            stack.enter_context(atomic_write(self.folder / RECORD)).write_text(made.to_text(), encoding="utf-8")
            paths = {name: stack.enter_context(atomic_write(self.folder / file)) for file, name in files.items()}
            written = [writers.submit(self._join, name, path) for name, path in paths.items()]
            for future in written:
                future.result()
            (self.folder / RECORD).unlink(missing_ok=True)
            self.parts.hand_over_values(values)
        remove_others(self.folder, before, made)

    def _join(self, name: str, path: Path) -> None:
        try:
            write_video(path, self.parts.pictures(name), rate=self.video.rate, codec=CODECS[self.job.video])
        except WriteError as error:
            raise WriteError(f"cannot write {self.folder / name}.{self.job.video}: {error}") from error.__cause__


def _leave(room: Room, pixels: int, _: Future[int]) -> None:
    room.leave(pixels)
