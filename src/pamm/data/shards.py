"""Data sets packed as Parquet shards (see :mod:`pamm.data.shard_format`), on the disk or in an object store.

:mod:`pamm.data.pack` writes them. They are read by the `datasets` library, which keeps them in its cache, mapped into
memory, so that any sample can be read at any time.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
from numpy.typing import NDArray

from pamm.data.images import read_image
from pamm.data.sample import FileDataset, Reader
from pamm.data.shard_format import SHARD, Label, decode_label, label_column, need_library, read_header, shard_name
from pamm.names import unknown_name
from pamm.tasks import Task


def holds_shards(folder: Path) -> bool:
    """Whether a folder on the disk holds any."""
    return any(SHARD.fullmatch(path.name) for path in folder.glob("*.parquet"))


def find_shards(root: str, *, storage_options: Mapping[str, Any] | None = None) -> dict[str, tuple[str, ...]]:
    """The shards of a place by split, in order; those that a pattern or the name of a file picks need not be all.

    Args:
        root: folder, pattern of files, or file; on the disk, or as a URL such as ``s3://bucket/rooms``.
        storage_options: of the file system, as `fsspec` takes them.

    Raises:
        ValueError: if there are none, or a folder lacks some.
        ModuleNotFoundError: if the package that reads from such a store is not installed.
    """
    try:
        files, top = fsspec.core.url_to_fs(str(root), **(storage_options or {}))
    except ImportError as error:
        raise ModuleNotFoundError(f"{root}: {error}") from error
    try:
        picked = not files.isdir(top)
        names = files.glob(top if picked else f"{_escaped(top.rstrip('/'))}/*.parquet")
    except Exception as error:
        # every store has errors of its own
        raise ValueError(f"{root}: cannot be listed ({error}): check the address and your access") from error
    found: dict[str, dict[str, str]] = {}
    for path in names:
        if match := SHARD.fullmatch(path.rpartition("/")[2]):
            if found.setdefault(match["split"], {}).setdefault(match[0], path) != path:
                raise ValueError(f"{root}: {match[0]} is there twice: give one folder")
    if not found:
        raise ValueError(f"{root}: no shards are there: give the folder that `pamm data pack` wrote")
    if not picked:
        for split, shards in found.items():
            _check_complete(f"{root}: {split}", split, shards)
    local = "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))
    return {
        split: tuple(shards[name] if local else files.unstrip_protocol(shards[name]) for name in sorted(shards))
        for split, shards in sorted(found.items())
    }


def _check_complete(where: str, split: str, names: Collection[str]) -> None:
    counts = {int(match["count"]) for match in map(SHARD.fullmatch, names) if match}
    if len(counts) > 1:
        raise ValueError(f"{where}: shards of several packings, of {sorted(counts)} each: remove the older ones")
    (count,) = counts
    missing = [name for number in range(count) if (name := shard_name(split, number, count)) not in names]
    if missing:
        raise ValueError(
            f"{where}: {len(missing)} of {count} shards are missing, the first is {missing[0]}: copy them too, or let "
            "`pamm data pack` go on"
        )


def _escaped(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


class ShardDataset(FileDataset):
    """The samples of a split's shards, each with the labels that it was packed with."""

    def __init__(
        self,
        root: str | Path,
        *,
        split: str | None = None,
        usual: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Find the shards; bring those of an object store, and all that are new, into the cache.

        Args:
            root: folder, pattern of files, or file; on the disk, or as a URL such as ``s3://bucket/rooms``.
            split: which of several splits.
            usual: the split to take if none is named and there are several.
            storage_options: of the file system, as `fsspec` takes them.

        Raises:
            ValueError: if the shards are missing, damaged, or not of one set, or the split must be named.
            ModuleNotFoundError: if the extra ``shards`` or what reads from such a store is not installed.
        """
        need_library()
        splits = find_shards(str(root), storage_options=storage_options)
        self.root = root
        self.split = _choose(str(root), list(splits), split, usual)
        files = _on_disk(splits[self.split], storage_options or {})
        headers = [read_header(path) for path in files]
        if any(header != headers[0] for header in headers):
            raise ValueError(f"{root}: {self.split}: the shards are not of one set: pack it again into an empty folder")
        self._tasks = headers[0].tasks
        self._rows = _open_rows(files)
        self.ids = tuple(self._rows["name"][:])

    def stored_photo(self, index: int) -> bytes | None:
        """The photo as the shard holds it.

        Raises:
            IndexError: if there is no such photo.
        """
        photo: bytes = self._row(index)["photo"]
        return photo

    def open(self, index: int) -> tuple[NDArray[np.uint8], dict[str, Reader]]:
        """One photo, (H, W, 3) uint8 RGB, and by task what reads its label.

        Raises:
            IndexError: if there is no such photo.
            ValueError: if it cannot be read.
        """
        row = self._row(index)
        try:
            image = read_image(row["photo"], as_shown=False)
        except ValueError as error:
            raise ValueError(f"{self.root}: {row['name']}: the photo is damaged: copy its shard again") from error
        return image, self._readers(row)

    def labels(self, index: int, *, shape: tuple[int, int] | None = None) -> dict[str, Reader]:
        """By task, what reads the label of one photo.

        Args:
            index: number of the photo.
            shape: of no use here.

        Raises:
            IndexError: if there is no such photo.
        """
        return self._readers(self._row(index))

    def _row(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = self._rows[range(len(self.ids))[index]]
        return row

    def _readers(self, row: Mapping[str, Any]) -> dict[str, Reader]:
        stored = {task: row[label_column(task)] for task in self._tasks}
        return {
            task.name: partial(_read, f"{self.root}: {row['name']}", data, task)
            for task, data in stored.items()
            if data is not None
        }


def _read(where: str, stored: bytes, task: Task) -> Label:
    try:
        return decode_label(stored, task)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _choose(root: str, splits: Sequence[str], split: str | None, usual: str | None) -> str:
    if split is None:
        if usual is not None and usual in splits:
            return usual
        if len(splits) == 1:
            return splits[0]
        raise ValueError(f"{root}: holds the splits {', '.join(splits)}: name one of them")
    if split not in splits:
        raise ValueError(f"{root}: {unknown_name('split', split, splits)}")
    return split


def _on_disk(files: Sequence[str], storage_options: Mapping[str, Any]) -> list[Path]:
    """The files themselves, or copies in the cache of those that lie elsewhere."""
    if not any("://" in name for name in files):
        return [Path(name) for name in files]
    from datasets import DownloadConfig, DownloadManager

    # by its tag, a file that has changed in the store is fetched anew
    config = DownloadConfig(use_etag=True, storage_options=dict(storage_options))
    manager = DownloadManager(download_config=config, record_checksums=False)
    try:
        return [Path(path) for path in manager.download(list(files))]
    except Exception as error:
        # every store has errors of its own
        raise ValueError(f"{files[0]}: cannot be fetched ({error}): check your access and the disk") from error


def _open_rows(files: Sequence[Path]) -> Any:  # noqa: ANN401  (a library without type information)
    """The rows of the files, mapped into memory from the cache."""
    from datasets import Dataset
    from datasets.exceptions import DatasetsError

    try:
        return Dataset.from_parquet([_escaped(str(path)) for path in files])
    except (DatasetsError, OSError) as error:
        raise ValueError(f"{files[0].parent}: the shards cannot be read: {error.__cause__ or error}") from error
