"""Boundary scores of folders of maps: side by side over images, and to be gone on with after an interruption."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pamm.engine.boundaries.files import MAPS, TRUTHS, find_maps, read_probability, read_truth
from pamm.metrics.boundary import BoundaryProtocol, BoundaryScores, best_counts, boundary_scores, image_counts

_NAMED = 3
_VERSION = 1
"""Raised when the same maps count differently, so that notes of older versions are not used."""


@dataclass(frozen=True, kw_only=True)
class FolderScores:
    """Boundary scores of a folder of maps."""

    protocol: BoundaryProtocol
    """How they were scored."""
    counts: dict[str, NDArray[np.int64]]
    """(thresholds, 4) by image, see :func:`pamm.metrics.boundary.image_counts`."""

    @cached_property
    def sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Over all images: the counts (thresholds, 4), and those (4,) at each image's own best threshold."""
        counts = list(self.counts.values())
        return np.sum(counts, axis=0), np.sum([best_counts(one) for one in counts], axis=0)

    @cached_property
    def scores(self) -> BoundaryScores:
        """Over all images."""
        return boundary_scores(*self.sums, self.protocol)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        counts, best = (sums.tolist() for sums in self.sums)
        about = {"protocol": asdict(self.protocol), "images": len(self.counts)}
        return {**about, **asdict(self.scores), "counts": counts, "best_counts": best}


def score_folders(
    predictions: Path,
    truths: Path,
    protocol: BoundaryProtocol,
    *,
    ids: Sequence[str] | None = None,
    notes: Path | None = None,
    workers: int = 1,
    backend: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FolderScores:
    """Score the maps of one folder against those of another.

    Args:
        predictions: maps of anyone's model, see :func:`pamm.engine.boundaries.files.read_probability`.
        truths: true boundaries of the same names, see :func:`pamm.engine.boundaries.files.read_truth`.
        protocol: how to score.
        ids: names of the images to score; all predictions if left out.
        notes: file in which the counts of each image are kept as they come, so that a run that was stopped goes on.
            Counts of files that changed since, or by another protocol, are not used.
        workers: images at a time.
        backend: see :func:`pamm.ops.boundaries.counts.boundary_counts`.
        progress: called with the number of images done, and of all.

    Returns:
        The scores, whatever the order of the files or the number of workers.

    Raises:
        ValueError: if an image lacks its map, a file cannot be read, or there is no worker.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}: give 1 or more")
    predicted, true = find_maps(predictions, MAPS), find_maps(truths, TRUTHS, folders=protocol.truth == "lines")
    names = sorted(predicted if ids is None else ids)
    for what, folder, maps in (("prediction", predictions, predicted), ("truth", truths, true)):
        missing = [name for name in names if name not in maps]
        if missing:
            raise ValueError(
                f"{folder}: {len(missing)} of {len(names)} images lack a {what}: {', '.join(missing[:_NAMED])}"
                f"{', …' if len(missing) > _NAMED else ''}: add them, or name the images to score"
            )
    if not names:
        raise ValueError("no image is named: name one or more, or leave the list out")
    pairs = {name: (predicted[name], true[name]) for name in names}

    def count(name: str) -> NDArray[np.int64]:
        return _count(*pairs[name], protocol, backend)

    with _Notes(notes, protocol) as kept:
        states = {name: "" if notes is None else _state(*pair) for name, pair in pairs.items()}
        counts = {name: known for name in names if (known := kept.recall(name, states[name])) is not None}
        for name, found in _side_by_side(count, [name for name in names if name not in counts], workers):
            counts[name] = found
            kept.note(name, states[name], found)
            if progress is not None:
                progress(len(counts), len(names))
    return FolderScores(protocol=protocol, counts={name: counts[name] for name in names})


def _count(predicted: Path, true: Path, protocol: BoundaryProtocol, backend: str | None) -> NDArray[np.int64]:
    probability, lines = read_probability(predicted), read_truth(true, protocol)
    if lines.shape[1:] != probability.shape:
        raise ValueError(
            f"{predicted}: {probability.shape[0]}×{probability.shape[1]} pixels, its truth {lines.shape[1]}×"
            f"{lines.shape[2]}: store predictions at the image's own size, without padding"
        )
    return image_counts(probability, lines, protocol, backend=backend)


def _side_by_side(
    count: Callable[[str], NDArray[np.int64]], names: list[str], workers: int
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Counts of images as they are done; so that all workers have work, twice as many are under way."""
    waiting = iter(names)
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[NDArray[np.int64]], str] = {}
        try:
            while True:
                for name in islice(waiting, 2 * workers - len(running)):
                    running[pool.submit(count, name)] = name
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _state(*paths: Path) -> str:
    """A digest of the content of files, and of the files in folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


class _Notes(AbstractContextManager["_Notes"]):
    """Counts of images in a file, one line each, written as they come."""

    def __init__(self, path: Path | None, protocol: BoundaryProtocol) -> None:
        self.path = path
        self.head = json.dumps({"version": _VERSION, **asdict(protocol)})
        self.known: dict[str, tuple[str, list[list[int]]]] = {}
        self.file: IO[str] | None = None

    def __enter__(self) -> "_Notes":
        if self.path is None:
            return self
        stored = self.path.read_bytes() if self.path.is_file() else b""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if stored.startswith(f"{self.head}\n".encode()):
            os.truncate(self.path, self._take_over(stored))
            self.file = self.path.open("a", encoding="utf-8")
        else:
            self.file = self.path.open("w", encoding="utf-8")
            self.file.write(f"{self.head}\n")
        return self

    def _take_over(self, stored: bytes) -> int:
        """Read the lines up to the first that is damaged or was cut short; returns where it begins."""
        end = 0
        for line in stored.splitlines(keepends=True):
            if end and not line.endswith(b"\n"):
                break
            if end:
                try:
                    name, state, counts = json.loads(line)
                except ValueError:
                    break
                self.known[name] = (state, counts)
            end += len(line)
        return end

    def recall(self, name: str, state: str) -> NDArray[np.int64] | None:
        """Counts of an image whose files are as they were."""
        known = self.known.get(name)
        return np.array(known[1], dtype=np.int64) if known is not None and known[0] == state else None

    def note(self, name: str, state: str, counts: NDArray[np.int64]) -> None:
        """Keep the counts of an image."""
        if self.file is not None:
            self.file.write(json.dumps([name, state, counts.tolist()]) + "\n")
            self.file.flush()

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()
