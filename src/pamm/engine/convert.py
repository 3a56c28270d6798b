"""Checkpoints of the released code to folders of weights, and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pamm.data.files import atomic_write
from pamm.engine.weights import load_weights, save_weights
from pamm.models import PAMMConfig
from pamm.models.foreign import read_foreign
from pamm.models.released import from_released, to_released

STATE, LOOSE, CONFIG = "model", "pamm_loose", "pamm_config"
"""Entries of a checkpoint: the state dict, which the released code reads; tensors that it has no place for; the config
of this package as JSON."""
CHECKPOINT_SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".safetensors")
UNTOLD = ("image_size", "encoder_heads", "scan_kind")
"""Fields of the config that no tensor tells for certain."""


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote, and what it did with the tensors."""

    out: Path
    """Folder of weights, or checkpoint of the released code."""
    tensors: int
    """Number of tensors that were taken over."""
    notes: tuple[str, ...]
    """What was dropped, what was set, what the user has to know."""


def convert(source: str | Path, out: str | Path, **overrides: Any) -> Conversion:
    """Convert a checkpoint of the released code, or make one.

    Nothing is written unless all tensors find their place.

    Args:
        source: checkpoint of the released code (a file of ``torch.save`` or safetensors, read without running any
            code in it); or weights of this package, by shipped name, folder or hub name.
        out: folder to write weights to; or the checkpoint to write, where ``source`` is weights of this package.
        **overrides: what tensors do not tell, see :func:`pamm.models.released.from_released`.

    Raises:
        ValueError: if the source cannot be read, a tensor is missing, unknown or of another shape, the network has no
            counterpart, or nothing can be written there.
    """
    if Path(source).is_file():
        return _from_checkpoint(Path(source), Path(out), overrides)
    if Path(source).suffix in CHECKPOINT_SUFFIXES:
        raise ValueError(f"no checkpoint {source}: check the path")
    if overrides:
        raise ValueError(f"{', '.join(overrides)}: the config of {source} is known: leave the overrides out")
    return _to_checkpoint(source, Path(out))


def _from_checkpoint(source: Path, out: Path, overrides: Mapping[str, Any]) -> Conversion:
    checkpoint = read_checkpoint(source)
    state = checkpoint.state
    try:
        config = None if checkpoint.config is None else PAMMConfig.from_dict(json.loads(checkpoint.config))
        released = from_released(state, checkpoint.loose, config=config, **overrides)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    save_weights(released.model, out)
    notes = [f"set: {part} = {value}, which the checkpoint lacks" for part, value in released.filled.items()]
    notes += [
        f"assumed: {name} = {getattr(released.model.config, name)}, which tensors do not tell"
        for name in UNTOLD
        if name not in overrides and config is None
    ]
    if released.dropped:
        notes.append(f"dropped: {len(released.dropped)} tensors of conv2d0, the mixture whose result is thrown away")
    return Conversion(out, len(state) - len(released.dropped), tuple(notes))


def _to_checkpoint(source: str | Path, out: Path) -> Conversion:
    if out.is_dir():
        raise ValueError(f"{out} is a folder: name the checkpoint to write, for example {out / 'released.pth'}")
    model = load_weights(source)
    try:
        state, loose = to_released(model)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    with atomic_write(out) as path:
        torch.save({STATE: state, LOOSE: loose, CONFIG: json.dumps(model.config.to_dict())}, path)
    note = (
        f"A_log, D and the priors are under {LOOSE!r}: the released code keeps them outside its state dict and starts "
        "from its own, so set them there to get the same outputs"
    )
    return Conversion(out, len(model.state_dict()), (note,))


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds."""

    state: dict[str, Tensor]
    """Tensors of the released code by name."""
    loose: dict[str, Tensor] | None
    """A, D and priors, if this package wrote the file."""
    config: str | None
    """Config of this package as JSON, likewise."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the tensors of a checkpoint without running any code that it may hold.

    Args:
        path: file of ``torch.save`` with a state dict, by itself or under ``model``; or safetensors.

    Raises:
        ValueError: if the file is damaged, or holds anything but plain data and tensors.
    """
    content = read_foreign(path)
    state = content.get(STATE, content) if isinstance(content, dict) else content
    if not _is_state(state):
        raise ValueError(f"{path}: holds no state dict, by itself or under {STATE!r}: give a checkpoint of a network")
    loose, config = content.get(LOOSE), content.get(CONFIG)
    return Checkpoint(state, loose if _is_state(loose) else None, config if isinstance(config, str) else None)


def _is_state(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(tensor, Tensor) for tensor in value.values())
