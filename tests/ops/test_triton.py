"""The scan in Triton without a GPU: its numbers under Triton's interpreter, its code through Triton's compiler.

The interpreter must be asked for before triton is imported, as other tests may have done: so the tests that need it run
in a process of their own, started by :func:`test_under_the_interpreter`.
"""

import dataclasses
import importlib.util
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pamm.ops import selective_scan, triton_scan
from pamm.ops.scan_call import ScanCall
from pamm.ops.triton_scan import scan_triton, triton_refusal
from scan_toys import compare, make, run

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
ORDER = ("x", "delta", "A", "B", "C", "D", "delta_bias", "orders")


class TestInterpreted:
    __test__ = INTERPRETED

    @pytest.fixture(autouse=True)
    def memory_full_of_nan(self) -> Iterator[None]:
        """What is read before it was written is NaN."""
        torch.use_deterministic_algorithms(True)
        assert torch.ones(()).new_empty(9).isnan().all()
        yield
        torch.use_deterministic_algorithms(False)

    @pytest.mark.parametrize(
        "sizes",
        [
            {"b": 1, "L": 1, "E": 1, "N": 1, "K": 1},
            {"b": 2, "T": 3, "L": 7, "E": 7, "N": 3, "K": 2},
            {"b": 1, "L": 33, "E": 33, "N": 16, "K": 1},
            {"b": 1, "L": 33, "E": 7, "N": 3, "K": 4},
            {"b": 1, "T": 3, "L": 7, "E": 33, "N": 1, "K": 2},
            {"b": 1, "L": 32, "E": 1, "N": 20, "K": 0},
            {"L": 7, "D": False},
            {"L": 7, "bias": False},
            {"L": 7, "D": False, "bias": False, "K": 1},
        ],
        ids=str,
    )
    def test_output_and_every_gradient(self, sizes):
        compare(make(**sizes, dtype=torch.float32), "triton")

    @pytest.mark.parametrize("tiling", [{"programs": 1}, {"programs": 3}, {"segment": 4}, {"channels": 4}], ids=str)
    def test_how_the_work_is_cut_changes_nothing(self, tiling, monkeypatch):
        """Orders of one program, or of several; many segments; many blocks of channels."""
        monkeypatch.setattr(triton_scan, "_TILING", dataclasses.replace(triton_scan._TILING, **tiling))
        compare(make(b=1, L=9, E=6, K=4, dtype=torch.float32), "triton")

    def test_extremes(self):
        """Steps of 30 and of e^-60, decays of e^-12000: nothing overflows, nothing is lost."""
        arguments = make(b=1, T=2, L=14, K=2, D=False, bias=False, dtype=torch.float32)
        with torch.no_grad():
            arguments["delta"][:, :, ::3] = 30
            arguments["delta"][:, :, 1::5] = -60
            arguments["A"][0] = -400
            arguments["A"][1, :, 0] = -1e-6
        compare(arguments, "triton")

    def test_the_step_is_exact_where_it_is_small(self):
        """One position of a state that starts at zero, all else one: the output is the step, softplus(delta)."""
        delta = torch.linspace(-80, 30, 60).reshape(1, 1, 1, 60)
        one = torch.ones(1, 1, 1, 1)
        x, A, orders = one.expand(delta.shape), -torch.ones(1, 60, 1), torch.tensor([[0]])
        y = scan_triton(ScanCall(x, delta, A, one, one, None, None, orders))
        torch.testing.assert_close(y.double(), delta.double().exp().log1p(), rtol=1e-6, atol=0)

    @pytest.mark.parametrize("where", ["x", "delta"])
    def test_nan_stays_in_its_channel(self, where):
        arguments = make(b=2, T=2, L=7, E=4, dtype=torch.float32)
        clean = selective_scan(**arguments, backend="triton")
        arguments[where].data[0, 1, 3, 2] = math.nan
        y = selective_scan(**arguments, backend="triton")
        assert y[0, 1, :, 2].isnan().any()
        y[0, 1, :, 2] = clean[0, 1, :, 2]
        torch.testing.assert_close(y, clean, rtol=0, atol=0)

    def test_inputs_that_are_not_contiguous(self):
        arguments = make(b=2, T=3, L=7, E=4, N=3, dtype=torch.float32)
        expanded = {
            **arguments,
            "x": torch.randn(2, 4, 7, 3).requires_grad_().permute(0, 3, 2, 1),
            "delta": torch.randn(2, 1, 7, 4).requires_grad_().expand(2, 3, 7, 4),
            "A": (-torch.rand(3, 1, 4)).requires_grad_().mT.expand(3, 4, 3),
            "B": torch.randn(2, 3, 3, 14).requires_grad_()[..., ::2].mT,
            "D": torch.randn(4, 3).requires_grad_().mT,
            "delta_bias": torch.randn(1, 4).requires_grad_().expand(3, 4),
            "orders": arguments["orders"].T.contiguous().T,
        }
        changed = expanded.keys() - {"C"}
        assert not any(expanded[name].is_contiguous() for name in changed)
        compare(expanded, "triton")

    def test_a_gradient_that_is_not_contiguous(self):
        arguments = make(b=1, L=7, dtype=torch.float32)
        weight = torch.randn(()).expand(1, 1, 7, 5)
        got = run(arguments, "triton", weight)
        torch.testing.assert_close(got, run(arguments, "reference", weight), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(("dtype", "rounding"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11)])
    def test_half_precision_inputs(self, dtype, rounding):
        """The state is float32, so nothing but the results is rounded."""
        compare(make(b=1, T=2, L=12, dtype=dtype), "triton", output=rounding, gradient=rounding)

    def test_inputs_of_several_dtypes(self):
        arguments = make(b=1, L=7, dtype=torch.float32)
        dtypes = {"x": torch.bfloat16, "delta": torch.float16, "B": torch.bfloat16, "D": torch.float16}
        for name, dtype in dtypes.items():
            arguments[name] = arguments[name].detach().to(dtype).requires_grad_()
        compare(arguments, "triton", output=2**-8, gradient=2**-8)

    def test_no_batch(self):
        arguments = make(b=0, dtype=torch.float32)
        got = run(arguments, "triton", torch.ones(0, 1, 8, 5))
        assert got["y"].shape == (0, 1, 8, 5)
        for name in arguments.keys() - {"orders"}:
            assert got[name].shape == arguments[name].shape
            assert not got[name].any()

    def test_torch_finds_no_fault(self):
        arguments = make(b=1, L=3, E=2, N=2, K=1, bias=False, dtype=torch.float32)
        inputs = [*(arguments.get(name) for name in ORDER), "triton"]
        torch.library.opcheck(torch.ops.pamm.selective_scan, inputs)

    def test_second_derivatives_are_refused(self):
        arguments = make(b=1, L=3, K=1, dtype=torch.float32)
        y = selective_scan(**arguments, backend="triton")
        (gradient,) = torch.autograd.grad(y.sum(), arguments["x"], create_graph=True)
        with pytest.raises(RuntimeError, match="first derivatives only"):
            torch.autograd.grad(gradient.sum(), arguments["delta"])


