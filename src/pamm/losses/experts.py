"""The loss that keeps the experts equally used."""

from collections.abc import Sequence

import torch
from torch import Tensor


def load_balancing_loss(gates: Sequence[Tensor]) -> Tensor:
    """How unevenly the experts are used: 0 when all are used alike, M - 1 when a single one of M is.

    The importance of an expert is the sum of its gates over the batch (Shazeer et al. 2017, eq. 6 and 7); the loss of
    one router is the squared coefficient of variation of the importance over the experts, with the population
    variance. The result is the mean over routers, that is over the tasks and the entries of ``gates``, so that its
    weight means the same for any number of tasks and stages. The paper weighs it by 0.0001 to 0.0005; the released
    code never computes it.

    Args:
        gates: one or more tensors (b, T, M) of non-negative gates, one per stage and parameter.

    Returns:
        Scalar in [0, M - 1].

    Raises:
        ValueError: if ``gates`` is empty.

    Example:
        >>> import torch
        >>> load_balancing_loss([torch.tensor([[[1.0, 0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]])])
        tensor(3.)
        >>> load_balancing_loss([torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])])
        tensor(0.)
    """
    if not gates:
        raise ValueError("got no gates: a network without experts has no load to balance")
    spread = []
    for gate in gates:
        importance = gate.float().sum(dim=0)  # (T, M)
        mean = importance.mean(dim=-1)
        variance = importance.var(dim=-1, correction=0)
        spread.append((variance / mean.square().clamp(min=1e-10)).mean())
    return torch.stack(spread).mean()
