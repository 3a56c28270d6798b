import pytest
import torch

from pamm.models.experts import ParameterExperts, keep_largest
from pamm.models.experts_naive import parameter_experts_naive
from pamm.models.router import Router

GRID = (3, 4)
GATES = [
    {"activation": "gelu"},
    {"renormalise": True},
    {"noise": "softplus"},
    {"noise": "none"},
    {"activation": "gelu", "renormalise": True, "noise": "softplus"},
]


def make(*, kinds: int = 2, kernel: int = 1, kept: int = 3, **gates) -> ParameterExperts:
    layer = ParameterExperts(
        tasks=2, kinds=kinds, width=8, states=3, count=5, rank=2, kept=kept, kernel=kernel, grid=GRID, **gates
    )
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    for norm in (layer.expert_norm, layer.norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    return layer.double()


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("kinds", [1, 2])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grid", [GRID, (5, 3)])
def test_fused_equals_one_by_one(kernel, kinds, training, grid):
    check_against_naive(make(kinds=kinds, kernel=kernel).train(training), grid)


@pytest.mark.parametrize("gates", GATES, ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_switches_of_the_gates_equal_one_by_one(gates, training):
    check_against_naive(make(**gates).train(training), GRID)


def check_against_naive(layer: ParameterExperts, grid: tuple[int, int]) -> None:
    """Values and every gradient."""
    kinds = layer.kinds
    x = torch.randn(2, 4, grid[0] * grid[1], 8, dtype=torch.double, requires_grad=True)
    noise = torch.randn(2, 4, kinds, 5, dtype=torch.double) if layer.training else None
    weight = torch.randn(2, 4, grid[0] * grid[1], kinds, 3, dtype=torch.double)

    naive = parameter_experts_naive(layer, x, grid, noise=noise)
    fused, _ = layer(x, grid, noise=noise)
    torch.testing.assert_close(fused, naive)
    if not layer.training:
        with torch.no_grad():
            torch.testing.assert_close(layer(x, grid)[0], naive)

    names, parameters = zip(*layer.named_parameters(), strict=True)
    wanted = torch.autograd.grad((naive * weight).sum(), (x, *parameters))
    got = torch.autograd.grad((fused * weight).sum(), (x, *parameters))
    for name, one, other in zip(("x", *names), got, wanted, strict=True):
        torch.testing.assert_close(one, other, msg=lambda text, name=name: f"gradient of {name}: {text}")


def test_largest_gates_keep_their_value():
    gates = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
    assert torch.equal(keep_largest(gates, 2), torch.tensor([[0.0, 0.4, 0.0, 0.3]]))
    assert torch.equal(keep_largest(gates, 4), gates)
    torch.testing.assert_close(keep_largest(gates, 2, renormalise=True), torch.tensor([[0.0, 4 / 7, 0.0, 3 / 7]]))


def test_noise_in_training_only():
    layer = make()
    x = torch.randn(2, 2, 12, 8, dtype=torch.double)
    assert not torch.equal(layer(x, GRID)[1], layer(x, GRID)[1])
    layer.eval()
    assert torch.equal(layer(x, GRID)[1], layer(x, GRID)[1])
    quiet = make(noise="none")
    assert torch.equal(quiet(x, GRID)[1], quiet(x, GRID)[1])


def test_switches_of_the_gates_act():
    x = torch.randn(2, 2, 12, 8, dtype=torch.double)
    noise = torch.randn(2, 2, 2, 5, dtype=torch.double)
    layer = make()
    plain = layer(x, GRID, noise=noise)[1]
    for switch, value in (("activation", "gelu"), ("renormalise", True), ("noise", "softplus")):
        before = getattr(layer, switch)
        setattr(layer, switch, value)
        assert not torch.allclose(layer(x, GRID, noise=noise)[1], plain)
        setattr(layer, switch, before)
    layer.renormalise = True
    torch.testing.assert_close(layer(x, GRID, noise=noise)[1].sum(-1), torch.ones(2, 2, 2, dtype=torch.double))


def test_gates_are_those_kept():
    _, gates = make(kept=3).eval()(torch.randn(2, 2, 12, 8, dtype=torch.double), GRID)
    assert gates.shape == (2, 2, 2, 5)
    assert ((gates > 0).sum(-1) == 3).all()
    assert (gates.sum(-1) < 1).all()


def test_general_map_does_not_reach_the_input():
    layer = make().eval()
    for name, parameter in layer.named_parameters():
        if name.startswith(("up", "own", "down")):
            torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 2, 12, 8, dtype=torch.double, requires_grad=True)
    layer(x, GRID)[0].sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))
    assert layer.general.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("grid", [(8, 8), (16, 16), (8, 4), (5, 7)])
def test_router_reads_any_grid_alike(grid):
    """Weighted sums of one smooth picture, seen with other rows and columns, stay about the same."""
    router = Router(tasks=1, kinds=1, width=4, scores=3, grid=(4, 4))
    ramp = torch.linspace(0.5, 1, 4)
    router.place_weight.data = (ramp[:, None] * ramp**2)[None, None]

    def reading(rows: int, columns: int) -> float:
        y, x = ((torch.arange(side) + 0.5) / side for side in (rows, columns))
        picture = (1 + 3 * y)[:, None] * (2 - x)
        return (router.place_weights((rows, columns)) * picture.flatten()).sum().item()

    assert reading(*grid) == pytest.approx(reading(4, 4), rel=0.03)
