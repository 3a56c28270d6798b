"""The parameter experts one by one, as their formula reads: the truth that the fused form is tested against.

Letters as in :mod:`pamm.models.experts`; here every task, parameter and expert is a step of a loop, and features are
maps (b, channels, h, w).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.models.experts import ParameterExperts
from pamm.models.layers import Grid, TaskBatchNorm
from pamm.models.router import Router


def parameter_experts_naive(layer: ParameterExperts, x: Tensor, grid: Grid, *, noise: Tensor | None = None) -> Tensor:
    """Compute ``layer(x, grid, noise=noise)[0]`` with the layer's weights, but without its running statistics.

    Args:
        layer: holds the weights; batch norms use batch statistics in training mode, else the running ones.
        x: (T, b, L, E).
        grid: rows and columns of the L positions.
        noise: (T, b, P, M) standard normal draws, needed in training mode.

    Returns:
        (T, b, L, P, N).
    """
    tasks = []
    for task, tokens in enumerate(x):
        maps = tokens.mT.reshape(len(tokens), -1, *grid)
        values = [
            _parameter(layer, maps, task, kind, None if noise is None else noise[task, :, kind])
            for kind in range(layer.kinds)
        ]
        tasks.append(torch.stack([value.flatten(2).mT for value in values], dim=2))
    return torch.stack(tasks)


def _parameter(layer: ParameterExperts, x: Tensor, task: int, kind: int, noise: Tensor | None) -> Tensor:
    """``PE(x_t)`` of one task and parameter, (b, E, h, w) → (b, N, h, w)."""
    count, rank, states = layer.count, layer.rank, layer.states
    pair = task * layer.kinds + kind
    scores = _scores(layer.router, x, task, kind)
    logits, scale, mix = scores[:, :count], scores[:, count:-1], scores[:, -1]
    logits = {"none": logits, "gelu": F.gelu(logits)}[layer.activation]
    if noise is not None and layer.noise == "released":
        logits = logits + noise * scale
    if noise is not None and layer.noise == "softplus":
        logits = logits + noise * torch.log1p(scale.exp())
    gates = logits.softmax(1)
    places = gates.argsort(dim=1, descending=True)
    if layer.renormalise:
        gates = gates / gates.gather(1, places[:, : layer.kept]).sum(1, keepdim=True)
    mixture = torch.zeros(())
    for expert in range(count):
        start = (kind * count + expert) * rank
        low = _conv(x, layer.down.weight[start : start + rank], layer.down.bias[start : start + rank])
        value = _conv(low, layer.up_weight[kind, expert].mT[..., None, None], layer.up_bias[kind, expert])
        kept = (places[:, : layer.kept] == expert).any(1)
        mixture = mixture + torch.where(kept, gates[:, expert], 0)[:, None, None, None] * value

    start = pair * rank
    own_down = layer.own_down.linear or layer.own_down.conv
    assert own_down is not None
    assert own_down.bias is not None
    assert layer.own_up.bias is not None
    own_weight = own_down.weight.reshape(
        len(layer.expert_norm.weight) // states * rank, x.shape[1], layer.kernel, layer.kernel
    )
    own = _conv(x, own_weight[start : start + rank], own_down.bias.flatten()[start : start + rank])
    own = _conv(own, layer.own_up.weight[pair][..., None, None], layer.own_up.bias[pair])
    rows = slice(kind * states, (kind + 1) * states)
    general = _conv(x.detach(), layer.general.weight[rows], layer.general.bias[rows])
    channels = slice(pair * states, (pair + 1) * states)
    value = _batch_norm(layer.expert_norm, mixture, channels) + mix[:, None, None, None] * own + general
    return _batch_norm(layer.norm, value, channels)


def _scores(router: Router, x: Tensor, task: int, kind: int) -> Tensor:
    """Numbers of the router for one task and parameter, (b, E, h, w) → (b, scores)."""
    pair, quarter = task * router.kinds + kind, x.shape[1] // 4
    rows = slice(kind * quarter, (kind + 1) * quarter)
    linear = {
        name: (layer.weight[pair], None if layer.bias is None else layer.bias[pair])
        for name, layer in (("channel", router.channel_out), ("place", router.place_out), ("score", router.score))
    }
    tokens = x.flatten(2).mT  # (b, L, E)
    entry, norm = router.channel_in, router.channel_norm
    assert entry.bias is not None
    channel = F.linear(tokens, entry.weight[task, rows], entry.bias[task, rows])
    channel = F.layer_norm(channel, (quarter,), norm.weight[task, kind], norm.bias[task, kind], norm.eps)
    channel = F.linear(F.gelu(channel), *linear["channel"]).mean(1)
    weight = router.place_weight[task, kind]
    if weight.shape != x.shape[-2:]:
        resized = F.interpolate(weight[None, None], size=x.shape[-2:], mode="bilinear")[0, 0]
        weight = resized * weight.numel() / resized.numel()
    place = (x * weight).sum((2, 3)) + router.place_bias[task, kind]
    norm = router.place_norm
    place = F.layer_norm(place, place.shape[1:], norm.weight[task, kind], norm.bias[task, kind], norm.eps)
    place = F.linear(F.gelu(place), *linear["place"])
    return F.linear(torch.cat((channel, place), dim=1), *linear["score"])


def _conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


def _batch_norm(norm: TaskBatchNorm, x: Tensor, channels: slice) -> Tensor:
    weight, bias = norm.weight[channels], norm.bias[channels]
    if norm.training:
        return F.batch_norm(x, None, None, weight, bias, training=True, eps=norm.eps)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return F.batch_norm(x, norm.running_mean[channels], norm.running_var[channels], weight, bias, eps=norm.eps)
