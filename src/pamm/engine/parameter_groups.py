"""How the optimiser treats each parameter."""

from typing import Any

from torch import nn

from pamm.models.layered import LayeredEncoder
from pamm.models.layers import NO_DECAY


def parameter_groups(
    model: nn.Module, *, weight_decay: float, lr: float, layer_decay: float = 1.0, encoder_lr: float = 1.0
) -> list[dict[str, Any]]:
    """Sort parameters into those with weight decay and those without, and by their learning rate.

    Matrices and kernels decay. Biases, norms and parameters that carry a true ``no_weight_decay`` attribute (positions
    and the state-space model's own) do not. Parameters without gradients are left out.

    Args:
        model: the network, or any part of it.
        weight_decay: the weight decay.
        lr: learning rate of all that is not in an encoder.
        layer_decay: factor from each layer of an encoder to the one before it; what follows the last block has the
            full rate.
        encoder_lr: factor of the rates in an encoder.

    Source:
        Layer-wise decay as in the fine-tuning of BEiT (arXiv 2106.08254).
    """
    factors: dict[nn.Parameter, float] = {}
    for encoder in model.modules():
        if isinstance(encoder, LayeredEncoder):
            for depth, layer in enumerate(reversed(encoder.layers())):
                factors |= dict.fromkeys(layer, encoder_lr * layer_decay**depth)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {(1.0, True): [], (1.0, False): []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            exempt = parameter.ndim < 2 or name.endswith("bias") or getattr(parameter, NO_DECAY, False)
            groups.setdefault((factors.get(parameter, 1.0), not exempt), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": weight_decay if decays else 0.0, "lr": lr * factor}
        for (factor, decays), parameters in groups.items()
        if parameters
    ]
