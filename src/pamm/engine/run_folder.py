"""The folder of a run: what it holds, whose it is, and files that are never half-written."""

from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from pamm.data.files import atomic_write

FREE = {"resume", "out", "workers", "threads", "log_every", "pictures"}
"""Settings of ``run`` that may differ when a run is resumed: they do not change what is learnt."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints under a temporary name beside the old ones, so that a full disk costs neither."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint.

        Raises:
            ValueError: if it cannot be written.
        """
        with atomic_write(path) as temporary:
            torch.save(checkpoint, temporary)


def find_checkpoint(folder: Path, record: dict[str, Any], *, resume: bool) -> Path | None:
    """Find the checkpoint to go on from, and see that the folder is free for the run.

    Args:
        folder: where the run is kept.
        record: the run's settings as plain values.
        resume: whether to go on with the run that the folder holds.

    Returns:
        The checkpoint to go on from, None for a new run.

    Raises:
        ValueError: if the folder holds another run, none to resume, or one with other settings.
    """
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if resume:
        if not checkpoint.exists():
            raise ValueError(f"{folder} holds no checkpoint to resume from: {checkpoint} is missing")
        _check_same(folder / "config.yaml", record)
    elif checkpoint.exists():
        raise ValueError(f"{folder} already holds a run: choose another run.out, or go on with run.resume")
    return checkpoint if resume else None


def keep_record(folder: Path, record: dict[str, Any]) -> None:
    """Make the folder of a run and write its settings to ``config.yaml``."""
    with atomic_write(folder / "config.yaml") as path:
        path.write_text(yaml.safe_dump(_plain(record), sort_keys=False), encoding="utf-8")


def _check_same(path: Path, record: dict[str, Any]) -> None:
    """Refuse to resume a run with settings that would make it another one; only more steps are welcome."""
    try:
        old = _flat(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read the settings of the run in {path}: {' '.join(str(error).split())}") from error
    new = _flat(_plain(record))
    for key in sorted(set(old) | set(new)):
        free = key == "optim.steps" or (key.startswith("run.") and key.removeprefix("run.") in FREE)
        if not free and old.get(key) != new.get(key):
            raise ValueError(
                f"{path.parent} was trained with {key} = {old.get(key)!r}, now it is {new.get(key)!r}: resume with the "
                "run's own settings, or choose another run.out"
            )


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, as YAML gives them back."""
    return {
        key: _plain(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for key, value in record.items()
    }


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat
