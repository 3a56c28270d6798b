"""The whole network: encoder, one decoder stage per tap, fusion of the stages, heads.

Letters: ``b`` batch, ``T`` tasks, ``L`` patches of an ``h × w`` grid, ``d`` decoder width, ``M`` experts.
"""

from typing import Self

from torch import Tensor, nn

from pamm.models.batch_norm import SyncedBatchNorm
from pamm.models.config import PAMMConfig
from pamm.models.fusion import Fusion, Heads
from pamm.models.layered import LayeredEncoder
from pamm.models.layers import lay_out_kernels
from pamm.models.recompute import call
from pamm.models.stage import Stage
from pamm.ops.kept_orders import kept_orders


class PAMM(nn.Module):
    """Parameter Aware Mamba Model (arXiv 2511.14503), built from ready parts; see :func:`pamm.models.create_model`."""

    def __init__(
        self, config: PAMMConfig, *, encoder: LayeredEncoder, stages: list[Stage], fusion: Fusion, heads: Heads
    ) -> None:
        """Build the layer.

        Args:
            config: the sizes and switches the parts were built with.
            encoder: makes one feature map per stage.
            stages: turn each of them into one map per task.
            fusion: joins the stages' maps.
            heads: predict the outputs.
        """
        super().__init__()
        self.config = config
        self.encoder = encoder
        self.stages = nn.ModuleList(stages)
        self.fusion = fusion
        self.heads = heads
        self.fused = False
        self.recompute = False
        lay_out_kernels(self)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation.

        Raises:
            ValueError: if a network made by :func:`pamm.models.fuse` is to be trained.
        """
        if mode and self.fused:
            raise ValueError("a fused network only predicts: train the one it was made from")
        return super().train(mode)

    def set_recompute(self, recompute: bool = True) -> Self:
        """Choose whether the activations of encoder blocks, stages and heads are computed again for their gradients.

        It takes a third more time and a fraction of the memory; the gradients are the same.
        """
        for part in (self, self.encoder, self.heads):
            part.recompute = recompute
        return self

    def set_synced(self, synced: bool = True) -> Self:
        """Choose whether batch norms in training take their statistics over all processes that train together."""
        for part in self.modules():
            if isinstance(part, SyncedBatchNorm):
                part.synced = synced
        return self

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Predict all maps.

        Args:
            image: (b, 3, H, W), normalised with ``config.mean`` and ``config.std``; sides multiples of the patch size.

        Returns:
            By task name, raw values (b, channels, H, W); :meth:`pamm.tasks.Task.decode` turns them into maps.

        Raises:
            ValueError: if the image has another shape.
        """
        return self.forward_with_gates(image)[0]

    def forward_with_gates(self, image: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Predict all maps, and give the gates for a load-balancing loss.

        Args:
            image: as for :meth:`forward`.

        Returns:
            The outputs of :meth:`forward`, and for each stage and each of B and C that experts make the gates
            (b, T, M): between 0 and 1, noisy in training, 0 for experts that are not kept.
        """
        patch = self.config.patch_size
        sides = image.shape[-2:]
        if image.dim() != 4 or image.shape[1] != 3 or any(side < patch or side % patch for side in sides):
            raise ValueError(
                f"got an image of shape {tuple(image.shape)}, wanted (batch, 3, height, width) with sides that are"
                f" multiples of {patch}: pad it"
            )
        size = (sides[0], sides[1])
        grid = (size[0] // patch, size[1] // patch)
        orders = kept_orders(image.device, self.config.scan_kind, *grid, self.config.scan_directions)
        outputs: list[Tensor] = []
        gates: list[Tensor] = []
        taps = self.encoder(image)[self.config.skipped_stages :]
        for stage, tap in zip(self.stages, taps, strict=True):
            output, stage_gates = call(stage, tap, orders, recompute=self.recompute)
            outputs.append(output)
            gates += stage_gates.values()
        return self.heads(self.fusion(outputs, grid), grid, size), gates
