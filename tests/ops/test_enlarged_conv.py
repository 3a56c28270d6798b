import pytest
import torch

from pamm.ops.enlarged_conv import SPAN, enlarged_conv, enlarged_conv_naive

# rows, batch, columns, channels in and out, factor
SIZES = [
    (1, 1, 1, 3, 2, 4),
    (5, 2, 7, 4, 6, 4),
    (3, 3, 1, 1, 1, 2),
    (SPAN, 1, SPAN + 1, 2, 5, 4),
    (2 * SPAN + 3, 2, 5, 3, 4, 2),
    (4, 2, 2 * SPAN + 1, 3, 4, 3),
    (4, 3, 5, 6, 7, 1),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_equals_its_naive_twin(size, bias):
    rows, batch, columns, inputs, outputs, scale = size
    leaves = {
        "x": torch.randn(rows, batch, columns, inputs, dtype=torch.double, requires_grad=True),
        "weight": torch.randn(outputs, inputs, 3, 3, dtype=torch.double, requires_grad=True),
    }
    leaves["bias"] = torch.randn(outputs, dtype=torch.double, requires_grad=True) if bias else None
    fast, naive = (conv(*leaves.values(), scale=scale) for conv in (enlarged_conv, enlarged_conv_naive))
    assert fast.shape == (scale * rows, batch, scale * columns, outputs)
    torch.testing.assert_close(fast, naive)
    weight = torch.randn_like(naive)
    held = {name: leaf for name, leaf in leaves.items() if leaf is not None}
    for name, *pair in zip(held, *(torch.autograd.grad(y, held.values(), weight) for y in (fast, naive)), strict=True):
        torch.testing.assert_close(*pair, msg=lambda text, name=name: f"gradient of {name}: {text}")


def test_single_precision():
    x, weight, bias = torch.randn(28, 1, 36, 96), torch.randn(64, 96, 3, 3), torch.randn(64)
    wanted = enlarged_conv_naive(x.double(), weight.double(), bias.double(), scale=4)
    got = enlarged_conv(x, weight, bias, scale=4)
    assert (got - wanted).abs().max() < 1e-6 * wanted.abs().max()


def test_serves_training_after_inference_mode():
    x, weight = torch.randn(9, 1, 11, 2), torch.randn(2, 2, 3, 3, requires_grad=True)
    with torch.inference_mode():
        enlarged_conv(x, weight, None, scale=5)
    enlarged_conv(x, weight, None, scale=5).sum().backward()
    assert weight.grad.any()
