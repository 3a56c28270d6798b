"""Convolution with large kernels and many input channels on small maps, by Fourier transforms of tiles.

The output is cut into ty × tx tiles. A tile reads N1 × N2 positions, k - 1 more each way than it has itself.
Transformed, its convolution is one complex product for each of N1 · N2/2 frequencies, which takes a tenth of the
multiplications of the sum itself. Tiles, weights and products are transformed by matrix products, along the columns
first (real to half a spectrum, the frequencies ``(j + 1/2) / N2``, none of which is real), then along the rows
(complex, written as real matrices). The steps are matrix products on operands as they lie in memory. Of a product
``(a + ib) (c + id)`` all of ac, ad, bc, bd come from one real product, ``[a; b] [c, d]``.

Input channels are taken in blocks: the transforms of a block of weights, several times as large as the weights, stay
in the cache. The backward pass is the same steps transposed and makes these transforms again, so that nothing but
inputs is kept for it. In memory, after the columns and then after the rows::

    inputs      (N2/2, 2, H, n, tx, e)    (N2/2, N1, 2, ty, n, tx, e)
    weights     (N2/2, 2, k, O, e)        (N2/2, N1, 2, O, e)
    products                              (N2/2, N1, 2, ty, n, tx, 2, O)
    outputs     (N2/2, 2, H, n, tx, O)    (N2/2, N1, 2, ty, n, tx, O)

Letters: n maps of H × W positions, E input channels, e of a block, O output channels, a kernel of k × k; 2 is the real
and the imaginary part.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction, FunctionCtx

from pamm.ops.chunk_groups import Room
from pamm.ops.tile_plan import Plan, plan_tiles

_BLOCK_BYTES = 8 << 20
"""Size of a block of weights that are transformed along the columns."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def tile_conv(x: Tensor, weight: Tensor, bias: Tensor | None, *, grid: tuple[int, int]) -> Tensor:
    """Convolve maps on the CPU as ``F.conv2d`` with padding k // 2 does, several times as fast for large kernels.

    :func:`pamm.ops.tile_plan.tiles_pay` says when. There are first derivatives only; ``torch.compile`` and
    ``torch.export`` keep it as one operator.

    Args:
        x: tokens, (n, H · W, E), float32 or float64.
        weight: (O, E, k, k) with k odd, of the dtype of ``x``.
        bias: (O,) or None.
        grid: H and W.

    Returns:
        Tokens, (n, H · W, O).

    Raises:
        ValueError: if the shapes do not fit together or k is even.
    """
    if weight.dim() != 4 or weight.shape[2] != weight.shape[3] or weight.shape[3] % 2 == 0:
        raise ValueError(f"weight is {tuple(weight.shape)}, not (O, E, k, k) with an odd k")
    if x.dim() != 3 or x.shape[1:] != (math.prod(grid), weight.shape[1]):
        wanted = f"(n, {math.prod(grid)}, {weight.shape[1]})"
        raise ValueError(f"x is {tuple(x.shape)}, not {wanted} as grid and weight ask for")
    y: Tensor = _conv(x, weight, *grid)
    return y if bias is None else y + bias


