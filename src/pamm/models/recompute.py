"""Activations that are computed again in the backward pass instead of kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Output = TypeVar("Output")


def call(module: Callable[..., Output], *inputs: Any, recompute: bool) -> Output:
    """Call a module.

    Args:
        module: the module; what it draws at random is drawn alike both times.
        *inputs: its inputs.
        recompute: whether its activations are computed again when gradients need them, for memory of its inputs and
            outputs only. Its batch norms count the batch once.
    """
    if not (recompute and torch.is_grad_enabled()):
        return module(*inputs)
    # a compiler takes the updates of the statistics out of what is computed again
    options: dict[str, Any] = {} if torch.compiler.is_compiling() else {"context_fn": partial(_contexts, module)}
    output: Output = checkpoint(module, *inputs, use_reentrant=False, **options)
    return output


def _contexts(module: Callable[..., object]) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    assert isinstance(module, nn.Module)
    return nullcontext(), _WithoutStatistics(module)


class _WithoutStatistics(AbstractContextManager[None]):
    """Lets batch norms in training leave their running statistics as they are; once for each backward pass."""

    def __init__(self, module: nn.Module) -> None:
        self.norms = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        self.momenta: list[float | None] = []
        self.counts: list[Tensor | None] = []

    def __enter__(self) -> None:
        self.momenta = [norm.momentum for norm in self.norms]
        self.counts = [
            None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone() for norm in self.norms
        ]
        for norm in self.norms:
            norm.momentum = 0.0

    def __exit__(self, *_: object) -> None:
        for norm, momentum, count in zip(self.norms, self.momenta, self.counts, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
