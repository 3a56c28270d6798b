"""How the optimiser treats each parameter."""

from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Sort parameters into those with weight decay and those without.

    Matrices and kernels decay. Biases, norms and parameters that carry a true ``no_weight_decay`` attribute (positions
    and the state-space model's own) do not.
    """
    decay: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        exempt = parameter.ndim < 2 or name.endswith("bias") or getattr(parameter, "no_weight_decay", False)
        (rest if exempt else decay).append(parameter)
    groups = [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