class _Threads:
    """As many threads as PyTorch would use, each of which runs its operations alone.

    Threads that share each operation wait for each other thousands of times in a call; where the cores have other work
    too (workers that load data), that makes it many times slower. These take blocks as they come and wait once.
    """

    def __enter__(self) -> Self:
        self._count = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(self._count, initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        # threads to come take over what the last one set
        torch.set_num_threads(self._count)

    def share(self, work: Callable[[Iterator[_Item]], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Call ``work`` in each thread, with one iterator over ``items`` for all of them."""
        queue = iter(items)
        threads = min(self._count, len(items))
        if threads <= 1:
            return [work(queue)]
        return [call.result() for call in [self._pool.submit(_without_grad, work, queue) for _ in range(threads)]]


def _without_grad(work: Callable[[Iterator[_Item]], _Result], queue: Iterator[_Item]) -> _Result:
    with torch.inference_mode():
        return work(queue)


class _Block:
    """Some input channels and room for their transforms, which the next block takes over."""

    def __init__(self, room: Room, plan: Plan, channels: slice, maps: Tensor, weight: Tensor) -> None:
        """Take ``channels`` of maps (n, H, W, E) and weights (O, E, k, k)."""
        self.channels, self.maps, self.weight = channels, maps[..., channels], weight[:, channels]
        self.room, self._plan = room, plan
        outputs, self._width, kernel, _ = self.weight.shape
        pairs = outputs * self._width
        self._waves = room("waves", plan.size[1], maps.shape[1], len(maps), plan.tiles[1], self._width)
        self._kernel_waves = room("kernel waves", plan.size[1], kernel, pairs)
        self._packed = room("packed", pairs, kernel, kernel)
        # by frequency (2 · H, n · tx · e) and (2 · k, O · e)
        self.waves = self._waves.view(plan.size[1] // 2, 2 * maps.shape[1], -1)
        self.kernel_waves = self._kernel_waves.view(plan.size[1] // 2, 2 * kernel, pairs)

    def spread_inputs(self) -> None:
        for i, tokens in enumerate(self.maps):
            self._plan.inputs.spread(tokens, self._waves[:, :, i])

    def gather_inputs(self, maps: Tensor) -> None:
        """Add ``waves``, transposed, to maps (n, H, W, E)."""
        for i, tokens in enumerate(maps[..., self.channels]):
            self._plan.inputs.gather(self._waves[:, :, i], tokens)

    def spread_weights(self) -> None:
        self._packed.view(self.weight.shape).copy_(self.weight)
        matrices = self._plan.kernel_columns.expand(self.weight.shape[2], -1, -1)
        torch.bmm(matrices, self._packed.permute(1, 2, 0), out=self._kernel_waves.transpose(0, 1))

    def gather_weights(self, weight: Tensor) -> None:
        """Write ``kernel_waves``, transposed, to weights (O, E, k, k)."""
        kernel, pairs = self._kernel_waves.shape[1:]
        # products with as few columns as a kernel has would take longer than this and a transposed copy
        places = self.room("places", kernel, kernel, pairs)
        matrices = self._plan.kernel_columns.T.expand(kernel, -1, -1)
        torch.bmm(matrices, self._kernel_waves.transpose(0, 1), out=places)
        self._packed.view(pairs, -1).copy_(places.flatten(0, 1).T)
        weight[:, self.channels] = self._packed.view(self.weight.shape)

    def spectrum(self, frequency: int) -> Tensor:
        """Inputs after the rows, (N1, 2 · ty · n · tx, e)."""
        rows, waves = self._plan.inputs.rows, self.waves[frequency]
        room = self.room("spectrum", len(rows), waves.shape[1])
        return torch.mm(rows, waves, out=room).view(self._plan.size[0], -1, self._width)

    def kernel_spectrum(self, frequency: int) -> Tensor:
        """Weights after the rows, (N1, 2 · O, e)."""
        rows, waves = self._plan.kernel_rows, self.kernel_waves[frequency]
        room = self.room("kernel spectrum", len(rows), waves.shape[1])
        return torch.mm(rows, waves, out=room).view(self._plan.size[0], -1, self._width)


def _cut(plan: Plan, weight: Tensor) -> list[slice]:
    """Blocks of input channels."""
    outputs, channels, kernel, _ = weight.shape
    most = max(16, _BLOCK_BYTES // (plan.size[1] * kernel * outputs * weight.element_size()))
    width = -(-channels // -(-channels // most) // 16) * 16
    return [slice(start, min(channels, start + width)) for start in range(0, channels, width)]


def _forward(plan: Plan, maps: Tensor, weight: Tensor) -> Tensor:
    """Convolve maps, (n, H, W, E) → (n, H, W, O)."""
    (n, height, width, _), outputs = maps.shape, len(weight)
    (rows, columns), tiles = plan.size, n * math.prod(plan.tiles)
    waves = maps.new_empty(columns, height, n, plan.tiles[1], outputs)
    waves_at = waves.view(columns // 2, 2 * height, -1)
    y = maps.new_zeros(n, height, width, outputs)

    def multiply(queue: Iterator[slice]) -> Tensor:
        room, beta = Room(maps), 0
        products = maps.new_zeros(columns // 2, rows, 2 * tiles, 2 * outputs)
        for channels in queue:
            block = _Block(room, plan, channels, maps, weight)
            block.spread_inputs()
            block.spread_weights()
            for frequency, target in enumerate(products):
                kernels = block.kernel_spectrum(frequency).mT
                torch.baddbmm(target, block.spectrum(frequency), kernels, beta=beta, out=target)
            beta = 1
        return products

    def combine(queue: Iterator[int]) -> None:
        for frequency in queue:
            product = torch.stack([part[frequency] for part in parts]).sum(0).view(rows, 2, tiles, 2, outputs)
            (ac, ad), (bc, bd) = (half.unbind(-2) for half in product.unbind(1))
            spectrum = torch.stack((ac - bd, ad + bc), 1).view(len(plan.outputs.rows), -1)
            torch.mm(plan.outputs.rows.T, spectrum, out=waves_at[frequency])

    def gather(queue: Iterator[int]) -> None:
        for i in queue:
            plan.outputs.gather(waves[:, :, i], y[i])

    with _Threads() as threads:
        parts = threads.share(multiply, _cut(plan, weight))
        threads.share(combine, range(columns // 2))
        threads.share(gather, range(n))
    return y


def _backward(plan: Plan, dy: Tensor, maps: Tensor, weight: Tensor, *, needs: tuple[bool, bool]) -> list[Tensor]:
    """Gradients of maps and weight, those that are needed, else empty."""
    (n, height, _, outputs), (rows, columns) = dy.shape, plan.size
    tiles = n * math.prod(plan.tiles)
    dmaps = torch.zeros_like(maps) if needs[0] else maps.new_empty(0)
    dweight = torch.empty_like(weight) if needs[1] else weight.new_empty(0)
    waves = dy.new_empty(columns, height, n, plan.tiles[1], outputs)
    waves_at = waves.view(columns // 2, 2 * height, -1)
    dproducts = dy.new_empty(columns // 2, rows, 2, tiles, 2, outputs)

    def spread(queue: Iterator[int]) -> None:
        for i in queue:
            plan.outputs.spread(dy[i], waves[:, :, i])

    def weigh(queue: Iterator[int]) -> None:
        for frequency in queue:
            real, imaginary = torch.mm(plan.outputs.rows, waves_at[frequency]).view(rows, 2, tiles, outputs).unbind(1)
            dproduct = dproducts[frequency]
            dproduct[:, 0, :, 0] = real
            dproduct[:, 0, :, 1] = dproduct[:, 1, :, 0] = imaginary
            torch.neg(real, out=dproduct[:, 1, :, 1])

    def differentiate(queue: Iterator[slice]) -> None:
        room = Room(maps)
        for channels in queue:
            block = _Block(room, plan, channels, maps, weight)
            if needs[0]:
                block.spread_weights()
            if needs[1]:
                block.spread_inputs()
            for frequency, dproduct in enumerate(dproducts.view(columns // 2, rows, 2 * tiles, 2 * outputs)):
                # what a frequency has been transformed from is no more needed when its gradients take that room
                spectrum = block.spectrum(frequency) if needs[1] else room("spectrum", 0)
                if needs[0]:
                    kernels = block.kernel_spectrum(frequency)
                    dspectrum = room("dspectrum", rows, 2 * tiles, kernels.shape[2])
                    torch.bmm(dproduct, kernels, out=dspectrum)
                    side = plan.inputs.rows.T
                    torch.mm(side, dspectrum.view(side.shape[1], -1), out=block.waves[frequency])
                if needs[1]:
                    dkernels = room("kernel spectrum", rows, 2 * outputs, spectrum.shape[2])
                    torch.bmm(dproduct.mT, spectrum, out=dkernels)
                    torch.mm(plan.kernel_rows.T, dkernels.view(2 * rows, -1), out=block.kernel_waves[frequency])
            if needs[0]:
                block.gather_inputs(dmaps)
            if needs[1]:
                block.gather_weights(dweight)

    with _Threads() as threads:
        threads.share(spread, range(n))
        threads.share(weigh, range(columns // 2))
        threads.share(differentiate, _cut(plan, weight))
    return [dmaps, dweight]


def _plan_and_maps(x: Tensor, weight: Tensor, grid: list[int]) -> tuple[Plan, Tensor]:
    height, width = grid
    outputs, inputs, kernel, _ = weight.shape
    plan = plan_tiles(len(x), (height, width), inputs, outputs, kernel, x.dtype)
    return plan, x.reshape(len(x), height, width, inputs).contiguous()


@torch.library.custom_op("pamm::tile_conv", mutates_args=())
def _conv(x: Tensor, weight: Tensor, height: int, width: int) -> Tensor:
    plan, maps = _plan_and_maps(x, weight, [height, width])
    return _forward(plan, maps, weight).flatten(1, 2)


@_conv.register_fake
def _(x: Tensor, weight: Tensor, height: int, width: int) -> Tensor:
    return x.new_empty(*x.shape[:2], len(weight))


@torch.library.custom_op("pamm::tile_conv_backward", mutates_args=())
def _conv_backward(dy: Tensor, x: Tensor, weight: Tensor, grid: list[int], needs: list[bool]) -> list[Tensor]:
    plan, maps = _plan_and_maps(x, weight, grid)
    need_x, need_weight = needs
    dy = dy.reshape(*maps.shape[:3], -1).contiguous()
    dmaps, dweight = _backward(plan, dy, maps, weight, needs=(need_x, need_weight))
    return [dmaps.view(x.shape) if need_x else dmaps, dweight]


@_conv_backward.register_fake
def _(dy: Tensor, x: Tensor, weight: Tensor, grid: list[int], needs: list[bool]) -> list[Tensor]:
    return [tensor.new_empty(tensor.shape if need else 0) for tensor, need in zip((x, weight), needs, strict=True)]


def _keep(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, *grid = inputs
    ctx.save_for_backward(x, weight)
    ctx.grid = grid  # type: ignore[attr-defined]  # where torch wants what is no tensor


def _gradients(ctx: BackwardCFunction, dy: Tensor) -> tuple[Tensor | None, ...]:
    needs = list(ctx.needs_input_grad[:2])
    found = _conv_backward(dy, *ctx.saved_tensors, ctx.grid, needs)  # type: ignore[attr-defined]
    return (*(gradient if need else None for gradient, need in zip(found, needs, strict=True)), None, None)


_conv.register_autograd(_gradients, setup_context=_keep)
