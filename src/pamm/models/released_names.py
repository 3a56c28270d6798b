"""The tensors of the released code by name, and how each of ours is made of theirs.

Letters as in :mod:`pamm.models.pame`. Theirs keep one tensor per task, parameter (B, C) and expert, ours stack them:
a rule names one of our tensors and the template of theirs. A placeholder that both names have repeats the rule; one
that only theirs has is a leading dimension of ours.
"""

import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from pamm.models.config import PAMMConfig

THEIR_TASKS = {"saliency": "sal"}
"""Tasks that the released code calls otherwise."""


def their_tasks(config: PAMMConfig) -> list[str]:
    """What the released code calls a network's tasks, in their order."""
    return [THEIR_TASKS.get(task.name, task.name) for task in config.tasks]


@dataclass(frozen=True)
class Form:
    """How a tensor of theirs holds the last dimensions of one of ours."""

    dims: int
    """Number of those dimensions; the first of them takes up what the leading ones leave."""
    theirs: Callable[[Tensor], Tensor]
    """Ours to theirs."""
    ours: Callable[[Tensor], Tensor]
    """And back, up to the shape."""


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _with_class_row(position: Tensor) -> Tensor:
    """(C, h, w) → (1, 1 + L, C); the row of the class token, never read, is 0."""
    rows = position.flatten(1).mT
    return torch.cat((torch.zeros_like(rows[:1]), rows))[None]


FORMS = {
    "vector": Form(1, _same, _same),
    "matrix": Form(2, _same, _same),
    "kernel": Form(4, _same, _same),
    "pointwise": Form(2, lambda ours: ours[..., None, None], _same),
    "transposed": Form(2, lambda ours: ours.mT[..., None, None], lambda theirs: theirs.flatten(1).mT),
    "row": Form(1, lambda ours: ours[None], _same),
    "position": Form(3, _with_class_row, lambda theirs: theirs[0, 1:].mT),
    "count": Form(0, _same, _same),
}

_AFFINE = {"bias": "vector"}
_KINDS: dict[str, dict[str, str]] = {
    "conv": {"weight": "kernel", **_AFFINE},
    "linear": {"weight": "matrix", **_AFFINE},
    "pointwise": {"weight": "pointwise", **_AFFINE},
    "norm": {"weight": "vector", **_AFFINE},
    "batch norm": {
        **dict.fromkeys(("weight", "bias", "running_mean", "running_var"), "vector"),
        "num_batches_tracked": "count",
    },
}
"""Forms of the tensors of a module."""

_BLOCK = ("encoder.blocks.{k}.", "backbone.blocks.{k}.")
_STAGE = ("stages.{s}.", "backbone.stage_MTLoRA_mamba.{s}.")
_PAME = ("stages.{s}.block.", "backbone.stage_MTLoRA_mamba.{s}.")
_PE = ("stages.{s}.block.scan_parameters.experts.", "backbone.stage_MTLoRA_mamba.{s}.{p}_proj0.")
_FUSION = ("fusion.", "backbone.task_mask.{t}.")
_HEAD = ("heads.heads.{t}.", "heads.{t}.")

_MODULES: tuple[tuple[tuple[str, str], str, str, str], ...] = (
    (("", ""), "encoder.patches", "backbone.patch_embed.proj", "conv"),
    (_BLOCK, "layernorm_before", "norm1", "norm"),
    (_BLOCK, "attention.{a}_proj", "attn.{a}", "linear"),
    (_BLOCK, "attention.o_proj", "attn.proj", "linear"),
    (_BLOCK, "layernorm_after", "norm2", "norm"),
    (_BLOCK, "mlp.fc1", "mlp.fc1", "linear"),
    (_BLOCK, "mlp.fc2", "mlp.fc2", "linear"),
    (("", ""), "encoder.norm", "backbone.norm", "norm"),
    (_STAGE, "project", "first_decode", "conv"),
    (_STAGE, "norm", "input_norm", "norm"),
    (_STAGE, "task_conv", "task_conv.{t}", "conv"),
    (_STAGE, "branch.first", "task_conv1.{t}", "conv"),
    (_STAGE, "branch.norms.0", "task_norm1.{t}", "norm"),
    (_STAGE, "branch.mixing.depthwise", "task_conv2.{t}.depth_conv", "conv"),
    (_STAGE, "branch.mixing.pointwise", "task_conv2.{t}.point_conv", "pointwise"),
    (_STAGE, "branch.mixing.norm", "task_conv2.{t}.norm", "norm"),
    (_STAGE, "branch.norms.1", "task_norm2.{t}", "norm"),
    (_STAGE, "branch.last", "task_conv3.{t}", "pointwise"),
    (_STAGE, "branch.norms.2", "task_norm3.{t}", "norm"),
    (_PAME, "norm", "task_input_norm0.{t}", "norm"),
    (_PAME, "gate", "proj_z0.{t}", "pointwise"),
    (_PAME, "expand", "dim_expand_proj_x0.{t}", "pointwise"),
    (_PAME, "reduce", "dim_decrease_proj0.{t}", "pointwise"),
    (_PAME, "scan_parameters.linear.{l}", "{l}_proj0.{t}", "pointwise"),
    (_PE, "router.channel_in", "router.{t}.0.conv1", "pointwise"),
    (_PE, "router.channel_norm", "router.{t}.0.ln", "norm"),
    (_PE, "router.channel_out", "router.{t}.0.conv3", "pointwise"),
    (_PE, "router.place_norm", "router.{t}.0.ln_sp", "norm"),
    (_PE, "router.place_out", "router.{t}.0.conv2", "pointwise"),
    (_PE, "router.score", "router.{t}.1", "pointwise"),
    (_PE, "down", "MoE.{i}.W", "conv"),
    (_PE, "own_down.conv", "proj_task.{t}.W", "conv"),
    (_PE, "own_down.linear", "proj_task.{t}.W", "pointwise"),
    (_PE, "own_up", "proj_task.{t}.M", "pointwise"),
    (_PE, "general", "proj_gerneral", "conv"),
    (_PE, "expert_norm", "Bn_all.{t}", "batch norm"),
    (_PE, "norm", "Bn.{t}", "batch norm"),
    (_FUSION, "join", "0", "pointwise"),
    (_FUSION, "norm", "1", "batch norm"),
    (_FUSION, "weigh.conv", "3", "conv"),
    (_HEAD, "conv", "mt_proj.0", "conv"),
    (_HEAD, "norm", "mt_proj.1", "batch norm"),
    (_HEAD, "predict", "linear_pred", "conv"),
)
"""Common beginnings of the names, ours, theirs, kind of module."""

