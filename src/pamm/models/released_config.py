"""The config of a network of the released code, told from the shapes of its tensors."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import isqrt
from typing import Any

from torch import Tensor

from pamm.models.build import RELEASED, RELEASED_FORM
from pamm.models.config import STAGES, PAMMConfig
from pamm.models.released_names import THEIR_TASKS
from pamm.names import unknown_name
from pamm.tasks import TASKS, Task

_STAGE = r"backbone\.stage_MTLoRA_mamba\.\d+\."
_HEAD_WIDTH = 64
"""Channels of an attention head in every ViT that is published."""


def infer_config(state: Mapping[str, Tensor], **overrides: Any) -> PAMMConfig:
    """The config of the network that a state dict of the released code belongs to.

    Args:
        state: their tensors, without the prefix ``module.``.
        **overrides: fields that are known, see :func:`from_released`.

    Raises:
        ValueError: if the tensors do not tell the sizes.
    """
    sizes = _Sizes(state)
    channels = sizes.by_group(r"heads\.(\w+)\.linear_pred\.weight")
    if not channels:
        raise ValueError("no heads.TASK.linear_pred.weight: give a checkpoint of the released PAMM code")
    width, _, patch, _ = sizes.of(r"backbone\.patch_embed\.proj\.weight", 4)
    d_model = sizes.of(_STAGE + r"first_decode\.weight", 4)[0]
    expert = sizes.find(_STAGE + r"[BC]_proj0\.MoE\.\d+\.W\.weight")
    experts = sizes.by_group(_STAGE + r"[BC]_proj0\.MoE\.(\d+)\.W\.weight")
    found: dict[str, Any] = {
        **RELEASED_FORM,
        "tasks": _tasks({task: shape[0] for task, shape in channels.items()}),
        "encoder_width": width,
        "encoder_depth": len(sizes.by_group(r"backbone\.blocks\.(\d+)\.")),
        "encoder_heads": max(1, width // _HEAD_WIDTH),
        "encoder_mlp_ratio": sizes.of(r"backbone\.blocks\.\d+\.mlp\.fc1\.weight", 2)[0] / width,
        "patch_size": patch,
        "d_model": d_model,
        "skipped_stages": STAGES - len(sizes.by_group(r"backbone\.stage_MTLoRA_mamba\.(\d+)\.first_decode")),
        "task_conv": sizes.find(_STAGE + r"task_conv\.") is not None,
        "local_branch": sizes.find(_STAGE + r"task_conv1\.") is not None,
        "scan": sizes.find(_STAGE + r"dim_expand_proj_x0\.") is not None,
        "experts_b": sizes.find(_STAGE + r"B_proj0\.(MoE|router)") is not None,
        "experts_c": sizes.find(_STAGE + r"C_proj0\.(MoE|router)") is not None,
    }
    if found["scan"]:
        inner, states, rank = _scan_sizes(sizes)
        found |= {"expand": inner // d_model, "d_state": states, "delta_rank": rank}
    if expert is not None:
        count = len(experts)
        found |= {"expert_rank": expert[0], "expert_kernel": expert[-1], "expert_count": count}
        found["experts_kept"] = min(count, PAMMConfig.experts_kept)
    if "image_size" not in overrides:
        rows, columns = _grid(sizes.of(r"backbone\.pos_embed", 3)[1] - 1)
        found["image_size"] = (rows * patch, columns * patch)
    return PAMMConfig.from_dict(found | overrides)


def _scan_sizes(sizes: "_Sizes") -> tuple[int, int, int]:
    """Inner width, states and rank of the step."""
    inner = sizes.of(_STAGE + r"dim_expand_proj_x0\.\w+\.weight", 4)[0]
    linear = sizes.find(_STAGE + r"[BC]_proj0\.(?!MoE|router|Bn|proj)\w+\.weight")
    states = linear or sizes.of(_STAGE + r"[BC]_proj0\.MoE\.\d+\.M\.weight", 4)
    return inner, states[0], sizes.of(_STAGE + r"x2dt_proj0\.\w+\.weight", 2)[0]


class _Sizes:
    """Shapes of tensors by patterns of names; of several the commonest, so that a single odd one does not count."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}

    def find(self, pattern: str) -> tuple[int, ...] | None:
        found = Counter(shape for name, shape in self.shapes.items() if re.match(pattern, name))
        return found.most_common(1)[0][0] if found else None

    def of(self, pattern: str, dims: int) -> tuple[int, ...]:
        shape = self.find(pattern)
        if shape is None or len(shape) != dims:
            what = "is missing" if shape is None else f"has shape {shape}"
            name = pattern.replace("\\.", ".").replace("\\d+", "N").replace("\\w+", "TASK")
            raise ValueError(f"tensor {name} {what}: give a whole checkpoint of the released PAMM code")
        return shape

    def by_group(self, pattern: str) -> dict[str, tuple[int, ...]]:
        found = ((re.match(pattern, name), shape) for name, shape in self.shapes.items())
        return {match[1]: shape for match, shape in found if match}


def _tasks(channels: Mapping[str, int]) -> tuple[Task, ...]:
    """Tasks with these channels: those of a released config if it has them all, else the standard ones, changed."""
    names = {theirs: ours for ours, theirs in THEIR_TASKS.items()}
    wanted = {names.get(name, name): count for name, count in channels.items()}
    for config in RELEASED.values():
        known = {task.name: task for task in config.tasks}
        if all(name in known and known[name].channels == count for name, count in wanted.items()):
            return tuple(known[name] for name in wanted)
    for name in wanted:
        if name not in TASKS:
            raise unknown_name("task of a checkpoint", name, TASKS)
    return tuple(
        TASKS[name]
        if TASKS[name].channels == count
        else replace(TASKS[name], channels=count, class_names=(), colours=())
        for name, count in wanted.items()
    )


def _grid(positions: int) -> tuple[int, int]:
    """Rows and columns of a number of positions: a released config's, or a square's."""
    for config in RELEASED.values():
        if config.grid[0] * config.grid[1] == positions:
            return config.grid
    side = isqrt(positions)
    if side * side != positions:
        raise ValueError(f"{positions} positions may be several grids: say image_size (height, width in pixels)")
    return side, side
