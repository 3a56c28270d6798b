"""Activations that are computed again in the backward pass instead of kept."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn
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
    return nullcontext(), _without_statistics(module)


@contextmanager
def _without_statistics(module: nn.Module) -> Iterator[None]:
    """Let batch norms in training leave their running statistics as they are."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    counts = [None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone() for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and count is not None:
                norm.num_batches_tracked.copy_(count)
