"""Networks of the released code: a state dict of theirs becomes a network of ours, and the other way.

Read from the released code's behaviour; names are in :mod:`pamm.models.released_names`. What their state dicts lack,
A, D and the priors, may come beside them, as *loose* tensors.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pamm.models.build import create_model
from pamm.models.config import PAMMConfig
from pamm.models.layers import lay_out_kernels
from pamm.models.pamm import PAMM
from pamm.models.released_config import infer_config
from pamm.models.released_names import Match, loose_matches, matches, their_tasks
from pamm.names import misfits

DROPPED = re.compile(r"backbone\.stage_MTLoRA_mamba\.\d+\.conv2d0\.")
"""The mixture of local experts, which the released code computes and throws away."""
STARTS: dict[str, tuple[str, Callable[[int], Tensor]]] = {
    "A_log": ("log(1), ..., log(N)", lambda states: torch.arange(1, states + 1, dtype=torch.float32).log()),
    "D": ("1", lambda _: torch.ones(())),
    "priors": ("0", lambda _: torch.zeros(())),
}
"""What their state dicts lack, by our names: the values in words, and made for N states."""


@dataclass(frozen=True)
class Released:
    """A network made from a state dict of the released code, and what became of that."""

    model: PAMM
    """The network, in evaluation mode."""
    dropped: tuple[str, ...]
    """Tensors that nothing reads."""
    filled: dict[str, str]
    """What the state dict lacks, and the values it was given."""


def from_released(
    state: Mapping[str, Tensor],
    loose: Mapping[str, Tensor] | None = None,
    *,
    config: PAMMConfig | None = None,
    **overrides: Any,
) -> Released:
    """Build the network of a state dict of the released code.

    Args:
        state: their tensors by name, with or without the prefix ``module.`` of a parallel training.
        loose: A, D and priors as the released code names them, ``stage0.A_log0.depth`` and so on. Without them A and
            D start as they do there, where they are never trained, and the priors, noise there, are 0.
        config: the network's config, if it is known; else it is told from the tensors.
        **overrides: fields of the config that tensors do not tell: ``encoder_heads`` (a head for each 64 channels if
            left out), ``image_size`` (where the number of positions fits no released config and is no square),
            ``scan_kind``.

    Raises:
        ValueError: if tensors are missing, unknown or of another shape, or the sizes cannot be told.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    dropped = tuple(name for name in state if DROPPED.match(name))
    kept = _split_attention({name: tensor for name, tensor in state.items() if not DROPPED.match(name)})
    config = infer_config(kept, **overrides) if config is None else replace(config, **overrides)
    with torch.device("meta"):
        model = create_model(config)
    wanted = model.state_dict()
    tensors = _join(matches(config), kept, wanted, "the checkpoint")
    filled: dict[str, str] = {}
    if loose is None:
        for name, part in ((name, part) for name in wanted for part in STARTS if part in name.split(".")):
            filled[part], start = STARTS[part]
            tensors[name] = start(config.d_state).expand(wanted[name].shape).clone()
    else:
        tensors |= _join(loose_matches(config), dict(loose), wanted, "what lies beside the checkpoint")
    model.load_state_dict(tensors, assign=True)
    lay_out_kernels(model)
    return Released(model.eval(), dropped, filled)


def to_released(model: PAMM) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state dict with which the released code computes what a network computes.

    Args:
        model: the network, of the released form but for A, D and the priors.

    Returns:
        Their tensors by name, those that they never read as zeros; and the loose tensors, A, D and the priors, which
        the released code does not load: it has to be given them apart.

    Raises:
        ValueError: if the network computes what the released code cannot.
    """
    _check_expressible(model.config)
    ours = model.state_dict()
    state, loose = (_split(rules(model.config), ours) for rules in (matches, loose_matches))
    return _join_attention(state) | _dead_mixture(model.config), loose


def _split(rules: Iterable[Match], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors, made of ours; copies."""
    return {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for match in rules
        if match.ours in ours
        for name, tensor in match.split(ours[match.ours]).items()
    }


def _join(
    rules: Iterable[Match], state: dict[str, Tensor], wanted: Mapping[str, Tensor], where: str
) -> dict[str, Tensor]:
    """Our tensors made of theirs, all of which have to be used.

    Raises:
        ValueError: if some are missing, unknown or of another shape.
    """
    used = [match for match in rules if match.ours in wanted]
    expected = {name: part.shape for match in used for name, part in match.split(wanted[match.ours]).items()}
    found = {name: tensor.shape for name, tensor in state.items()}
    problems = misfits(found, expected, stranger="without a place here", label=_whole)
    if problems:
        raise ValueError(f"{where} is not whole, or of another network: tensors {problems}")
    return {match.ours: match.join(state, wanted[match.ours].shape).to(wanted[match.ours].dtype) for match in used}


