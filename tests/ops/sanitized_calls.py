"""Calls of the compiled scan in a process of its own, for test_sanitized.py: python sanitized_calls.py LIBRARY.

It says on its standard output when all of them came back, and then makes one that reads beyond a tensor.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pamm.ops import native
from pamm.ops.native import native_gradients, scan_native
from pamm.ops.scan_call import ScanCall

ALL_CAME_BACK = "all calls came back\n"
CALLS = 48
"""Calls for each instruction set and dtype: each size below occurs in five of them or more."""
SIZES = {
    "L": (1, 2, 15, 16, 17, 63, 64, 65),
    "E": (1, 7, 15, 16, 17, 33),
    "N": (1, 2, 3, 4, 5, 8, 9, 16, 17),
    "K": (1, 2, 4, 8),
    "b": (0, 1, 2, 1, 2),
    "T": (1, 3),
}
SHAPES = {"x": "bTLE", "delta": "bTLE", "A": "TEN", "B": "bTLN", "C": "bTLN", "D": "TE", "delta_bias": "TE"}
TOO_LONG_FOR_A_TABLE = (8 << 20) // (8 * 16) + 2
"""Positions for which even the narrowest vectors compute their exponentials anew: TABLE_ROOM of csrc/scan_work.h."""
NO_MEMORY = 1_000_000
"""Positions for which a thread asks for more memory than the test lets it have."""


def drawn_sizes(draw: random.Random) -> Iterator[dict[str, int]]:
    columns = {}
    for letter, values in SIZES.items():
        columns[letter] = [values[index % len(values)] for index in range(CALLS)]
        draw.shuffle(columns[letter])
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))


def laid_out(tensor: Tensor, draw: random.Random) -> Tensor:
    """The same shape, in memory that ends where the last element does, so that reading beyond is seen."""
    axis = draw.randrange(tensor.ndim)
    layout = draw.choice(["contiguous", "transposed", "reversed", "sliced", "expanded", "one number"])
    if layout == "transposed":
        return tensor.mT.contiguous().mT
    if layout == "reversed":
        backwards = tuple(reversed(range(tensor.ndim)))
        return tensor.permute(backwards).contiguous().permute(backwards)
    if layout == "sliced":
        return torch.stack([tensor, tensor], dim=-1).flatten(-2)[..., 1::2]
    if layout == "expanded" and tensor.numel():
        return tensor.narrow(axis, 0, 1).clone().expand(tensor.shape)
    if layout == "one number" and tensor.numel():
        return tensor.flatten()[0].clone().expand(tensor.shape)
    return tensor


def arguments(sizes: dict[str, int], data: torch.dtype, learnt: torch.dtype, draw: random.Random) -> ScanCall:
    """Arguments of the scan, with or without those that may be missing."""
    found: dict[str, Any] = dict.fromkeys(SHAPES)
    for name, letters in SHAPES.items():
        if name in ("D", "delta_bias") and draw.random() < 0.3:
            continue
        values = torch.randn([sizes[letter] for letter in letters])
        dtype = data if "L" in letters else learnt
        found[name] = laid_out((-values.abs() if name == "A" else values).to(dtype), draw)
    orders = torch.stack([torch.randperm(sizes["L"]) for _ in range(sizes["K"])])
    return ScanCall(**found, orders=draw.choice([orders, orders.T.contiguous().T]))


def scan_and_differentiate(call: ScanCall, draw: random.Random) -> None:
    """Forward and backward; every number of the results must have been written, and from memory that was."""
    y = scan_native(call)
    dy = laid_out(torch.randn(y.shape).to(y.dtype), draw)
    for result in (y, *native_gradients(dy, call)):
        assert result.isfinite().all()


def every_size(draw: random.Random) -> None:
    dtypes = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    process = native._PROCESS
    for level in range(len(native.instruction_sets())):
        native._LEVEL = level
        for dtype in dtypes:
            for sizes in drawn_sizes(draw):
                torch.set_num_threads(draw.choice([1, 2]))
                native._PROCESS = draw.choice([process, None])  # torch's threads, or the library's own
                native._GROUP = draw.choice([1, 16, 32])
                scan_and_differentiate(arguments(sizes, dtype, draw.choice([dtype, *dtypes]), draw), draw)


def long_scans(draw: random.Random) -> None:
    sizes = {"b": 1, "T": 1, "L": TOO_LONG_FOR_A_TABLE, "E": 1, "K": 2}
    for level in range(len(native.instruction_sets())):
        native._LEVEL = level
        for dtype in (torch.float32, torch.float64):
            for states in (1, 4, 5):
                scan_and_differentiate(arguments({**sizes, "N": states}, dtype, dtype, draw), draw)


def without_memory(draw: random.Random) -> None:
    sizes = {"b": 1, "T": 2, "L": NO_MEMORY, "E": 1, "N": 1, "K": 1}
    call = arguments(sizes, torch.float32, torch.float32, draw)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for scan in (scan_native, lambda call: native_gradients(call.x, call)):
            try:
                scan(call)
            except MemoryError:
                continue
            raise AssertionError("the memory sufficed")


def beyond_a_tensor() -> None:
    one = torch.zeros(1, 1, 1, 1)
    x, orders = torch.zeros(1, 1, 40, 1), torch.arange(40)[None]
    scan_native(ScanCall(x, one, -torch.ones(1, 1, 1), one, one, None, None, orders))


def main() -> None:
    native.LIBRARY = Path(sys.argv[1])
    native._WORTH_A_THREAD = 0
    assert torch.empty(1000).isnan().all(), "fresh memory must show where it is used"
    torch.manual_seed(0)
    draw = random.Random(0)
    every_size(draw)
    long_scans(draw)
    without_memory(draw)
    sys.stdout.write(ALL_CAME_BACK)
    sys.stdout.flush()
    beyond_a_tensor()


if __name__ == "__main__":
    main()
