"""Where a network runs, and in which numbers: the one place that chooses."""

import time
from contextlib import AbstractContextManager
from typing import Literal, get_args

import torch

from pamm.models import PAMM
from pamm.names import unknown_name

Precision = Literal["float32", "bf16", "auto"]
TRIES = 3
"""Passes that are timed to find the faster precision; the best of each counts."""


def pick_device(name: str | torch.device) -> torch.device:
    """The device of a name, if this machine has it.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or any other that PyTorch knows; ``auto`` is the first there is of
            ``cuda``, ``mps`` and ``cpu``.

    Raises:
        ValueError: if there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0][:160]
        raise ValueError(f"no device {str(name)!r} here ({reason}): give auto, or cpu") from error
    return device


def arithmetic(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context that a network predicts in.

    Args:
        precision: ``float32``, or ``bf16`` for products of bfloat16 numbers; sums, norms and scans stay float32.
        device: where the network is.

    Raises:
        ValueError: if there is no such precision.
    """
    names = [name for name in get_args(Precision) if name != "auto"]
    if precision not in names:
        raise unknown_name("precision", precision, names)
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@torch.inference_mode()
def fastest_precision(model: PAMM) -> Precision:
    """The precision in which a network predicts faster on its device, for one image of its size: tried out."""
    model.eval()
    device = next(model.parameters()).device
    image = torch.zeros(1, 3, *model.config.image_size, device=device)
    candidates: tuple[Precision, ...] = ("float32", "bf16")
    best = {precision: float("inf") for precision in candidates}
    for turn in range(TRIES + 1):
        for precision in candidates:
            start = time.perf_counter()
            with arithmetic(precision, device):
                outputs = model(image)
            for output in outputs.values():
                output.flatten()[0].item()  # waits for a device that works on its own
            if turn:
                best[precision] = min(best[precision], time.perf_counter() - start)
    return min(candidates, key=best.__getitem__)
