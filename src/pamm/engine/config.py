"""What a run is made of: the model, the augmentation, the optimisation and the folder it writes to.

These classes are the keys of a YAML config and the options of the command line; the sentence under each field is
its help text.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from pamm.engine.ranges import require_not_negative, require_positive


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
            require_not_negative(self, "frozen_blocks")
        require_not_negative(self, "lora_rank")
        require_positive(self, "lora_alpha")
        if self.frozen_blocks == "all" and self.lora_rank:
            raise ValueError("frozen_blocks 'all' leaves no block for adapters: leave it out, or lora_rank")


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
        require_positive(self, "steps", "batch_size", "lr", "clip", "power", "layer_decay", "encoder_lr", "accumulate")
        require_not_negative(self, "weight_decay", "warmup", "load_balancing")
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
    resume: bool | Literal["auto"] = False
    """Whether to go on with the run that `out` holds, from its last checkpoint; more `optim.steps` train on. `auto`: go
    on if there is a checkpoint, else begin; for jobs that a scheduler starts again."""
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
        require_positive(self, "validate_every", "log_every", "devices", "threads", "nodes")
        require_positive(self, "checkpoint_every", "largest_loss")
        require_not_negative(self, "workers", "pictures", "keep")
