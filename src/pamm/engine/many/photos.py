"""The three steps of a batch of photos: read, predict, write. Each can be done by another thread."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pamm.data.images import check_file
from pamm.engine.many.batches import Batch
from pamm.engine.many.job import Job
from pamm.engine.many.records import Made
from pamm.engine.many.sources import Source
from pamm.engine.predictor import NetworkInput, Predictor

FAILURES = (ValueError, OSError, RuntimeError, MemoryError, ArithmeticError)
"""What may befall one photo without stopping the others."""
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of writing that the next photo would meet as well."""


@dataclass(frozen=True)
class Outcome:
    """What became of one photo or video."""

    source: Source
    """The photo or video."""
    folder: Path | None = None
    """Folder of its maps, if they were made, wholly or in part."""
    failure: str = ""
    """What is wrong with it, in a line, if something is."""
    hopeless: bool = False
    """Whether the others would fail of the same."""
    frames: int = 0
    """Frames of a video that were predicted now."""


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """A photo that was read."""

    source: Source
    """The photo."""
    made: Made
    """What its maps will have been made from."""
    item: NetworkInput
    """Its pixels, and the network's input."""


@dataclass(frozen=True, eq=False)
class PredictedPhoto:
    """A photo that went through the network."""

    photo: ReadPhoto
    """The photo."""
    outputs: Mapping[str, Tensor]
    """Raw values by task, (channels, h, w)."""


def failed(source: Source, error: BaseException) -> Outcome:
    """The outcome of a photo that something befell."""
    reason = " ".join(str(error).split()) or type(error).__name__
    line = reason if str(source.path) in reason else f"{source.path}: {reason}"
    return Outcome(source, failure=line, hopeless=getattr(error.__cause__, "errno", None) in _HOPELESS)


def read_photo(predictor: Predictor, source: Source, job: Job) -> ReadPhoto | Outcome:
    """Read a photo, resize and pad it."""
    try:
        check_file(source.path)
        made = job.made(source)
        return ReadPhoto(source, made, predictor.prepare(source.path))
    except FAILURES as error:
        return failed(source, error)


def predict_photos(predictor: Predictor, batch: Batch, photos: list[ReadPhoto]) -> list[PredictedPhoto | Outcome]:
    """Let photos through the network.

    Args:
        predictor: the network.
        batch: the batch they belong to, which may have more photos.
        photos: those that could be read.

    Returns:
        What became of each, in their order; if the batch takes too much memory, each is tried on its own.
    """
    if not photos:
        return []
    tensors = [photo.item.tensor for photo in photos]
    # the last bits depend on the number of photos, and on nothing else of the others
    tensors += [torch.zeros_like(tensors[0])] * (len(batch.photos) - len(photos))
    try:
        outputs = predictor.forward(torch.stack(tensors))
    except FAILURES as error:
        if len(batch.photos) == 1:
            return [failed(photos[0].source, error)]
        return [
            one
            for photo in photos
            for one in predict_photos(predictor, Batch((photo.source,), wanted=(True,)), [photo])
        ]
    return [
        PredictedPhoto(photo, {name: values[place] for name, values in outputs.items()})
        for place, photo in enumerate(photos)
    ]


def write_photo(predictor: Predictor, predicted: PredictedPhoto, job: Job) -> Outcome:
    """Bring the maps to the photo's size and write them."""
    source = predicted.photo.source
    try:
        prediction = predictor.finish(predicted.photo.item, predicted.outputs)
        job.save(source, prediction, predicted.photo.made)
    except FAILURES as error:
        return failed(source, error)
    return Outcome(source, folder=job.folder(source))


def predict_batch(predictor: Predictor, batch: Batch, job: Job) -> list[Outcome]:
    """All three steps for the photos of a batch that are not finished, one after the other.

    Returns:
        What became of each, in their order.
    """
    wanted = [source for source, wanted in zip(batch.photos, batch.wanted, strict=True) if wanted]
    read = [read_photo(predictor, source, job) for source in wanted]
    readable = [photo for photo in read if isinstance(photo, ReadPhoto)]
    predicted = iter(predict_photos(predictor, batch, readable))
    found = [next(predicted) if isinstance(photo, ReadPhoto) else photo for photo in read]
    return [write_photo(predictor, one, job) if isinstance(one, PredictedPhoto) else one for one in found]
