"""How the C library treats memory that is no longer used."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of the settings in glibc's malloc.h."""
_MOST = 2**31 - 1


def keep_memory() -> bool:
    """Let this process keep the memory of freed tensors for the next ones.

    By default glibc asks the system for each tensor of more than 32 MiB anew and gives it back after use, and the
    system clears every page of it: much of the time of a training step on large images. The peak stays about the same,
    but memory is not given back before the process ends, so a library should not decide this: commands and training do.

    Returns:
        Whether the C library has the settings; Linux's usual one does.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(key, _MOST) == 1 for key in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))
