"""The selective scan in operators that every runtime knows, for graphs that leave this package.

One step is one position of all K orders; the recurrence is PyTorch's ``scan``, which ONNX calls ``Scan``. Letters as in
:mod:`pamm.ops.selective_scan`, but with the tasks before the batch.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def standard_scan(
    x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor, orders: Tensor
) -> Tensor:
    """What :func:`pamm.ops.selective_scan` gives, in float32, without gradients; x is (T, b, L, E)."""
    # a prototype of PyTorch, imported where a graph is made
    from torch._higher_order_ops.scan import scan_op

    tasks, batch, length, width = x.shape
    paths = len(orders)
    rate = A.mT.contiguous()[:, None]  # (T, 1, N, E): channels last, where they lie together
    step = F.softplus(delta + bias[:, None, None])
    visits = orders.mT.flatten()  # (L·K): position by position, all orders

    def in_order(tokens: Tensor) -> Tensor:
        """(T, b, L, ·) → (L, K, T, b, ·)."""
        found = tokens.permute(2, 0, 1, 3).index_select(0, visits)
        return found.view(length, paths, tasks, batch, tokens.shape[-1])

    def advance(
        state: Tensor, step_now: Tensor, drive_now: Tensor, B_now: Tensor, C_now: Tensor, rate: Tensor
    ) -> list[Tensor]:
        """One position of each order: the state (K, T, b, N, E) to the next one and its output (K, T, b, 1, E)."""
        state = torch.exp(step_now * rate) * state + B_now * drive_now
        return [state, torch.matmul(C_now, state)]

    start = x.new_zeros(paths, tasks, batch, A.shape[-1], width)
    # whatever can be done before the recurrence is: each operation of a step costs more than its arithmetic
    over_states, over_channels = -2, -1
    inputs = [
        in_order(tokens).unsqueeze(axis)
        for tokens, axis in ((step, over_states), (step * x, over_states), (B, over_channels), (C, over_states))
    ]
    _, outputs = scan_op(advance, [start], inputs, (rate,))
    # where in (L, K) the order k visits each position
    steps = torch.arange(length, device=x.device).expand(paths, -1)
    visited = torch.zeros_like(orders).scatter(1, orders, steps) * paths
    visited = visited + torch.arange(paths, device=x.device)[:, None]
    found = outputs.flatten(0, 1).index_select(0, visited.flatten()).view(paths, length, tasks, batch, width)
    y: Tensor = found.sum(0).permute(1, 2, 0, 3) + paths * D[:, None, None] * x
    return y
