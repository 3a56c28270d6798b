"""Weights as files: ``model.safetensors`` beside the ``config.json`` that says what network they belong to."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pamm.data.files import atomic_write
from pamm.models import PAMM, PAMMConfig, create_model
from pamm.models.adapters import merged_state
from pamm.names import misfits

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
CARD_FILE = "README.md"
SCORES_FILE = "scores.json"

_HUB_NAME = re.compile(r"([\w-][\w.-]*/[\w-][\w.-]*)(?:@([\w./-]+))?")
"""Organisation and name, and a revision if there is one."""


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """How files are fetched from the hub, in the words of ``huggingface_hub``."""

    revision: str | None = None
    """Branch, tag or commit; the latest commit of the main branch if left out."""
    token: str | bool | None = None
    """Token of the hub; the one that is stored here, or in ``HF_TOKEN``, if left out; False for none."""
    cache_dir: str | Path | None = None
    """Folder that keeps what was fetched; the hub's usual one if left out."""
    force_download: bool = False
    """Whether files are fetched anew although they are here."""
    local_files_only: bool = False
    """Whether only files that were fetched before are used."""


def _shipped_root() -> Path:
    return Path(str(files("pamm"))) / "weights"


def list_shipped() -> list[str]:
    """Names of the weights that come with the package."""
    root = _shipped_root()
    return sorted(file.parent.name for file in root.glob(f"*/{WEIGHTS_FILE}"))


def save_weights(
    model: PAMM,
    folder: str | Path,
    *,
    card: str | None = None,
    scores: str | None = None,
    dtype: torch.dtype | None = None,
    state: Mapping[str, Tensor] | None = None,
) -> Path:
    """Write a network's weights and config to a folder, made if need be.

    Low-rank adapters are merged: what is loaded again is a plain network.
    The files take their names only when all of them are written.

    Args:
        model: the network.
        folder: where to write; files of the same names are replaced.
        card: text of the model card, Markdown, if one is wanted.
        scores: text of the file of scores, JSON, if one is wanted.
        dtype: type in which numbers with a fraction are stored, for example ``torch.float16`` for half the size;
            loading brings them back to the network's own type. By default they stay as they are.
        state: the network's weights, if its own are not whole.

    Returns:
        The folder.

    Raises:
        ValueError: if the folder cannot be written to or holds a ``config.json`` of something else, a number is too
            large for ``dtype``, or the network is fused.
    """
    if model.fused:
        raise ValueError("a fused network has no weights of its own: save the one it was made from")
    folder = Path(folder)
    _refuse_foreign(folder / CONFIG_FILE)
    tensors = {name: _stored(name, value, dtype) for name, value in merged_state(model, state).items()}
    config = json.dumps(model.config.to_dict(), indent=2, ensure_ascii=False) + "\n"
    with ExitStack() as stack:
        weights_path, config_path = (
            stack.enter_context(atomic_write(folder / name)) for name in (WEIGHTS_FILE, CONFIG_FILE)
        )
        config_path.write_text(config, encoding="utf-8")
        for name, text in ((CARD_FILE, card), (SCORES_FILE, scores)):
            if text is not None:
                stack.enter_context(atomic_write(folder / name)).write_text(text, encoding="utf-8")
        try:
            save_file(tensors, weights_path, metadata={"format": "pt"})
        except SafetensorError as error:
            raise ValueError(f"cannot write {folder / WEIGHTS_FILE}: {error}") from error
        # safetensors lets only the owner read what it writes
        shutil.copymode(config_path, weights_path)
    return folder


def load_weights(
    name_or_folder: str | Path, *, map_location: str | torch.device = "cpu", hub: HubOptions = HubOptions()
) -> PAMM:
    """Build a network from its saved config and weights, in evaluation mode.

    Args:
        name_or_folder: as for :func:`find_weights`.
        map_location: device of the network.
        hub: how they are fetched if they are on the hub.

    Raises:
        ValueError: if there is no such thing, a file is missing or damaged, or weights and config do not belong
            together.
    """
    folder = find_weights(name_or_folder, hub=hub)
    model = create_model(_read_config(folder / CONFIG_FILE))
    path = folder / WEIGHTS_FILE
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a whole safetensors file ({error}): copy or download it again") from error
    _check_fit(tensors, model.state_dict(), folder)
    model.load_state_dict(tensors)
    return model.to(map_location).eval()


