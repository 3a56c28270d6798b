"""What all encoders have in common: layers by depth, the first of which can be kept as they are."""

from typing import Self

from torch import nn


class LayeredEncoder(nn.Module):
    """An encoder whose parameters are sorted by depth."""

    recompute = False
    """Whether activations are computed again for their gradients."""

    def layers(self) -> list[list[nn.Parameter]]:
        """Parameters by depth: those before the blocks, those of each block, those after the last."""
        raise NotImplementedError

    def parts(self) -> list[nn.Module]:
        """Modules that run one after the other and hold most of the parameters."""
        raise NotImplementedError

    def freeze(self, blocks: int | None = None) -> Self:
        """Keep the first layers as they are: without gradients, and always in evaluation mode.

        Args:
            blocks: how many blocks, along with what comes before them; none means the whole encoder.

        Raises:
            ValueError: if there are fewer blocks.
        """
        layers = self.layers()
        depth = len(layers) - 2
        if blocks is not None and not 0 <= blocks <= depth:
            raise ValueError(f"{blocks} blocks cannot be frozen: the encoder has {depth}")
        for layer in layers if blocks is None else layers[: blocks + 1]:
            for parameter in layer:
                parameter.requires_grad_(False)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; modules of which no parameter is trained stay in evaluation."""
        super().train(mode)
        if mode:
            for module in self.modules():
                trained = [parameter.requires_grad for parameter in module.parameters()]
                if trained and not any(trained):
                    module.eval()
        return self