_TENSORS: tuple[tuple[tuple[str, str], str, str, str], ...] = (
    (("", ""), "encoder.position", "backbone.pos_embed", "position"),
    (_PAME, "step_down.weight", "x2dt_proj0.{t}.weight", "matrix"),
    (_PAME, "step_up.weight", "dt_proj0.{t}.weight", "matrix"),
    (_PAME, "step_bias", "dt_proj0.{t}.bias", "vector"),
    (_PE, "up_weight", "MoE.{i}.M.weight", "transposed"),
    (_PE, "up_bias", "MoE.{i}.M.bias", "vector"),
    (_PE, "router.place_weight", "router.{t}.0.convsp.weight", "row"),
    (_PE, "router.place_bias", "router.{t}.0.convsp.bias", "vector"),
)
"""Tensors of their own: beginnings, ours, theirs, form."""

_LOOSE: tuple[tuple[tuple[str, str], str, str, str], ...] = (
    (("stages.{s}.block.", "stage{s}."), "A_log", "A_log0.{t}", "matrix"),
    (("stages.{s}.block.", "stage{s}."), "D", "D0.{t}", "vector"),
    (("stages.{s}.block.scan_parameters.", "stage{s}."), "priors.{r}", "task_prompt_{r}.{t}", "vector"),
)
"""Tensors that the released code keeps outside its state dict."""


@dataclass(frozen=True)
class Match:
    """One tensor of ours, and those of theirs that it is made of, in the order of its leading dimensions."""

    ours: str
    theirs: tuple[str, ...]
    form: Form

    def split(self, tensor: Tensor) -> dict[str, Tensor]:
        """Their tensors by name, views of ours where the form allows."""
        if not self.form.dims:
            return dict.fromkeys(self.theirs, tensor)
        tail = tensor.shape[tensor.ndim - self.form.dims + 1 :]
        rows = tensor.reshape(len(self.theirs), -1, *tail)
        return {key: self.form.theirs(row) for key, row in zip(self.theirs, rows, strict=True)}

    def join(self, tensors: Mapping[str, Tensor], shape: torch.Size) -> Tensor:
        """Our tensor, made of theirs."""
        if not self.form.dims:
            return tensors[self.theirs[0]].clone()
        return torch.stack([self.form.ours(tensors[key]) for key in self.theirs]).reshape(shape)


def matches(config: PAMMConfig) -> Iterator[Match]:
    """What each tensor of a network's state dict is made of, as far as the network has it; see :func:`loose_matches`.

    The encoder's joint map to queries, keys and values counts as three tensors, ``attn.q``, ``attn.k`` and ``attn.v``.
    """
    values = _values(config)
    for beginnings, ours, theirs, kind in _MODULES:
        for part, form in _KINDS[kind].items():
            yield from _expand(beginnings, f"{ours}.{part}", f"{theirs}.{part}", form, values)
    for rule in _TENSORS:
        yield from _expand(*rule, values)


def loose_matches(config: PAMMConfig) -> Iterator[Match]:
    """The same for A, D and the priors, which the released code keeps outside its state dict."""
    for rule in _LOOSE:
        yield from _expand(*rule, _values(config))


def _values(config: PAMMConfig) -> dict[str, list[tuple[str, str]]]:
    """What each placeholder stands for, in our names and in theirs."""
    names = {
        "k": range(config.encoder_depth),
        "a": "qkv",
        "s": range(config.stages),
        "p": config.experts,
        "l": [name for name in ("B", "C") if name not in config.experts],
        "r": [name for name, on in (("B", config.prior_b), ("C", config.prior_c)) if on],
        "i": range(config.expert_count),
    }
    values = {key: [(str(value), str(value)) for value in choices] for key, choices in names.items()}
    return values | {"t": list(zip((task.name for task in config.tasks), their_tasks(config), strict=True))}


def _expand(
    beginnings: tuple[str, str], ours: str, theirs: str, form: str, values: Mapping[str, list[tuple[str, str]]]
) -> Iterator[Match]:
    ours, theirs = beginnings[0] + ours, beginnings[1] + theirs
    repeated, stacked = _places(ours), [place for place in "tpi" if place in _places(theirs) - _places(ours)]
    for chosen in product(*(values[place] for place in sorted(repeated))):
        fixed = dict(zip(sorted(repeated), chosen, strict=True))
        keys = [
            theirs.format(**{place: pair[1] for place, pair in (fixed | dict(zip(stacked, rest, strict=True))).items()})
            for rest in product(*(values[place] for place in stacked))
        ]
        name = ours.format(**{place: pair[0] for place, pair in fixed.items()})
        yield Match(name, tuple(keys), FORMS[form])


def _places(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}
