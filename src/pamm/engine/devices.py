"""Where a network runs, by name."""

import torch


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
