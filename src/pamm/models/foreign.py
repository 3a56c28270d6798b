"""Reading files of other people without running any code that they may hold."""

import pickle
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file


def read_foreign(path: Path) -> Any:  # noqa: ANN401  (whatever is in the file)
    """Read a file of tensors: safetensors by its ending, else of ``torch.save``.

    Returns:
        Tensors by name, or what plain values and tensors the file of ``torch.save`` holds.

    Raises:
        ValueError: if the file is damaged, or holds anything but plain data and tensors.
    """
    try:
        return load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: holds Python objects, which can run code when they are read, so it was not read; or it is"
            " damaged. Get it from its authors again, or save its state dict alone where you trust it"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, BadZipFile, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{path}: not a whole checkpoint ({reason}): copy or download it again") from error
