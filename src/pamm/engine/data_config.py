"""Which labelled images a run reads: keys of a YAML config and options of the command line.

The sentence under each field is its help text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pamm.benchmarks import BENCHMARKS
from pamm.engine.ranges import require_positive


def _below(root: str, place: str) -> str:
    """A place that starts from another, on the disk or in an object store, unless it says where it is by itself."""
    if "://" in root and "://" not in place:
        return f"{root.rstrip('/')}/{place}"
    return place if "://" in place else str(Path(root) / place)


SetName = Literal["scenes", "folder", "nyud", "pascal_context", "shards"]
"""Names of the data sets that can be in a mix."""


@dataclass(frozen=True, kw_only=True)
class MixedSet:
    """One data set of a mix, and its part in it."""

    name: SetName | None = None
    """What kind of data set it is; `folder` if left out."""
    manifest: str | None = None
    """Folder: path of the YAML manifest."""
    root: str | None = None
    """Folder of the images, starting from the mix's `root` if that is given."""
    split: str | None = None
    """Name of a split; the mix's if left out."""
    seed: int | None = None
    """Rendered scenes: the series; the mix's if left out."""
    length: int | None = None
    """Rendered scenes: how many; the mix's if left out."""
    resize: float | None = None
    """Folder: factor of the size, instead of the manifest's."""
    weight: float | None = None
    """How often its images are drawn in training, in proportion to the other sets' weights; the number of its images
    if left out."""
    heads: dict[str, str] = field(default_factory=dict)
    """By task of this set, the task of the network that learns from its labels, where the two are called differently:
    `{semseg: street_semseg}` gives the set's classes a head of their own."""
    classes: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """By task of this set, the name in the shared list of classes for each name of the set's own, null for no label;
    classes left out keep their name. The shared list is that of the first set with the task."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_positive(self, "weight", "length")

    def filled(self, training: "MixedSet") -> "MixedSet":
        """The same for validation: what is left out is that of the set to learn from, apart from the split."""
        name = self.name or training.name
        if (name or "folder") != (training.name or "folder"):
            return self
        return replace(
            self,
            name=name,
            manifest=self.manifest or training.manifest,
            root=self.root or training.root,
            resize=self.resize or training.resize,
            heads=self.heads or training.heads,
            classes=self.classes or training.classes,
        )


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which labelled images to read."""

    name: SetName | Literal["mix"] = "scenes"
    """Rendered scenes, a folder of one's own described by a manifest, NYUD-v2, PASCAL-Context, shards that
    `pamm data pack` wrote, or a mix of several."""
    seed: int = 0
    """Rendered scenes: the series, so that different seeds never show the same scene."""
    length: int = 200
    """Rendered scenes: how many of the endless series."""
    height: int | None = None
    """Height of the network's input in pixels, a multiple of the patch; the one it is made for if left out."""
    width: int | None = None
    """Width of the network's input in pixels, a multiple of the patch; the one it is made for if left out."""
    manifest: str | None = None
    """Folder: path of the YAML manifest."""
    root: str | None = None
    """NYUD-v2 and PASCAL-Context: their folder. Folder: where the images lie, if not where the manifest says. Shards:
    their folder, a pattern or a file, on the disk or as a URL such as `s3://bucket/rooms`. Mix: what the roots of its
    sets start from."""
    split: str | None = None
    """Name of a split. Left out: of NYUD-v2, PASCAL-Context and shards of several splits `train` to learn from and
    `val` to score on; of a folder all images."""
    sets: dict[str, MixedSet] = field(default_factory=dict)
    """Mix: its data sets by names of your own. Left out in validation: those to learn from."""
    resize: float | None = None
    """Folder: factor in (0, 1] of the size of images and maps, instead of the manifest's."""
    storage_options: dict[str, Any] = field(default_factory=dict)
    """Shards in an object store: options of its file system, for example `{anon: true}`. They are kept with the run:
    leave keys and passwords to the environment."""

    def __post_init__(self) -> None:
        """Check the ranges, and that the fields suit the named set."""
        require_positive(self, "length", "height", "width")
        if self.name == "scenes" and (self.manifest or self.root or self.split):
            raise ValueError(
                "manifest, root and split belong to data on the disk: set --data.name folder, nyud, pascal_context or "
                "shards"
            )
        if self.name in (*BENCHMARKS, "shards") and self.manifest:
            raise ValueError(f"data {self.name!r} needs no manifest: leave it out, or set --data.name folder")
        if self.resize is not None and self.name != "folder":
            where = "give it to its sets" if self.name == "mix" else "leave it out"
            raise ValueError(f"resize is for folders with a manifest, not for data {self.name!r}: {where}")
        if self.sets and self.name != "mix":
            raise ValueError(f"data {self.name!r} has no sets: leave them out, or set --data.name mix")
        if self.name == "mix" and self.manifest:
            raise ValueError("each set of a mix has a manifest of its own: give it under `sets`")

    def filled(self, training: "DataConfig") -> "DataConfig":
        """The same for validation: what is left out is that of the data to learn from, apart from splits and series."""
        if self.name != training.name:
            return self
        sets = self.sets or {name: replace(entry, split=None, seed=None) for name, entry in training.sets.items()}
        return replace(
            self,
            manifest=self.manifest or training.manifest,
            root=self.root or training.root,
            resize=self.resize or training.resize,
            sets={name: entry.filled(training.sets.get(name, entry)) for name, entry in sets.items()},
            storage_options=self.storage_options or training.storage_options,
        )

    def members(self) -> Mapping[str, "DataConfig"]:
        """Mix: the config of each of its sets alone."""
        return {name: self._member(entry) for name, entry in self.sets.items()}

    def _member(self, entry: MixedSet) -> "DataConfig":
        name = entry.name or "folder"
        root = entry.root if entry.root is None or self.root is None else _below(self.root, entry.root)
        return DataConfig(
            name=name,
            seed=self.seed if entry.seed is None else entry.seed,
            length=entry.length or self.length,
            height=self.height,
            width=self.width,
            manifest=entry.manifest,
            root=root,
            resize=entry.resize,
            # rendered scenes have no splits
            split=entry.split or (None if name == "scenes" else self.split),
            storage_options=self.storage_options,
        )

    def canvas(self, default: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the network's input, with ``default`` for what is left out."""
        return self.height or default[0], self.width or default[1]
