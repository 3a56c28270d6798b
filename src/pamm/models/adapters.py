"""Low-rank adapters: small maps beside those of a frozen encoder, trained in their place and merged when saved."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from pamm.models.layered import LayeredEncoder

_NAME = "default"
"""Peft's name of an adapter without one."""
_INNER = re.compile(r"\.lora_\w+\.")


def add_adapters(encoder: LayeredEncoder, *, rank: int, alpha: int, frozen_blocks: int = 0) -> None:
    """Freeze an encoder and put adapters beside the linear maps of its blocks.

    They start at zero: the encoder computes at first what it did before.

    Args:
        encoder: the encoder, changed in place.
        rank: rank of the adapters.
        alpha: their strength; what they add is scaled by ``alpha / rank``.
        frozen_blocks: how many first blocks stay without adapters.

    Raises:
        ModuleNotFoundError: if the extra ``lora`` is not installed.
        ValueError: if the encoder has no such maps.

    Source:
        LoRA (arXiv 2106.09685), on all linear maps as in arXiv 2305.14314.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"adapters need {error.name}: pip install 'pamm[lora]'") from error
    mode = encoder.training
    encoder.freeze(frozen_blocks)
    open_to_them = {parameter for layer in encoder.layers()[1:-1] for parameter in layer if parameter.requires_grad}
    names = [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear) and module.weight in open_to_them
    ]
    if not names:
        raise ValueError(f"the encoder has no linear maps after block {frozen_blocks}: leave lora_rank out")
    encoder.freeze()
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=names), encoder)
    # frozen as a whole it went into evaluation
    encoder.train(mode)


def merged_state(model: nn.Module, state: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The state dict of a module whose adapters are merged into the maps beside them; without any, its own.

    Args:
        model: the module; it stays as it is.
        state: its state dict, if it was gathered from several processes.
    """
    own: Mapping[str, Tensor] = model.state_dict() if state is None else state
    merged = {name.replace(".base_layer.", "."): value for name, value in own.items() if not _INNER.search(name)}
    for name, module in model.named_modules():
        if hasattr(module, "base_layer"):
            down, up = (own[f"{name}.lora_{letter}.{_NAME}.weight"] for letter in "AB")
            merged[f"{name}.weight"] = merged[f"{name}.weight"] + module.scaling[_NAME] * (up @ down).detach()
    return merged