@needs_triton
@pytest.mark.skipif(INTERPRETED, reason="this process is the one to start")
def test_under_the_interpreter(root):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", f"{__file__}::TestInterpreted"],
        cwd=root,
        env={**environment, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_triton
@pytest.mark.skipif(INTERPRETED, reason="interpreted kernels cannot be compiled")
@pytest.mark.parametrize("kernel", ["forward_kernel", "backward_kernel"])
@pytest.mark.parametrize("states", [1, 64])
def test_compiles_without_a_gpu(kernel, states, monkeypatch, tmp_path):
    """Down to machine code of an A100; what the interpreter takes, the compiler need not."""
    from triton import compile as compile_kernel
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    function = getattr(triton_scan._kernels(), kernel)
    constants = {"BLOCK_N": states, "BLOCK_E": 32, "SEGMENT": 32, "T": 1, "x_e": 1}  # as Triton takes each integer 1
    types = {"x": "*bf16", "delta": "*fp16", "dy": "*bf16", "orders": "*i32"}
    floats = {"A", "weights", "D", "bias", "y", "step", "drive", "states", "dstep", "ddrive", "dweights", "dA"}
    signature, values = {}, {}
    for index, name in enumerate(function.arg_names):
        signature[name] = types.get(name, "*fp32" if name in floats else "i32")
        if name in constants:
            signature[name], values[index,] = "constexpr", constants[name]
    source = ASTSource(fn=function, signature=signature, constexprs=values)
    options = {"num_warps": max(1, states // 16), "num_stages": 1, "enable_fp_fusion": True}
    assert compile_kernel(source, target=GPUTarget("cuda", 80, 32), options=options).asm["cubin"]


@pytest.mark.parametrize(
    ("tensor", "interpreter", "message"),
    [
        (torch.ones(1), "0", "it runs on CUDA devices, not on cpu"),
        (torch.ones(1, device="meta"), "1", "it runs on CUDA devices, not on meta"),
        (torch.ones(1, dtype=torch.float64), "1", "it takes float32, bfloat16, float16, not torch.float64"),
        (torch.ones(1, dtype=torch.float16), "1", None),
        (torch.ones(1, dtype=torch.int64), "1", None),
    ],
)
def test_what_it_refuses(tensor, interpreter, message, monkeypatch):
    monkeypatch.setattr(triton_scan, "_is_installed", lambda: True)
    monkeypatch.setenv("TRITON_INTERPRET", interpreter)
    assert triton_refusal(tensor) == message


def test_it_refuses_without_triton(monkeypatch):
    monkeypatch.setattr(triton_scan, "_is_installed", lambda: False)
    assert triton_refusal(torch.ones(1)) == "triton is not installed: pip install 'pamm[gpu]'"


def test_triton_is_imported_late_and_in_one_place(root):
    users = {path.name for path in (root / "src").rglob("*.py") if "import triton" in path.read_text()}
    assert users == {"triton_kernels.py"}
    assert "pamm.ops.triton_kernels" not in Path(triton_scan.__file__).read_text().split("def ")[0]
