"""The selective scan for GPUs: kernels in Triton, one launch for all orders, tasks and batch entries.

Triton compiles the kernels when they are first called. Without a GPU its interpreter runs them, step by step in Python:
set ``TRITON_INTERPRET=1`` before triton is imported. That is for tests.
"""

import functools
import importlib
import importlib.util
import os
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from pamm.ops.reference import channel_gradients, softplus_step
from pamm.ops.scan_call import ScanCall

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True, kw_only=True)
class _Tiling:
    """How the work is cut into programs: nothing but the last digits of the results depends on it."""

    channels: int = 32
    """Channels of a program: one for each thread of a warp, 128 bytes of float32 that lie side by side."""
    states: int = 16
    """States for each warp of a program: with twice as many, the gradients would take all registers that there are."""
    warps: int = 32
    """Warps of a program at most, which is what GPUs allow."""
    programs: int = 1024
    """Programs that keep a large GPU busy. If rows and channels make fewer, the orders are shared out too."""
    segment: int = 32
    """Steps between saved states: √L takes least memory, and L is a thousand or so."""


_TILING = _Tiling()


@dataclass(frozen=True, kw_only=True)
class _Launch:
    """Sizes of one call, and the launch of its kernels."""

    rows: int
    """Batch entries times tasks."""
    blocks: int
    """Blocks of channels."""
    parts: int
    """Parts of the orders, each for programs of its own."""
    states: int
    """States, filled up to a power of two."""
    device: torch.device

    @classmethod
    def of(cls, x: Tensor, A: Tensor, orders: Tensor) -> "_Launch":
        rows = x.shape[0] * x.shape[1]
        blocks = -(-x.shape[3] // _TILING.channels)
        return cls(
            rows=rows,
            blocks=blocks,
            parts=min(len(orders), -(-_TILING.programs // (rows * blocks))),
            states=1 << (A.shape[2] - 1).bit_length(),
            device=x.device,
        )

    def __call__(self, kernel: str, *arguments: Tensor | int, **constants: int) -> None:
        with torch.cuda.device(self.device if self.device.type == "cuda" else -1):
            getattr(_kernels(), kernel)[self.rows, self.blocks, self.parts](
                *arguments,
                BLOCK_N=self.states,
                BLOCK_E=_TILING.channels,
                **constants,
                num_warps=min(_TILING.warps, max(1, self.states // _TILING.states)),
                num_stages=1,  # the kernels load ahead themselves
                enable_fp_fusion=True,  # a product and a sum in one instruction, as Triton once did unasked
            )


@functools.cache
def _is_installed() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def _kernels() -> ModuleType:
    """The module of the kernels, imported once it is needed: triton is no requirement of the package."""
    return importlib.import_module("pamm.ops.triton_kernels")


def triton_refusal(*tensors: Tensor) -> str | None:
    """Why the kernels cannot take these tensors, or None where they can."""
    if not _is_installed():
        return "triton is not installed: pip install 'pamm[gpu]'"
    for tensor in tensors:
        interpreted = tensor.device.type == "cpu" and os.environ.get("TRITON_INTERPRET") == "1"
        if tensor.device.type != "cuda" and not interpreted:
            return f"it runs on CUDA devices, not on {tensor.device.type}"
        if tensor.is_floating_point() and tensor.dtype not in _DTYPES:
            return f"it takes {', '.join(str(dtype).removeprefix('torch.') for dtype in _DTYPES)}, not {tensor.dtype}"
    return None


def scan_triton(call: ScanCall) -> Tensor:
    """Scan on a GPU, with a state in float32.

    Strides are taken as they are, and every run gives the same numbers. Beyond inputs and results, the forward pass
    takes P times the memory of x in float32, and the backward pass some 3 + P (2 + N / 8) times, for L of a thousand.
    P is the number of parts into which the orders are shared out to keep the GPU busy: 1 for large inputs, up to K for
    small ones.

    Returns:
        Sum over the orders, (b, T, L, E), in the dtype of x.
    """
    x, delta = call.x, call.delta
    if not x.numel():
        return x.new_empty(x.shape)
    launch = _Launch.of(x, call.A, call.orders)
    _, tasks, length, width = x.shape
    y = x.new_empty(launch.parts, *x.shape, dtype=torch.float32)
    launch(
        "forward_kernel",
        *(x, delta, call.A.float().mT.contiguous(), _weights(call.B, call.C, launch.states)),
        *(_of_channels(call.D, x), _of_channels(call.delta_bias, x), call.orders.int().contiguous(), y),
        *(*x.stride(), *delta.stride()),
        *(tasks, length, width, call.A.shape[2], len(call.orders)),
    )
    return _sum_of_parts(y).to(x.dtype)


def triton_gradients(dy: Tensor, call: ScanCall) -> list[Tensor]:
    """Gradients of :func:`scan_triton`: of x, delta, A, B, C and, where there are any, of D and delta_bias."""
    if not call.x.numel():
        return [tensor.new_zeros(tensor.shape) for tensor in call.inputs()]
    step = softplus_step(call).contiguous()
    return channel_gradients(dy.float(), call, step, _scan_back(dy.contiguous(), step, call))


def _scan_back(dy: Tensor, step: Tensor, call: ScanCall) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of step (where the drive is given), drive, A, B and C, in float32."""
    A, orders = call.A, call.orders
    drive = (step * call.x).contiguous()
    launch = _Launch.of(step, A, orders)
    batch, tasks, length, width = step.shape
    states = A.shape[2]
    dstep, ddrive = (step.new_empty(launch.parts, *step.shape) for _ in range(2))
    dweights = step.new_empty(launch.parts, launch.blocks, batch, tasks, length, 2, launch.states)
    saved = -(-length // _TILING.segment) + _TILING.segment
    tiles = step.new_empty(launch.parts, launch.blocks, batch, tasks, saved, launch.states, _TILING.channels)
    dA_tiles = step.new_empty(launch.parts, launch.blocks, batch, tasks, launch.states, _TILING.channels)
    launch(
        "backward_kernel",
        *(step, drive, dy, A.float().mT.contiguous(), _weights(call.B, call.C, launch.states)),
        *(orders.int().contiguous(), tiles, dstep, ddrive, dweights, dA_tiles),
        *(tasks, length, width, states, len(orders)),
        SEGMENT=_TILING.segment,
    )
    dA = dA_tiles.sum((0, 2)).permute(1, 0, 3, 2).flatten(1, 2)[:, :width, :states]  # (T, E, N)
    dB, dC = (dweights[..., side, :states].sum((0, 1)) for side in (0, 1))
    return _sum_of_parts(dstep), _sum_of_parts(ddrive), dA.contiguous(), dB, dC


def _weights(B: Tensor, C: Tensor, states: int) -> Tensor:
    """B and C side by side, (b, T, L, 2, states), with zeros after the last state."""
    weights = B.new_zeros(*B.shape[:3], 2, states, dtype=torch.float32)
    weights[..., 0, : B.shape[3]] = B
    weights[..., 1, : C.shape[3]] = C
    return weights


def _of_channels(tensor: Tensor | None, x: Tensor) -> Tensor:
    """A tensor (T, E) in float32, zeros if there is none."""
    if tensor is None:
        return x.new_zeros(x.shape[1], x.shape[3], dtype=torch.float32)
    return tensor.float().contiguous()


def _sum_of_parts(parts: Tensor) -> Tensor:
    return parts[0] if len(parts) == 1 else parts.sum(0)
