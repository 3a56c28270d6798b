"""Sizes that an exporter leaves open."""

import torch


def is_open(*sizes: int) -> bool:
    """Whether one of them is a symbol, which stands for any number: to compare it would bind it to the answer."""
    return any(isinstance(size, torch.SymInt) for size in sizes)
