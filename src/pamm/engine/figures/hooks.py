"""What flows through a network, kept as it passes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from pamm.models import PAMM

Hook = Callable[[nn.Module, tuple[Any, ...], Any], None]


@dataclass
class Recording:
    """Features of the last image or batch that went through.

    Letters: ``b`` batch, ``T`` tasks, ``h × w`` the grid of patches, ``C`` channels of a tap, ``d`` decoder width.
    """

    taps: list[Tensor] = field(default_factory=list)
    """The encoder's features, (b, C, h, w), one for each of its four depths."""
    stages: list[Tensor] = field(default_factory=list)
    """The decoder's features of each stage, (T, b, d, h, w)."""
    fused: Tensor | None = None
    """Features of all stages together, (T, b, d, h, w)."""


@contextmanager
def recording(model: PAMM) -> Iterator[Recording]:
    """Keep what flows through a network while the block runs; the network is left as it was.

    Args:
        model: the network.

    Yields:
        What is kept. It is filled, anew, whenever the network runs.
    """
    kept = Recording()

    def keep_taps(_: nn.Module, __: tuple[Any, ...], output: list[Tensor]) -> None:
        kept.taps, kept.stages, kept.fused = [tap.detach() for tap in output], [], None

    def keep_stage(_: nn.Module, __: tuple[Any, ...], output: tuple[Tensor, Any]) -> None:
        kept.stages.append(_maps(output[0], kept.taps[-1]))

    def keep_fused(_: nn.Module, __: tuple[Any, ...], output: Tensor) -> None:
        kept.fused = _maps(output, kept.taps[-1])

    hooks: list[tuple[nn.Module, Hook]] = [(model.encoder, keep_taps), (model.fusion, keep_fused)]
    hooks += [(stage, keep_stage) for stage in model.stages]
    handles = [module.register_forward_hook(hook) for module, hook in hooks]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _maps(tokens: Tensor, like: Tensor) -> Tensor:
    """Tokens (T, b, L, d) as maps (T, b, d, h, w) on the grid of a tap."""
    return torch.unflatten(tokens.detach(), 2, like.shape[-2:]).permute(0, 1, 4, 2, 3)
