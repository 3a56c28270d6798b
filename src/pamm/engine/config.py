"""What a run is made of: the model, the data, the augmentation, the optimisation and the folder it writes to.

These classes are the keys of a YAML config and the options of the command line; the sentence under each field is
its help text.
"""

from dataclasses import dataclass, field
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
    """Pretrained ViT or DINO to take the encoder from: a folder or a hub name such as `facebook/dinov2-small`."""
    init: str | None = None
    """Weights to start from: a shipped name, a folder or a hub name. All that fits is taken over, the rest is new."""

    def __post_init__(self) -> None:
        """Check that the fields do not contradict each other."""
        if "tasks" in self.overrides:
            raise ValueError("model.overrides cannot hold tasks: name them under `tasks`")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which labelled images to read."""

    name: Literal["scenes", "folder", "nyud", "pascal_context"] = "scenes"
    """Rendered scenes, a folder of one's own described by a manifest, NYUD-v2 or PASCAL-Context."""
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
    """NYUD-v2 and PASCAL-Context: their folder. Folder: where the images lie, if not where the manifest says."""
    split: str | None = None
    """Name of a split. Left out: of NYUD-v2 and PASCAL-Context `train` to learn from and `val` to score on; of a folder
    all images."""

    def __post_init__(self) -> None:
        """Check the ranges, and that the fields suit the named set."""
        _positive(self, "length", "height", "width")
        if self.name == "scenes" and (self.manifest or self.root or self.split):
            raise ValueError(
                "manifest, root and split belong to data on the disk: set --data.name folder, nyud or pascal_context"
            )
        if self.name in BENCHMARKS and self.manifest:
            raise ValueError(f"data {self.name!r} needs no manifest: leave it out, or set --data.name folder")

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

    def __post_init__(self) -> None:
        """Check the ranges."""
        _positive(self, "steps", "batch_size", "lr", "clip", "power")
        _not_negative(self, "weight_decay", "warmup", "load_balancing")


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
    resume: bool | Literal["auto"] = False
    """Whether to go on with the run that `out` holds, from its last checkpoint; more `optim.steps` train on. `auto`: go
    on if there is a checkpoint, else begin; for jobs that a scheduler starts again."""
    checkpoint_every: int | None = None
    """Steps between two checkpoints besides those after validations; none if left out."""
    keep: int = 1
    """How many checkpoints with the lowest validation losses are kept besides the last."""
    non_finite: Literal["stop", "skip"] = "stop"
    """What to do with a batch whose loss or gradient is not finite or exploded: stop the run, or leave it out of what
    is learnt. Either way its names are written to `bad_batches`."""
    largest_loss: float = 1e6
    """Training loss above which it counts as exploded."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What to do with a photo or label that cannot be read: stop the run, or take the next one and write its name to
    `unreadable.json`."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        _positive(self, "validate_every", "log_every", "devices", "threads", "checkpoint_every", "largest_loss")
        _not_negative(self, "workers", "pictures", "keep")
