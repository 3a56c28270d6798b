"""The loss that keeps the experts equally used."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pamm.ops.processes import sum_over_processes


def load_balancing_loss(gates: Sequence[Tensor], *, over_processes: bool = False) -> Tensor:
    """How unevenly the experts are used: 0 when all are used alike, M - 1 when a single one of M is.

    The importance of an expert is the sum of its gates over the batch (Shazeer et al. 2017, eq. 6 and 7); the loss of
    one router is the squared coefficient of variation of the importance over the experts, with the population
    variance. The result is the mean over routers, that is over the tasks and the entries of ``gates``, so that its
    weight means the same for any number of tasks and stages. The paper weighs it by 0.0001 to 0.0005; the released
    code never computes it.

    Args:
        gates: one or more tensors (b, T, M) of non-negative gates, one per stage and parameter.
        over_processes: whether the batch is that of all processes together, which then must all call this.

    Returns:
        Scalar in [0, M - 1], the same in all processes.

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
    used = [gate.float().sum(dim=0) for gate in gates]  # (T, M) each
    if over_processes:
        together = sum_over_processes(torch.cat([importance.flatten() for importance in used]))
        parts = torch.split(together, [importance.numel() for importance in used])
        used = [part.view_as(importance) for part, importance in zip(parts, used, strict=True)]
    for importance in used:
        mean = importance.mean(dim=-1)
        variance = importance.var(dim=-1, correction=0)
        spread.append((variance / mean.square().clamp(min=1e-10)).mean())
    return torch.stack(spread).mean()
