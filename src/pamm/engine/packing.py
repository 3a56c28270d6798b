"""From a data config to shards."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pamm.data.mix import MixDataset
from pamm.data.pack import pack
from pamm.data.sample import FileDataset, SampleSource
from pamm.data.shards import ShardDataset
from pamm.data.tree import TreeDataset
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset

_CANVAS = (128, 160)


def pack_dataset(
    data: DataConfig,
    out: str | Path,
    *,
    split: str | None = None,
    photos: int = 256,
    scoring: bool = False,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write the data set that a config names as shards; of a set that is packed in part, only what is missing.

    Args:
        data: the data set. Rendered scenes are 128×160 pixels if it gives no size.
        out: folder of the shards.
        split: what their names start with. Left out: the split that is packed, or ``all``.
        photos: photos in a shard.
        scoring: whether a benchmark's labels are the truth of its published scores.
        workers: processes that read and encode; 0 does so in this one.
        progress: called with the number of samples written, and in all.

    Returns:
        The shards, in order.

    Raises:
        ValueError: if the set cannot be read, or the folder holds shards of another set under these names.
        ModuleNotFoundError: if the extra ``shards`` is not installed.
    """
    source = open_dataset(data, canvas=_CANVAS, split="train", scoring=scoring)
    usual = source.split if isinstance(source, ShardDataset | TreeDataset) else "all"
    return pack(
        source,
        out,
        split=split or data.split or usual,
        photos=photos,
        stamp=_stamp(data, source, scoring=scoring),
        workers=workers,
        progress=progress,
    )


def _stamp(data: DataConfig, source: SampleSource, *, scoring: bool) -> str:
    """What changes with the config, the order of a mix's sets, the manifests, and the names of the samples."""
    manifests = [config.manifest for config in (data, *data.members().values())]
    texts = [Path(manifest).read_text(encoding="utf-8") for manifest in manifests if manifest]
    parts = [part.source for part in source.members.values()] if isinstance(source, MixDataset) else [source]
    names = [part.ids for part in parts if isinstance(part, FileDataset)]
    identity = json.dumps([asdict(data), list(data.sets), texts, names, scoring], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()
