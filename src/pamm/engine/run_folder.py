"""The folder of a run: what it holds and whose it is."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import yaml

from pamm.data.files import atomic_write
from pamm.engine.recipe import Recipe
from pamm.engine.survival.checkpoints import latest_whole, list_checkpoints

FREE = {
    *("resume", "out", "workers", "threads", "log_every", "pictures", "checkpoint_every", "keep"),
    *("non_finite", "largest_loss", "unreadable"),
}
"""Settings of ``run`` that may differ when a run is resumed: they do not change what is learnt, or say what to do about
what would end it."""


def check_folder(folder: Path, record: dict[str, Any], *, resume: bool | Literal["auto"]) -> bool:
    """See that the folder is free for the run.

    Args:
        folder: where the run is kept.
        record: the run's settings as plain values.
        resume: whether to go on with the run that the folder holds; ``"auto"``: if it holds one.

    Returns:
        Whether there is a run to go on with.

    Raises:
        ValueError: if the folder holds another run, none to resume, or one with other settings.
    """
    found = list_checkpoints(folder)
    if resume and found:
        _check_same(folder / "config.yaml", record)
        return True
    if resume is True:
        raise ValueError(f"{folder} holds no checkpoint to resume from: check run.out, or begin with run.resume auto")
    if found:
        raise ValueError(f"{folder} already holds a run: choose another run.out, or go on with run.resume")
    return False


def find_checkpoint(
    folder: Path, record: dict[str, Any], *, resume: bool | Literal["auto"]
) -> tuple[int, Path] | tuple[Literal[0], None]:
    """Find the checkpoint to go on from.

    Args:
        folder: where the run is kept.
        record: as for :func:`check_folder`.
        resume: as for :func:`check_folder`.

    Returns:
        The steps done before it and its path; 0 and None for a new run.

    Raises:
        ValueError: as :func:`check_folder`, or if every checkpoint is damaged.
    """
    return latest_whole(folder) if check_folder(folder, record, resume=resume) else (0, None)


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
    # settings that did not exist when the run began were as they are by default
    old = {key: value for key, value in _flat(_plain(asdict(Recipe()))).items() if key in new} | old
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
        if key == "sets":
            # what a mix draws depends on their order, too
            flat[name] = list(value)
    return flat
