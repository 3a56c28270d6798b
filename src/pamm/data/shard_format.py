"""What a shard holds: the name of its file, what it says of its set, and labels without loss.

A shard is a Parquet file named ``SPLIT-00002-of-00010.parquet``. Its columns are ``name``, ``photo`` (the bytes of a
JPEG, PNG or other picture) and ``label_TASK`` for each task, empty where the label is missing: a grey PNG of classes
and yes/no questions, an ``.npz`` of values and directions. The tasks, with their classes, units and ranges, are in the
metadata of its schema, so that no manifest is needed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.records import build
from pamm.tasks import Task

Label = NDArray[Any]

SHARD = re.compile(r"(?P<split>\w[\w.-]*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.parquet")
"""File names of shards."""
_METADATA = b"pamm"
_VERSION = 1
_PNG_KINDS = ("classes", "binary")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a shard says of the set that it is a part of."""

    tasks: tuple[Task, ...]
    """The tasks, with the set's own classes, units and ranges."""
    samples: int
    """Number of samples of all shards of the split."""
    photos: int
    """Number of samples of a shard, of the last one at most."""
    stamp: str
    """Tells sets apart that have the same tasks and size."""

    def to_metadata(self) -> dict[bytes, bytes]:
        """Metadata of the schema of a Parquet file."""
        return {_METADATA: json.dumps({"version": _VERSION, **asdict(self)}).encode()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes] | None, where: str) -> Self:
        """What :meth:`to_metadata` gave.

        Args:
            metadata: of a Parquet file.
            where: the file, for messages.

        Raises:
            ValueError: if the file is none of ours, or of a later version.
        """
        if _METADATA not in (metadata or {}):
            raise ValueError(f"{where}: does not say which tasks it has labels for: write it with `pamm data pack`")
        assert metadata is not None
        plain = json.loads(metadata[_METADATA])
        if plain.get("version") != _VERSION:
            raise ValueError(f"{where}: version {plain.get('version')}, wanted {_VERSION}: pack the set again")
        del plain["version"]
        return build(cls, plain, where)


def need_library() -> None:
    """Check that the extra ``shards`` is installed.

    Raises:
        ModuleNotFoundError: if it is not; the message says what to do.
    """
    try:
        import datasets  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"shards need {error.name}: pip install 'pamm[shards]'") from error


def label_column(task: Task) -> str:
    """Name of the column of a task's labels."""
    return f"label_{task.name}"


def shard_name(split: str, number: int, count: int) -> str:
    """File name of one of so many shards of a split.

    Raises:
        ValueError: if the split's name does not do for a file.
    """
    name = f"{split}-{number:05d}-of-{count:05d}.parquet"
    if not SHARD.fullmatch(name):
        raise ValueError(f"split {split!r}: give a name of letters, digits, dots, dashes and underscores")
    return name


def read_header(path: Path) -> Header:
    """What the shard in a file on the disk says of its set.

    Raises:
        ValueError: if it is damaged or none of ours.
    """
    from pyarrow import ArrowException, parquet

    try:
        metadata = parquet.read_schema(path).metadata
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path}: not a Parquet file, or cut short: copy it again or pack the set again") from error
    return Header.from_metadata(metadata, str(path))


def encode_label(label: Label, task: Task) -> bytes:
    """A label as a shard holds it, without loss.

    Args:
        label: as in :class:`pamm.data.sample.Sample`.
        task: what it shows.

    Raises:
        ValueError: if it is of another type.
    """
    wanted = np.uint8 if task.kind in _PNG_KINDS else np.float32
    if label.dtype != wanted:
        raise ValueError(f"the {task.name} label is of type {label.dtype}, wanted {np.dtype(wanted)}")
    if task.kind in _PNG_KINDS:
        return bytes(cv2.imencode(".png", label)[1])
    stream = BytesIO()
    np.savez_compressed(stream, label=label)
    return stream.getvalue()


def decode_label(stored: bytes, task: Task) -> Label:
    """The label that :func:`encode_label` stored.

    Raises:
        ValueError: if it is damaged.
    """
    try:
        if task.kind in _PNG_KINDS:
            return np.asarray(cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)
        with np.load(BytesIO(stored), allow_pickle=False) as arrays:
            return np.asarray(arrays["label"], np.float32)
    except Exception as error:
        # a decoder may raise anything for damaged bytes
        raise ValueError(f"the {task.name} label is damaged: copy its shard again") from error
