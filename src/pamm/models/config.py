"""Every size and switch of the network, as one frozen record."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from pamm.names import unknown_name
from pamm.ops.scan_order import DIRECTIONS, ScanKind
from pamm.records import settle
from pamm.tasks import TASKS, Task, get_tasks

STAGES = 4
"""Number of taps of the encoder, and of decoder stages."""

EncoderKind = Literal["vit", "dinov2", "dinov3", "backbone"]
LocalMixing = Literal["depthwise", "none"]
MixingOrder = Literal["released", "mamba"]
DeltaInit = Literal["mamba", "zero"]
GateActivation = Literal["none", "gelu"]
GateNoise = Literal["released", "softplus", "none"]


@dataclass(frozen=True, kw_only=True)
class PAMMConfig:
    """All sizes and switches of a network; the defaults are the paper's form.

    Raises:
        ValueError: if a value is of another type or out of range, or two values contradict each other.
    """

    tasks: tuple[Task, ...] = tuple(TASKS.values())
    """Maps to predict: names of standard or registered tasks, or full task records."""
    image_size: tuple[int, int] = (448, 576)
    """Height and width in pixels the network is made for; others work, multiples of the patch size."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Mean of the red, green and blue values (of 0 to 1) that the input is normalised with."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """Standard deviation of the red, green and blue values that the input is normalised with."""

    encoder: EncoderKind = "vit"
    """Kind of encoder: a ViT without class token, as in the paper, a DINOv2, a DINOv3 of the ViT family, or any other
    backbone of transformers."""
    patch_size: int = 16
    """Side in pixels of the square patches the encoder cuts the image into. The maps of a ``backbone`` are brought to
    that grid."""
    encoder_width: int = 1024
    """Number of channels of the encoder."""
    encoder_depth: int = 24
    """Number of blocks of the encoder, a multiple of 4: a tap follows each quarter."""
    encoder_heads: int = 16
    """Number of attention heads of each encoder block."""
    encoder_mlp_ratio: float = 4.0
    """Width of the encoder's hidden layers over its width."""
    encoder_gated_mlp: bool = False
    """Whether the hidden layers of a DINOv3 are gated, as those of its ViT-S+ are."""
    encoder_registers: int = 0
    """Number of register tokens of a DINO encoder: 4 in every DINOv3 that is published, and in some DINOv2."""
    encoder_norm_eps: float = 1e-6
    """Epsilon of the encoder's layer norms; some hub weights were trained with 1e-12."""
    position_grid: tuple[int, int] | None = None
    """Rows and columns of the position embedding; none means those of the image size. Other grids are interpolated.
    A DINOv3 has no such embedding."""
    stochastic_depth: float = 0.15
    """Chance of dropping the last encoder block's branches in training; it grows linearly from 0 at the first."""
    encoder_config: dict[str, Any] | None = None
    """Form of a ``backbone``, as transformers writes it; the encoder's other sizes then say nothing."""
    encoder_widths: tuple[int, int, int, int] | None = None
    """Channels of the four maps of a ``backbone``."""

    d_model: int = 768
    """Decoder width d. The paper's: 768 for NYUD-v2, 1024 for PASCAL-Context."""
    norm_groups: int = 32
    """Groups of the decoder's group norms."""
    expand: int = 2
    """Inner width E of the scan over the decoder width."""
    d_state: int = 16
    """State size N of the scan. The paper's: 16 for NYUD-v2, 64 for PASCAL-Context."""
    delta_rank: int | None = None
    """Rank R of the map to the scan's step size; none means an upward-rounded sixteenth of the decoder width."""
    delta_init: DeltaInit = "mamba"
    """Start of the step bias: Mamba's (steps of 0.001 to 0.1), or zero as in the released code (steps near 0.69)."""
    task_conv: bool = True
    """Whether each task has its own 3x3 convolution before its block; without it all tasks start from one map."""
    local_mixing: LocalMixing = "depthwise"
    """What feeds the scan: the paper's depthwise convolution, or none as in the released code, which drops it."""
    mixing_order: MixingOrder = "released"
    """Where the block mixes and gates: before the expansion and after the output map, both at width d, as in the
    released code, or at the inner width, between the two, as in Mamba."""
    local_branch: bool = False
    """Whether a convolutional branch beside the scan is added to each stage's output; off in the released configs."""
    scan: bool = True
    """Whether the stages scan at all."""
    scan_kind: ScanKind = "hilbert"
    """Curve along which the positions are read."""
    scan_directions: int = 4
    """Number of readings of that curve whose outputs are summed: 1, 2, 4 or 8."""
    skipped_stages: int = 0
    """Number of first stages that are left out, the released code's ``overstage``; the fusion's softmax keeps four
    weights, of which the first serve."""
    learn_state: bool = True
    """Whether A, D and the priors are learnt. The released code keeps them outside the network: never trained, never
    saved, the priors drawn anew at every start; here they are part of the weights either way."""

    experts_b: bool = True
    """Whether parameter experts make B, the scan's input map; else one linear map per task."""
    experts_c: bool = True
    """Whether parameter experts make C, the scan's output map; else one linear map per task."""
    expert_count: int = 15
    """Number M of shared low-rank experts."""
    expert_rank: int = 4
    """Rank r of the experts and of each task's own map."""
    experts_kept: int = 9
    """Number k of experts whose gates are kept; the others' are set to 0. The released code always keeps 9."""
    gate_activation: GateActivation = "none"
    """What the experts' scores pass before the softmax. The paper has ``softmax(Act(Linear(f)))``, the code none."""
    gate_renormalise: bool = False
    """Whether the kept gates are scaled to a sum of 1. The paper's formula has softmax and top-k alone, and the
    released code leaves them as they are; other mixtures of experts often scale."""
    gate_noise: GateNoise = "released"
    """Noise of the scores in training. The paper's formula has none; the released code scales it by a learnt number of
    any sign, noisy top-k gating (arXiv 1701.06538) by its softplus. With ``none`` routers lack those numbers."""
    expert_kernel: int = 1
    """Kernel of the experts' and the general map. The paper's maps are linear; the released code convolves 9x9."""
    prior_b: bool = True
    """Whether a learnt vector per task is added to B. The released code neither trains nor saves it."""
    prior_c: bool = True
    """Whether a learnt vector per task is added to C. The released code neither trains nor saves it."""

    head_scale: int = 4
    """Factor by which the fused maps are enlarged before the heads."""

    def __post_init__(self) -> None:
        """Check the fields, each and against each other, and make tasks of names and tuples of lists."""
        object.__setattr__(self, "tasks", get_tasks(self.tasks))
        for name, kinds in (
            ("encoder", EncoderKind),
            ("local_mixing", LocalMixing),
            ("mixing_order", MixingOrder),
            ("scan_kind", ScanKind),
            ("delta_init", DeltaInit),
            ("gate_activation", GateActivation),
            ("gate_noise", GateNoise),
        ):
            value = getattr(self, name)
            if value not in get_args(kinds):
                raise unknown_name(name, str(value), get_args(kinds))
        settle(self, "config")
        self._check_numbers()
        if self.scan_directions not in DIRECTIONS:
            raise ValueError(f"scan_directions is {self.scan_directions}, must be one of {DIRECTIONS}")
        for big, small, why in (
            ("encoder_width", "encoder_heads", "heads share the width evenly"),
            ("encoder_depth", None, "a tap follows each quarter of the blocks"),
            ("d_model", "norm_groups", "groups share the channels evenly"),
        ):
            divisor = getattr(self, small) if small else STAGES
            if getattr(self, big) % divisor:
                raise ValueError(
                    f"{big} is {getattr(self, big)}, must be a multiple of {small or 'the number of taps'} = {divisor}:"
                    f" {why}"
                )
        if any(side % self.patch_size for side in self.image_size):
            raise ValueError(f"image_size is {self.image_size}, must be multiples of patch_size = {self.patch_size}")
        if self.inner_width % 4:
            raise ValueError(
                f"expand * d_model is {self.inner_width}, must be a multiple of 4: routers work at a quarter"
            )
        self._check_encoder()
        if self.experts_kept > self.expert_count:
            raise ValueError(f"experts_kept is {self.experts_kept}, must be at most expert_count = {self.expert_count}")
        if self.expert_kernel % 2 == 0:
            raise ValueError(f"expert_kernel is {self.expert_kernel}, must be odd, so that it has a centre")
        if not 0 <= self.skipped_stages < STAGES:
            raise ValueError(f"skipped_stages is {self.skipped_stages}, must be at least 0 and below {STAGES}")
        if not 0 <= self.stochastic_depth < 1:
            raise ValueError(f"stochastic_depth is {self.stochastic_depth}, must be at least 0 and below 1")
        if min(self.std) <= 0:
            raise ValueError(f"std is {self.std}, must be positive numbers")

    def _check_encoder(self) -> None:
        """Check that the fields suit the kind of encoder."""
        head_width = self.encoder_width // self.encoder_heads
        for kinds, wrong, message in (
            (
                ("dinov2",),
                self.encoder_mlp_ratio % 1,
                f"encoder_mlp_ratio is {self.encoder_mlp_ratio}, must be a whole number",
            ),
            (
                ("dinov3",),
                head_width % 4,
                f"encoder_width / encoder_heads is {head_width}, must be a multiple of 4: half turns with each side",
            ),
            (
                ("dinov3",),
                self.position_grid is not None,
                f"position_grid is {self.position_grid}, must be left out: positions are angles on any grid",
            ),
            (("vit",), self.encoder_registers, f"encoder_registers is {self.encoder_registers}, must be 0"),
            (("vit", "dinov2"), self.encoder_gated_mlp, "encoder_gated_mlp is true, must be false"),
        ):
            if wrong and self.encoder in kinds:
                raise ValueError(f"{message}, for the encoder {self.encoder!r}")
        for name in ("encoder_config", "encoder_widths"):
            if (getattr(self, name) is None) == (self.encoder == "backbone"):
                wanted = "be given" if self.encoder == "backbone" else "be left out"
                raise ValueError(f"{name} is {getattr(self, name)}, must {wanted}, for the encoder {self.encoder!r}")
        if self.encoder_registers < 0:
            raise ValueError(f"encoder_registers is {self.encoder_registers}, must be 0 or more")

    def _check_numbers(self) -> None:
        """Check that counts and sides are positive, and what else is above 0."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type in (int, int | None) and field.default != 0 and value is not None and value < 1:
                raise ValueError(f"{field.name} is {value}, must be a positive whole number")
        for name in ("image_size", "position_grid"):
            sides = getattr(self, name)
            if sides is not None and min(sides) < 1:
                raise ValueError(f"{name} is {sides}, must be two positive whole numbers: height, width")
        for name in ("encoder_mlp_ratio", "encoder_norm_eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be a positive number")

    @property
    def tap_widths(self) -> tuple[int, ...]:
        """Channels of the encoder's maps that the stages read."""
        return (self.encoder_widths or (self.encoder_width,) * STAGES)[self.skipped_stages :]

    @property
    def inner_width(self) -> int:
        """E, the width of the scan."""
        return self.expand * self.d_model

    @property
    def step_rank(self) -> int:
        """R, the rank of the map to the scan's step size."""
        return self.delta_rank or math.ceil(self.d_model / 16)

    @property
    def stages(self) -> int:
        """Number of decoder stages that are not left out."""
        return STAGES - self.skipped_stages

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches at ``image_size``."""
        return self.image_size[0] // self.patch_size, self.image_size[1] // self.patch_size

    @property
    def experts(self) -> tuple[str, ...]:
        """Which of the scan's parameters are made by experts: a subset of ``("B", "C")``."""
        return tuple(name for name, on in (("B", self.experts_b), ("C", self.experts_c)) if on and self.scan)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; :meth:`from_dict` reads them back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a config from plain values.

        Args:
            values: any of the fields; the others keep their defaults.

        Raises:
            ValueError: if a key is unknown (the nearest one is named) or a value does not fit.
        """
        check_keys(values)
        return cls(**values)


def check_keys(values: Iterable[str]) -> None:
    """Check that every name is a field of :class:`PAMMConfig`.

    Raises:
        ValueError: naming the nearest fields if one is not.
    """
    known = [field.name for field in dataclasses.fields(PAMMConfig)]
    for key in values:
        if key not in known:
            raise unknown_name("model setting", str(key), known)
