"""Networks for predicting only: batch norms become part of the maps before them."""

import copy

import torch
from torch import nn

from pamm.models.experts import ParameterExperts
from pamm.models.layers import batch_norm_affine
from pamm.models.pamm import PAMM


@torch.no_grad()
def fuse(model: PAMM) -> PAMM:
    """A copy of a network that predicts the same, up to rounding, with less work.

    In evaluation a batch norm is a scale and a shift of its channels. Those of the fusion and the heads go into the
    weights of the map before; those of the parameter experts join the gates in each call anyway. Kernels of one
    convolution are laid side by side.

    Args:
        model: the network, unchanged; of one that is fused already, the copy is as it is.

    Returns:
        A network in evaluation mode that cannot be trained or saved.
    """
    fused = copy.deepcopy(model).eval().requires_grad_(False)
    if fused.fused:
        return fused
    join = fused.fusion.join
    assert join.bias is not None
    scale, shift = (value.view(join.bias.shape) for value in batch_norm_affine(fused.fusion.norm))
    join.weight.mul_(scale[..., None])
    join.bias.mul_(scale).add_(shift)
    fused.fusion.norm = nn.Identity()
    for head in fused.heads:
        scale, shift = batch_norm_affine(head.norm)
        head.conv.weight.mul_(scale.view(-1, 1, 1, 1))
        assert head.conv.bias is not None
        head.conv.bias.mul_(scale).add_(shift)
        head.norm = nn.Identity()
    for part in fused.modules():
        if isinstance(part, ParameterExperts):
            part.join_kernels()
    fused.fused = True
    return fused