def fingerprint(model: PAMM) -> str:
    """Sixteen letters and digits that networks of the same config and weights share, and hardly any others.

    A fused network (:func:`pamm.models.fuse`) has another one than the network it was made from.
    """
    found = hashlib.sha256(json.dumps(model.config.to_dict(), sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()[:16]


def find_weights(name_or_folder: str | Path, *, hub: HubOptions = HubOptions()) -> Path:
    """The folder that holds some weights; those of a hub name are fetched, once.

    Args:
        name_or_folder: a shipped name, else a folder, else a hub name (``organisation/name``, or
            ``organisation/name@revision`` for a branch, a tag or a commit).
        hub: how they are fetched if they are on the hub.

    Raises:
        ValueError: if there is no such thing.
    """
    name = str(name_or_folder)
    if name in list_shipped():
        return _shipped_root() / name
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        if folder.is_file():
            raise ValueError(
                f"{folder} is a file: give the folder of {WEIGHTS_FILE} and {CONFIG_FILE}; a checkpoint of the "
                f"released code becomes one by `pamm convert {folder} FOLDER`, which runs no code in it"
            )
        on_hub = _HUB_NAME.fullmatch(name)
        if folder.exists() or on_hub is None:
            raise ValueError(
                f"no weights {name!r}: give a shipped name ({', '.join(list_shipped()) or 'none here'}), a folder with "
                f"{WEIGHTS_FILE} and {CONFIG_FILE}, or a hub name such as organisation/name"
            )
        repo, revision = on_hub.groups()
        if revision and hub.revision not in (None, revision):
            raise ValueError(f"{name} names one revision and {hub.revision!r} is another: give one of them")
        folder = _fetch(name, repo, replace(hub, revision=revision or hub.revision))
    for file in (WEIGHTS_FILE, CONFIG_FILE):
        if not (folder / file).is_file():
            raise ValueError(f"{folder}: no {file} there: give a folder that holds {WEIGHTS_FILE} and {CONFIG_FILE}")
    return folder


def _fetch(name: str, repo: str, hub: HubOptions) -> Path:
    try:
        files = [WEIGHTS_FILE, CONFIG_FILE, CARD_FILE, SCORES_FILE]
        return Path(snapshot_download(repo, allow_patterns=files, **asdict(hub)))
    except Exception as error:
        # the client raises errors of several libraries: of the hub, of HTTP, of the disk
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"no folder {name!r} here, and the hub did not give it ({type(error).__name__}: {reason}): check the name "
            "and the connection, or give the folder of a copy"
        ) from error


def _refuse_foreign(path: Path) -> None:
    if not path.exists():
        return
    try:
        _read_config(path)
    except ValueError as error:
        raise ValueError(
            f"{error}; it is no config of this package, so it stays: move it away, or choose another folder"
        ) from error


def _stored(name: str, value: Tensor, dtype: torch.dtype | None) -> Tensor:
    value = value.detach().cpu()
    if dtype is not None and value.is_floating_point():
        lowered = value.to(dtype)
        if not torch.equal(lowered.isfinite(), value.isfinite()):
            raise ValueError(f"{name} holds numbers too large for {dtype}: store it as it is, or as torch.bfloat16")
        value = lowered
    return value.contiguous()


def _read_config(path: Path) -> PAMMConfig:
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a readable JSON file ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: holds a {type(values).__name__}, must be an object of model settings")
    try:
        return PAMMConfig.from_dict(values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check_fit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], folder: Path) -> None:
    shapes, needed = ({name: tensor.shape for name, tensor in tensors.items()} for tensors in (found, wanted))
    problems = misfits(shapes, needed, stranger="not in the network")
    if problems:
        raise ValueError(
            f"{folder}: the weights are not those of its config: tensors {problems}: "
            f"give {WEIGHTS_FILE} and {CONFIG_FILE} of one and the same network"
        )
