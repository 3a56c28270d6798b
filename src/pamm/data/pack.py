"""Writing data sets as Parquet shards (see :mod:`pamm.data.shard_format`)."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset

from pamm.data.dataset import SampleError
from pamm.data.files import atomic_write
from pamm.data.images import png, read_image
from pamm.data.sample import FileDataset, Sample, SampleSource
from pamm.data.shard_format import SHARD, Header, encode_label, label_column, need_library, read_header, shard_name

_ROW_GROUP = 32
"""Samples that are in memory together."""

Row = dict[str, Any]


def pack(
    source: SampleSource,
    folder: str | Path,
    *,
    split: str,
    photos: int = 256,
    stamp: str = "",
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write a data set as shards; of a set that is packed in part, only what is missing.

    Photos keep the bytes of their files where these give the same pixels, and are PNG otherwise; reading the shards
    gives the very samples of the set.

    Args:
        source: the data set.
        folder: where the shards are to lie; others, of other splits, may lie there.
        split: what their names start with.
        photos: photos in a shard.
        stamp: tells the set apart from others of the same tasks and size.
        workers: processes that read and encode; 0 does so in this one.
        progress: called with the number of samples written, and in all.

    Returns:
        The shards, in order.

    Raises:
        ValueError: if a sample cannot be read, the folder holds shards of another set under these names, or a shard
            cannot be written.
        ModuleNotFoundError: if the extra ``shards`` is not installed.
    """
    need_library()
    if photos < 1:
        raise ValueError(f"got {photos} photos in a shard: give 1 or more")
    total = len(source)
    count = math.ceil(total / photos)
    shards = [Path(folder) / shard_name(split, number, count) for number in range(count)]
    header = Header(tasks=source.tasks, samples=total, photos=photos, stamp=stamp)
    packed = _packed(shards, header, split)
    missing = [number for number in range(count) if shards[number] not in packed]
    indices = [index for number in missing for index in _share(number, photos, total)]
    rows = iter(DataLoader(_Rows(source), batch_size=None, sampler=indices, num_workers=workers, collate_fn=_as_it_is))
    done = total - len(indices)
    for number in missing:
        wanted = len(_share(number, photos, total))
        with atomic_write(shards[number]) as path:
            for written in _write(path, rows, header, wanted):
                if progress is not None:
                    progress(done + written, total)
        done += wanted
    return shards


def _share(number: int, photos: int, total: int) -> range:
    """Numbers of the samples of one shard."""
    return range(number * photos, min((number + 1) * photos, total))


def _packed(shards: list[Path], header: Header, split: str) -> set[Path]:
    """Those of the shards that are there already."""
    found = set()
    for path in sorted(shards[0].parent.glob("*.parquet")) if shards else ():
        match = SHARD.fullmatch(path.name)
        if match is None or match["split"] != split:
            continue
        if path not in shards or read_header(path) != header:
            raise ValueError(f"{path}: of another set or another packing: choose another folder, or remove it")
        found.add(path)
    return found


def _write(path: Path, rows: Iterator[Row], header: Header, wanted: int) -> Iterator[int]:
    """Write the next rows to a file, and give the number written so far."""
    import pyarrow
    from pyarrow import parquet

    columns = [("name", pyarrow.string()), ("photo", pyarrow.binary())]
    columns += [(label_column(task), pyarrow.binary()) for task in header.tasks]
    schema = pyarrow.schema(columns, metadata=header.to_metadata())
    # what is stored is compressed already, and no two photos are the same
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with parquet.ParquetWriter(path, schema, **options) as writer:
        for start in range(0, wanted, _ROW_GROUP):
            group = [next(rows) for _ in range(start, min(start + _ROW_GROUP, wanted))]
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            yield start + len(group)


class _Rows(Dataset[Row]):
    """The samples of a data set as rows of shards."""

    def __init__(self, source: SampleSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Row:
        try:
            sample = self.source[index]
            labels = {task: sample.labels.get(task.name) for task in self.source.tasks}
            encoded = {
                label_column(task): None if label is None else encode_label(label, task)
                for task, label in labels.items()
            }
            return {"name": sample.name, "photo": _photo(self.source, index, sample), **encoded}
        except (ValueError, OSError) as error:
            raise SampleError(str(error)) from error


def _as_it_is(row: Any) -> Any:  # noqa: ANN401  (a loader expects to collate a list)
    return row


def _photo(source: SampleSource, index: int, sample: Sample) -> bytes:
    """The stored bytes of a photo if they give its pixels, else a PNG."""
    stored = source.stored_photo(index) if isinstance(source, FileDataset) else None
    if stored is not None:
        pixels = read_image(stored, as_shown=False)
        if pixels.shape == sample.image.shape and (pixels == sample.image).all():
            return stored
    return png(sample.image)
