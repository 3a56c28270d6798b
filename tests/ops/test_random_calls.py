"""The selective scan on calls that hypothesis draws: every backend against the reference in float64."""

from dataclasses import dataclass

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scan_toys import AVAILABLE, leaves, run

TOLERANCES = {torch.float32: (1e-6, 1e-5), torch.float64: (1e-12, 1e-11)}
"""Error of the output and of the gradients by precision of the state, relative to the largest value; rounding to the
dtype of the result comes on top."""
LOST = 1e-30
"""Products of numbers below the smallest of float32, 1e-38, are lost, and what sums of some thousand of them add to."""
SHAPES = {"x": "bTLE", "delta": "bTLE", "A": "TEN", "B": "bTLN", "C": "bTLN", "D": "TE", "delta_bias": "TE"}
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
OPTIONAL = ("D", "delta_bias")
LAYOUTS = ("contiguous", "transposed", "sliced", "expanded along 0", "expanded along -1", "expanded along -2")
ORDINARY = (-2.0, 2.0)
STEPS = {"ordinary": ORDINARY, "huge": (30.0, 100.0), "tiny": (-60.0, -20.0)}
"""Ranges of delta, whose softplus is the step."""
DECAYS = {"ordinary": (-10.0, -0.1), "near zero": (-1e-6, 0.0), "very negative": (-1000.0, -100.0)}
"""Ranges of A."""
SIZES = {
    "b": st.integers(0, 3),
    "T": st.integers(1, 3),
    "L": st.integers(1, 70) | st.sampled_from([15, 16, 17, 63, 64, 65]),
    "E": st.integers(1, 40) | st.sampled_from([7, 8, 9, 15, 16, 17, 31, 32, 33]),
    "N": st.integers(1, 20),
}
"""Sizes at and beside those of vectors, blocks and chunks are drawn more often."""
MOST_TERMS = 160
"""Most states in most orders together: each number of the output is a sum of as many, added up one by one, and of 160
of one sign float32 keeps no more than 1e-6."""


@dataclass(frozen=True)
class Drawn:
    """A call: sizes by letter, what can differ besides, and the seed of its numbers."""

    sizes: dict[str, int]
    data: torch.dtype
    learnt: torch.dtype
    optional: tuple[str, ...]
    steps: str
    decays: str
    signs: dict[str, int]
    layouts: dict[str, str]
    seed: int

    def arguments(self) -> tuple[dict[str, Tensor], Tensor]:
        """The arguments of the scan and a gradient of its output."""
        random = torch.Generator().manual_seed(self.seed)
        ranges = {"delta": ranges_of(STEPS, self.steps), "A": ranges_of(DECAYS, self.decays), "delta_bias": [(-1, 1)]}
        found = {}
        for name, letters in {**SHAPES, "dy": "bTLE"}.items():
            shape = [self.sizes[letter] for letter in letters]
            value = numbers(shape, ranges.get(name, [(0.5, 1.5)]), random) * self.sign(name)
            if name == "delta":
                # In float32 -60 itself is rounded by 2e-6, and so is its exponential: not all steps are as small.
                value[:, :, 0] = numbers(value[:, :, 0].shape, [ORDINARY], random)
            value = value.to(self.data if "L" in letters else self.learnt)
            found[name] = laid_out(value, self.layouts[name])
        if self.sizes["K"]:
            orders = [torch.randperm(self.sizes["L"], generator=random) for _ in range(self.sizes["K"])]
            found["orders"] = torch.stack(orders, dim=1).T
        dy = found.pop("dy")
        return {name: tensor for name, tensor in found.items() if name in self.optional or name not in OPTIONAL}, dy

    def sign(self, name: str) -> int:
        """One for a whole tensor, so that sums add up: one that cancels has no digits to compare."""
        return self.signs["B"] * self.signs["C"] if name == "D" else self.signs.get(name, 1)


def ranges_of(ranges: dict[str, tuple[float, float]], name: str) -> list[tuple[float, float]]:
    return list(ranges.values()) if name == "mixed" else [ranges[name]]


def numbers(shape: list[int], ranges: list[tuple[float, float]], random: torch.Generator) -> Tensor:
    """Numbers each from one of the ranges."""
    choices = torch.stack([torch.empty(shape).uniform_(*ends, generator=random) for ends in ranges])
    return choices.gather(0, torch.randint(len(ranges), shape, generator=random)[None])[0]


def laid_out(tensor: Tensor, layout: str) -> Tensor:
    """The same in other strides; expanded along a dimension, the first numbers there take the place of all."""
    if layout == "transposed":
        return tensor.mT.contiguous().mT
    if layout == "sliced":
        return torch.stack([tensor, tensor], dim=-1).flatten(-2)[..., ::2]
    if layout.startswith("expanded") and tensor.numel():
        return tensor.narrow(int(layout.split()[-1]), 0, 1).clone().expand(tensor.shape)
    return tensor


@st.composite
def calls(draw: st.DrawFn) -> Drawn:
    sizes = {letter: draw(values, label=letter) for letter, values in SIZES.items()}
    sizes["K"] = draw(st.integers(0, min(8, MOST_TERMS // sizes["N"])))
    return Drawn(
        sizes=sizes,
        data=draw(st.sampled_from(DTYPES)),
        learnt=draw(st.sampled_from(DTYPES)),
        optional=tuple(name for name in OPTIONAL if draw(st.booleans())),
        steps=draw(st.sampled_from([*STEPS, "mixed"])),
        decays=draw(st.sampled_from([*DECAYS, "mixed"])),
        signs={name: draw(st.sampled_from([1, -1])) for name in ("x", "B", "C", "dy")},
        layouts={name: draw(st.sampled_from(LAYOUTS)) for name in (*SHAPES, "dy")},
        seed=draw(st.integers(0, 1000)),
    )


# the same calls at each run, and no data base of those that failed
@settings(derandomize=True, database=None, deadline=None, max_examples=200, print_blob=False)
@given(calls())
def test_every_backend_computes_the_reference(call):
    arguments, dy = call.arguments()
    want = run(leaves(arguments, torch.float64), "reference", dy)
    state = torch.float64 if torch.float64 in {tensor.dtype for tensor in arguments.values()} else torch.float32
    for backend in AVAILABLE:
        got = run(leaves(arguments), backend, dy)
        assert got.keys() == want.keys()
        for name, value in want.items():
            dtype = arguments["x" if name == "y" else name].dtype
            assert got[name].dtype == dtype
            assert got[name].shape == value.shape
            if value.numel():
                rounding = 0 if dtype == state else torch.finfo(dtype).eps / 2
                compare(f"{name} of {backend}", got[name], value, TOLERANCES[state][name != "y"] + rounding)


def compare(name: str, got: Tensor, want: Tensor, tolerance: float) -> None:
    """Numbers beyond the largest of the dtype are infinite, and compared as that largest one."""
    kind = torch.finfo(got.dtype)
    got, want = got.double().clamp(kind.min, kind.max), want.clamp(kind.min, kind.max)
    limit = tolerance * want.abs().max().clamp_min(max(kind.tiny, LOST))
    error = (got - want).abs().max()
    assert error <= limit, f"{name}: {error:.1e} > {limit:.1e}"