def _whole(name: str) -> str:
    """The tensor of the checkpoint that a part of it was split from."""
    return re.sub(r"\.attn\.[qkv]\.", ".attn.qkv.", name)


def _split_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values apart; a tensor that does not fall in three stays as it is."""
    split: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if ".attn.qkv." in name and tensor.ndim and len(tensor) % 3 == 0:
            parts = zip("qkv", tensor.chunk(3), strict=True)
            split |= {name.replace(".qkv.", f".{letter}."): part for letter, part in parts}
        else:
            split[name] = tensor
    return split


def _join_attention(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    joined: dict[str, Tensor] = {}
    for name, tensor in state.items():
        head, dot, tail = name.partition(".attn.q.")
        if dot:
            joined[f"{head}.attn.qkv.{tail}"] = torch.cat([state[f"{head}.attn.{letter}.{tail}"] for letter in "qkv"])
        elif not re.search(r"\.attn\.[kv]\.", name):
            joined[name] = tensor
    return joined


def _check_expressible(config: PAMMConfig) -> None:
    """Check that the released code can compute what a network of this config does."""
    fixed = {
        "encoder": "vit",
        "local_mixing": "none",
        "mixing_order": "released",
        "gate_activation": "none",
        "gate_renormalise": False,
        "gate_noise": "released",
        "scan_directions": 4,
        "norm_groups": PAMMConfig.norm_groups,
        "head_scale": PAMMConfig.head_scale,
        "encoder_norm_eps": PAMMConfig.encoder_norm_eps,
        "experts_kept": PAMMConfig.experts_kept,
        "expert_count": PAMMConfig.expert_count,
    }
    wrong = [
        f"{name} {getattr(config, name)!r} ({value!r} there)"
        for name, value in fixed.items()
        if getattr(config, name) != value
    ]
    if config.scan_kind not in ("hilbert", "serpentine", "z"):
        wrong.append(f"scan_kind {config.scan_kind!r} (hilbert, serpentine or z there)")
    if config.position_grid not in (None, config.grid):
        wrong.append(f"position_grid {config.position_grid} (that of the image there)")
    if wrong:
        raise ValueError(f"the released code cannot compute what this network does: {'; '.join(wrong)}")


def _dead_mixture(config: PAMMConfig) -> dict[str, Tensor]:
    """Zeros for the mixture of local experts, which the released code loads, computes and drops."""
    if not config.scan:
        return {}
    d, positions, rank, count = config.d_model, config.grid[0] * config.grid[1], 16, config.expert_count
    low_rank = {
        "W.weight": (rank, d, 3, 3),
        "W.bias": (rank,),
        "M.weight": (d, rank, 1, 1),
        "M.bias": (d,),
    }
    router = {
        "0.conv1.weight": (d // 4, d, 1, 1),
        "0.conv1.bias": (d // 4,),
        "0.ln.weight": (d // 4,),
        "0.ln.bias": (d // 4,),
        "0.convsp.weight": (1, positions),
        "0.convsp.bias": (1,),
        "0.ln_sp.weight": (d,),
        "0.ln_sp.bias": (d,),
        "0.conv2.weight": (d // 4, d, 1, 1),
        "0.conv2.bias": (d // 4,),
        "0.conv3.weight": (d // 4, d // 4, 1, 1),
        "0.conv3.bias": (d // 4,),
        "1.weight": (2 * count + 1, d // 2, 1, 1),
        "1.bias": (2 * count + 1,),
    }
    norm: dict[str, tuple[int, ...]] = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (d,))
    norm["num_batches_tracked"] = ()
    shapes: dict[str, tuple[int, ...]] = {"proj_gerneral.weight": (d, d, 3, 3), "proj_gerneral.bias": (d,)}
    shapes |= {f"MoE.{expert}.{name}": shape for expert in range(count) for name, shape in low_rank.items()}
    for task in their_tasks(config):
        shapes |= {f"router.{task}.{name}": shape for name, shape in router.items()}
        shapes |= {f"proj_task.{task}.{name}": shape for name, shape in low_rank.items()}
        shapes |= {f"{kind}.{task}.{name}": shape for kind in ("Bn", "Bn_all") for name, shape in norm.items()}
    return {
        f"backbone.stage_MTLoRA_mamba.{stage}.conv2d0.{name}": torch.zeros(shape, dtype=None if shape else torch.int64)
        for stage in range(config.stages)
        for name, shape in shapes.items()
    }
