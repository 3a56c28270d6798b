"""What a run is made of: the model, the data, the augmentation, the optimisation and the folder it writes to.

These classes are the keys of a YAML config and the options of the command line; the sentence under each field is
its help text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pamm.benchmarks import BENCHMARKS


def _positive(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be greater than 0, got {value}")


def _not_negative(owner: object, *names: str) -> None:
    for name in names:
        value = getattr(owner, name)
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, got {value}")


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Which network to build and where its first weights come from."""

    preset: str = "pamm_tiny"
    """Name of a preset, as `pamm info` lists them."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Fields of the preset to change, for example `{scan_kind: z}`."""
    encoder_weights: str | None = None
    """Pretrained encoder: a folder, a file of tensors or a hub name such as `facebook/dinov2-small`."""
    init: str | None = None
    """Weights to start from: a shipped name, a folder or a hub name. All that fits is taken over, the rest is new."""
    frozen_blocks: int | Literal["all"] = 0
    """First blocks of the encoder, along with what comes before them, that are kept as they are; `all` for the whole
    encoder."""
    lora_rank: int = 0
    """Rank of low-rank adapters, trained in place of the encoder's own weights in all blocks that are not frozen; 0 for
    none. The weights that are written hold them merged."""
    lora_alpha: int = 16
    """Strength of the adapters; what they add is scaled by it over their rank."""

    def __post_init__(self) -> None:
        """Check that the fields do not contradict each other."""
        if "tasks" in self.overrides:
            raise ValueError("model.overrides cannot hold tasks: name them under `tasks`")
        if self.frozen_blocks != "all":
            _not_negative(self, "frozen_blocks")
        _not_negative(self, "lora_rank")
        _positive(self, "lora_alpha")
        if self.frozen_blocks == "all" and self.lora_rank:
            raise ValueError("frozen_blocks 'all' leaves no block for adapters: leave it out, or lora_rank")


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
        _positive(self, "weight", "length")

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
    storage_options: dict[str, Any] = field(default_factory=dict)
    """Shards in an object store: options of its file system, for example `{anon: true}`. They are kept with the run:
    leave keys and passwords to the environment."""

    def __post_init__(self) -> None:
        """Check the ranges, and that the fields suit the named set."""
        _positive(self, "length", "height", "width")
        if self.name == "scenes" and (self.manifest or self.root or self.split):
            raise ValueError(
                "manifest, root and split belong to data on the disk: set --data.name folder, nyud, pascal_context or "
                "shards"
            )
        if self.name in (*BENCHMARKS, "shards") and self.manifest:
            raise ValueError(f"data {self.name!r} needs no manifest: leave it out, or set --data.name folder")
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
            # rendered scenes have no splits
            split=entry.split or (None if name == "scenes" else self.split),
            storage_options=self.storage_options,
        )

    def canvas(self, default: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the network's input, with ``default`` for what is left out."""
        return self.height or default[0], self.width or default[1]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How training images are varied."""

    scale: tuple[float, float] = (0.5, 2.0)
    """Range of the random enlargement; depth is divided by it."""
    crop_task: str | None = "semseg"
    """Class map that decides whether a crop is varied enough; no check if the data lacks it."""
    flip: bool = True
    """Whether half of the images are mirrored."""
    distort: bool = True
    """Whether brightness, contrast, saturation and hue vary."""

    def __post_init__(self) -> None:
        """Check the range."""
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"augment.scale is {low}, {high}: give two positive factors, the smaller first")


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """How the weights are learnt. The defaults follow the paper where a small machine allows it."""

    steps: int = 40_000
    """Number of optimiser steps."""
    batch_size: int = 6
    """Images per step and process."""
    name: Literal["adam", "adamw"] = "adam"
    """The optimiser; the paper's is Adam."""
    lr: float = 1e-5
    """Learning rate after the warm-up."""
    weight_decay: float = 1e-6
    """Weight decay of the matrices and kernels; none for norms, biases and state-space parameters."""
    warmup: int = 0
    """Steps over which the learning rate rises from 0."""
    power: float = 0.9
    """Exponent of the polynomial decay to 0 over all steps."""
    clip: float = 10.0
    """Largest norm of the gradient."""
    load_balancing: float = 0.0
    """Weight of the loss that keeps the experts equally used; the released code never computes it."""
    layer_decay: float = 1.0
    """Factor of the learning rate from each block of the encoder to the one before it, for example 0.75."""
    encoder_lr: float = 1.0
    """Factor of the learning rate in the encoder."""
    accumulate: int = 1
    """Batches per step and process: their gradients are averaged, in less memory than one large batch takes."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _positive(self, "steps", "batch_size", "lr", "clip", "power", "layer_decay", "encoder_lr", "accumulate")
        _not_negative(self, "weight_decay", "warmup", "load_balancing")
        if self.layer_decay > 1:
            raise ValueError(f"layer_decay must be at most 1, got {self.layer_decay}")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Where the run is kept and how it is carried out."""

    out: str = "runs/train"
    """Folder of checkpoints, weights, logs and pictures."""
    seed: int = 0
    """Seed of the first weights, of the order of the images and of all noise."""
    validate_every: int = 500
    """Steps between two validations; each writes `last`, and `best` if the loss fell."""
    log_every: int = 20
    """Steps between two entries of the log."""
    workers: int = 1
    """Processes that read and vary images; 0 reads in the training process."""
    pictures: int = 4
    """Validation samples drawn at each validation."""
    accelerator: str = "auto"
    """Lightning's name of the device kind, for example `cpu`, `gpu` or `mps`."""
    devices: int = 1
    """Number of devices, or of processes on a CPU; each takes a batch of its own."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Lightning's name of the arithmetic."""
    recompute: bool = False
    """Whether activations are computed again for the gradients instead of kept: a third more time, far less memory."""
    threads: int | None = None
    """Threads of the CPU arithmetic; torch's own choice if left out."""
    resume: bool = False
    """Whether to go on with the run that `out` holds, from its last checkpoint; more `optim.steps` train on."""
    sync_batch_norm: bool = True
    """Whether batch norms take their statistics over all processes, so that only the sum of their batches counts."""
    nodes: int = 1
    """Number of machines that train together, each with `devices` of its own."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """How processes share the work: each holds the whole network (ddp, and auto) or a part of every weight (fsdp)."""
    compile: bool = False
    """Whether torch compiles the network: minutes at the start, then faster steps on GPUs."""
    channels_last: bool = False
    """Whether images enter the network with the channels last in memory, as the network keeps its own maps."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _positive(self, "validate_every", "log_every", "devices", "threads", "nodes")
        _not_negative(self, "workers", "pictures")
