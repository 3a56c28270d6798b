import pytest
import torch
from torch import nn

from pamm.models.layers import (
    TaskBatchNorm,
    TaskGroupNorm,
    TaskLayerNorm,
    TaskLinear,
    TaskTokenConv,
    TokenConv,
    to_maps,
    to_tokens,
)

TASKS, BATCH, GRID, CHANNELS = 3, 2, (4, 5), 6


@pytest.fixture
def tokens():
    return torch.randn(TASKS, BATCH, GRID[0] * GRID[1], CHANNELS)


def randomise(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.normal_(parameter)


def as_map(tokens: torch.Tensor) -> torch.Tensor:
    """(b, L, C) → (b, C, h, w)."""
    return tokens.mT.unflatten(2, GRID)


def test_layouts_are_inverse(tokens):
    maps = to_maps(tokens, GRID)
    assert maps.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(maps[:, CHANNELS : 2 * CHANNELS], as_map(tokens[1]))
    assert torch.equal(to_tokens(maps, tasks=TASKS), tokens)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_per_task(tokens, bias):
    layer = TaskLinear(tasks=TASKS, inputs=CHANNELS, outputs=4, bias=bias)
    for task in range(TASKS):
        wanted = nn.functional.linear(tokens[task], layer.weight[task], layer.bias[task] if bias else None)
        torch.testing.assert_close(layer(tokens)[task], wanted)


def test_linear_of_parts(tokens):
    layer = TaskLinear(tasks=TASKS, inputs=CHANNELS, outputs=4)
    parts = [part.contiguous() for part in tokens.chunk(3, dim=-1)]
    torch.testing.assert_close(layer.of_parts(parts), layer(tokens))


def test_layer_norm_per_task(tokens):
    layer = TaskLayerNorm(TASKS, CHANNELS, eps=1e-5)
    randomise(layer)
    for task in range(TASKS):
        wanted = nn.functional.layer_norm(tokens[task], (CHANNELS,), layer.weight[task], layer.bias[task])
        torch.testing.assert_close(layer(tokens)[task], wanted)


def test_group_norm_per_task(tokens):
    layer = TaskGroupNorm(tasks=TASKS, groups=2, channels=CHANNELS)
    randomise(layer)
    out = to_tokens(layer(to_maps(tokens, GRID)), tasks=TASKS)
    for task in range(TASKS):
        rows = slice(task * CHANNELS, (task + 1) * CHANNELS)
        wanted = nn.functional.group_norm(as_map(tokens[task]), 2, layer.weight[rows], layer.bias[rows])
        torch.testing.assert_close(as_map(out[task]), wanted)


def test_batch_norm_per_task(tokens):
    layer = TaskBatchNorm(tasks=TASKS, channels=CHANNELS)
    randomise(layer)
    out = layer(tokens)
    for task in range(TASKS):
        one = nn.BatchNorm2d(CHANNELS)
        rows = slice(task * CHANNELS, (task + 1) * CHANNELS)
        one.weight.data, one.bias.data = layer.weight.data[rows], layer.bias.data[rows]
        torch.testing.assert_close(as_map(out[task]), one(as_map(tokens[task])))
        torch.testing.assert_close(layer.running_var[rows], one.running_var)


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution_on_tokens(tokens, kernel):
    shared = TokenConv(inputs=CHANNELS, outputs=4, kernel=kernel)
    own = TaskTokenConv(tasks=TASKS, inputs=CHANNELS, outputs=4, kernel=kernel)
    for task in range(TASKS):
        wanted = nn.functional.conv2d(as_map(tokens[task]), shared.weight, shared.bias, padding=kernel // 2)
        torch.testing.assert_close(as_map(shared(tokens, GRID)[task]), wanted)
        layer = own.conv if kernel > 1 else own.linear
        weight = layer.weight.view(TASKS, 4, CHANNELS, kernel, kernel)[task]
        bias = layer.bias.view(TASKS, 4)[task]
        wanted = nn.functional.conv2d(as_map(tokens[task]), weight, bias, padding=kernel // 2)
        torch.testing.assert_close(as_map(own(tokens, GRID)[task]), wanted)
