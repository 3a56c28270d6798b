"""The selective scan to torch: compiled, exported, differentiated by torch.func, moved between dtypes."""

import pytest
import torch
from torch import Tensor, nn

from pamm.ops import scan_orders, selective_scan
from scan_toys import AVAILABLE, make

NAMES = ("x", "delta", "A", "B", "C", "D", "delta_bias", "orders")


class Scan(nn.Module):
    """What a layer does with the scan: learnt decays, fixed orders."""

    def __init__(self, backend: str | None = None) -> None:
        super().__init__()
        self.A_log = nn.Parameter(torch.rand(1, 5, 3))
        self.D = nn.Parameter(torch.ones(1, 5))
        self.register_buffer("orders", scan_orders("gilbert", 3, 4))
        self.backend = backend

    def forward(self, x: Tensor, delta: Tensor, B: Tensor, C: Tensor) -> Tensor:
        A = -torch.exp(self.A_log)
        return torch.tanh(selective_scan(x, delta, A, B, C, self.D, orders=self.orders, backend=self.backend))


def inputs(batch: int = 2) -> tuple[Tensor, ...]:
    channels, states = (batch, 1, 12, 5), (batch, 1, 12, 3)
    return tuple(torch.randn(shape) for shape in (channels, channels, states, states))


@pytest.mark.parametrize("backend", AVAILABLE)
@pytest.mark.parametrize("optional", [True, False])
def test_torch_finds_no_fault(backend, optional):
    arguments = make(D=optional, bias=optional, dtype=torch.float32)
    operator = torch.ops.pamm.selective_scan
    torch.library.opcheck(operator, [*(arguments.get(name) for name in NAMES), backend])


@pytest.mark.parametrize("backend", [None, *AVAILABLE])
def test_compiles_as_one_graph(backend):
    torch.compiler.reset()
    scan, arguments = Scan(backend), inputs()
    compiled = torch.compile(scan, fullgraph=True, backend="aot_eager")
    want, got = scan(*arguments), compiled(*arguments)
    torch.testing.assert_close(got, want)
    got.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in scan.parameters()]
    scan.zero_grad()
    want.square().sum().backward()
    torch.testing.assert_close(gradients, [parameter.grad for parameter in scan.parameters()])


def test_compiled_code_refuses_bad_orders():
    torch.compiler.reset()
    scan = Scan()
    compiled = torch.compile(scan, fullgraph=True, backend="aot_eager")
    compiled(*inputs())
    scan.orders[0, 0] = 99
    with pytest.raises(ValueError, match=r"orders\[0\] is no permutation"):
        compiled(*inputs())


@pytest.mark.parametrize("strict", [True, False])
def test_exports_with_a_batch_of_any_size(strict):
    scan = Scan()
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = {name: {0: batch} for name in ("x", "delta", "B", "C")}
    program = torch.export.export(scan, inputs(), dynamic_shapes=shapes, strict=strict)
    for size in (1, 3):
        arguments = inputs(size)
        torch.testing.assert_close(program.module()(*arguments), scan(*arguments))


@pytest.mark.parametrize("backend", AVAILABLE)
def test_first_derivatives_of_torch_func(backend):
    arguments = make(dtype=torch.float32)
    names = [name for name, tensor in arguments.items() if tensor.requires_grad]

    def loss(*tensors: Tensor) -> Tensor:
        return selective_scan(**(arguments | dict(zip(names, tensors, strict=True))), backend=backend).square().sum()

    tensors = tuple(arguments[name].detach() for name in names)
    got = torch.func.grad(loss, argnums=tuple(range(len(names))))(*tensors)
    want = torch.autograd.grad(loss(*(arguments[name] for name in names)), [arguments[name] for name in names])
    torch.testing.assert_close(got, want)


def test_a_module_may_be_moved_twice():
    scan, arguments = Scan(), inputs()
    want = scan(*arguments)
    scan.double().float().to("meta").to_empty(device="cpu").load_state_dict(Scan().state_dict())
    assert scan(*arguments).dtype == want.dtype
    wide = scan.double()(*(tensor.double() for tensor in arguments))
    torch.testing.assert_close(wide.float(), scan.float()(*arguments))


@pytest.mark.parametrize("backend", AVAILABLE)
def test_autocast_leaves_it_alone(backend):
    scan, arguments = Scan(backend), inputs()
    want = scan(*arguments)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = scan(*arguments)
    torch.testing.assert_close(got, want)
