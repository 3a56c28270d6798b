# The arguments of kernels have no Python types: Triton gives them its own when it compiles.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201, ANN202
"""The kernels of the selective scan for GPUs: the only module that imports triton, so itself imported late.

A program takes one row (batch entry and task), one block of channels and one part of the orders, and goes along its
orders one after another. The state is a tile of (states, channels) in registers; each step reads the rows of its
position where they lie, nothing is permuted.

No result depends on which program is faster. What the orders of a program add to a position is added in their turn;
what several programs would add to one number they write each for itself, and it is summed afterwards.

A loop loads what its next step needs before it computes this one: where a scheduler has but one or two warps, nothing
else hides how long memory takes. Where one thread reads what another wrote, there is a barrier in between.

Letters: b batch, T tasks, L positions, E channels, N states, K orders. e and n are the channels and states of a tile, p
is a position, h the state. ``A`` is transposed, (T, N, E), and ``weights`` are B and C side by side, (b, T, L, 2,
BLOCK_N), with zeros after the last state; both in float32.
"""

import triton
import triton.language as tl

_LOG2E = tl.constexpr(1.4426950408889634)
_LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _softplus(z):
    """log(1 + exp z), that overflows nowhere and is exact where it is small."""
    t = tl.exp(-tl.abs(z))
    u = 1.0 + t
    kept = u - 1.0  # what the sum kept of t; the quotient makes good the rest
    tail = tl.where(kept == 0.0, t, tl.log(u) * (t / tl.where(kept == 0.0, 1.0, kept)))
    return tl.where(z > 0.0, z, 0.0) + tail


@triton.jit
def _position(order, step, L):
    """Position at a step, or at the last one, as an offset that cannot overflow."""
    return tl.load(order + tl.minimum(step, L - 1)).to(tl.int64)


@triton.jit
def _channels(row, real):
    return tl.load(row, mask=real, other=0.0).to(tl.float32)


@triton.jit
def _rates(A, task, e, n, E, N):
    """The tile of A for powers of two in place of exponentials."""
    real = (n[:, None] < N) & (e[None, :] < E)
    return tl.load(A + (task * N + n[:, None]) * E + e[None, :], mask=real, other=0.0) * _LOG2E


@triton.jit
def _inputs(step, drive, weights, p, E, real, BLOCK_N: tl.constexpr):
    """Step, drive and B of a position."""
    return _channels(step + p * E, real), _channels(drive + p * E, real), tl.load(weights + p * 2 * BLOCK_N)


@triton.jit
def _advance(h, step, drive, rate, B):
    """One step: h ← exp(Δ A) h + Δ x B."""
    return tl.exp2(step[None, :] * rate) * h + drive[None, :] * B[:, None]


# The alignment of A is hidden from the compiler: if it saw that four numbers can be read at once, it would give a
# thread four channels throughout. As it is, a thread has all states of one channel, and C · h needs no exchange.
@triton.jit(do_not_specialize_on_alignment=["A"])
def forward_kernel(
    x,
    delta,
    A,
    weights,
    D,
    bias,
    orders,
    y,
    x_b,
    x_t,
    x_l,
    x_e,
    delta_b,
    delta_t,
    delta_l,
    delta_e,
    T,
    L,
    E,
    N,
    K,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """Outputs ``y``, (parts, b, T, L, E) in float32: of each part of the orders for itself."""
    row, part, parts = tl.program_id(0).to(tl.int64), tl.program_id(2), tl.num_programs(2)
    entry, task = row // T, row % T
    e, n = tl.program_id(1) * BLOCK_E + tl.arange(0, BLOCK_E), tl.arange(0, BLOCK_N)
    real = e < E
    x += entry * x_b + task * x_t + e.to(tl.int64) * x_e
    delta += entry * delta_b + task * delta_t + e.to(tl.int64) * delta_e
    weights += row * L * 2 * BLOCK_N + n
    y += (part * tl.num_programs(0) + row) * L * E + e
    rate = _rates(A, task, e, n, E, N)
    direct = _channels(D + task * E + e, real)
    shift = _channels(bias + task * E + e, real)
    first = part * K // parts
    for k in range(first, (part + 1) * K // parts):
        order = orders + k * L
        summed = e < tl.where(k > first, E, 0)  # channels with a sum of earlier orders
        h = tl.zeros((BLOCK_N, BLOCK_E), tl.float32)
        p, p_next = _position(order, 0, L), _position(order, 1, L)
        u, z = _channels(x + p * x_l, real), _channels(delta + p * delta_l, real)
        B, C = tl.load(weights + p * 2 * BLOCK_N), tl.load(weights + p * 2 * BLOCK_N + BLOCK_N)
        for i in range(L):
            before = _channels(y + p * E, summed)
            p_then = _position(order, i + 2, L)
            u_next, z_next = _channels(x + p_next * x_l, real), _channels(delta + p_next * delta_l, real)
            B_next = tl.load(weights + p_next * 2 * BLOCK_N)
            C_next = tl.load(weights + p_next * 2 * BLOCK_N + BLOCK_N)
            step = _softplus(z + shift)
            h = _advance(h, step, step * u, rate, B)
            tl.store(y + p * E, before + direct * u + tl.sum(h * C[:, None], axis=0), mask=real)
            p, p_next, u, z, B, C = p_next, p_then, u_next, z_next, B_next, C_next
        tl.debug_barrier()


# Here are sums over states and sums over channels: a thread has a square of both, in which saved states are best read.
@triton.jit
def backward_kernel(
    step,
    drive,
    dy,
    A,
    weights,
    orders,
    states,
    dstep,
    ddrive,
    dweights,
    dA,
    T,
    L,
    E,
    N,
    K,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
    SEGMENT: tl.constexpr,
):
    """Gradients in float32: of each part of the orders for itself, and those of the weights of each block of channels.

    An order first runs forward, to save the state before each segment. Then, segment by segment from the last, the
    states within are computed again and saved, and the gradients taken on the way back. ``states`` is the memory for
    both, (parts, blocks, b · T, segments + SEGMENT, BLOCK_N, BLOCK_E). All is contiguous: ``step``, ``drive`` and
    ``dy`` (b, T, L, E), ``dstep`` and ``ddrive`` (parts, b, T, L, E), ``dweights`` (parts, blocks, b, T, L, 2,
    BLOCK_N), ``dA`` (parts, blocks, b, T, BLOCK_N, BLOCK_E).
    """
    row, block, part = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    rows, blocks, parts = tl.num_programs(0), tl.num_programs(1), tl.num_programs(2)
    segments = (L + SEGMENT - 1) // SEGMENT
    TILE: tl.constexpr = BLOCK_N * BLOCK_E
    inner, n = tl.arange(0, BLOCK_E), tl.arange(0, BLOCK_N)
    e = block * BLOCK_E + inner
    real = e < E
    step += row * L * E + e
    drive += row * L * E + e
    dy += row * L * E + e
    weights += row * L * 2 * BLOCK_N + n
    dstep += (part * rows + row) * L * E + e
    ddrive += (part * rows + row) * L * E + e
    program = (part * blocks + block) * rows + row
    dweights += program * L * 2 * BLOCK_N + n
    tile = n[:, None] * BLOCK_E + inner[None, :]
    starts = states + program * (segments + SEGMENT) * TILE + tile
    within = starts + segments * TILE
    rate = _rates(A, row % T, e, n, E, N)
    dA_sum = tl.zeros((BLOCK_N, BLOCK_E), tl.float32)
    first = part * K // parts
    for k in range(first, (part + 1) * K // parts):
        order = orders + k * L
        summed = e < tl.where(k > first, E, 0)  # channels and states with a sum of earlier orders
        summed_n = n < tl.where(k > first, BLOCK_N, 0)
        h = tl.zeros((BLOCK_N, BLOCK_E), tl.float32)
        p_next = _position(order, 1, L)
        step_now, drive_now, B = _inputs(step, drive, weights, _position(order, 0, L), E, real, BLOCK_N)
        for i in range((segments - 1) * SEGMENT):
            if i % SEGMENT == 0:
                tl.store(starts + i // SEGMENT * TILE, h)
            step_next, drive_next, B_next = _inputs(step, drive, weights, p_next, E, real, BLOCK_N)
            p_next = _position(order, i + 2, L)
            h = _advance(h, step_now, drive_now, rate, B)
            step_now, drive_now, B = step_next, drive_next, B_next
        carry = tl.zeros((BLOCK_N, BLOCK_E), tl.float32)
        for back in range(segments):
            start = (segments - 1 - back) * SEGMENT
            steps = tl.minimum(L - start, SEGMENT)
            if back > 0:  # before the last segment, the state is at hand
                h = tl.load(starts + start // SEGMENT * TILE)
            p, p_next = _position(order, start, L), _position(order, start + 1, L)
            step_now, drive_now, B = _inputs(step, drive, weights, p, E, real, BLOCK_N)
            dy_now = _channels(dy + p * E, real)
            for s in range(steps):
                dC = dweights + p * 2 * BLOCK_N + BLOCK_N
                dC_before = tl.load(dC, mask=summed_n, other=0.0)
                step_next, drive_next, B_next = _inputs(step, drive, weights, p_next, E, real, BLOCK_N)
                dy_next = _channels(dy + p_next * E, real)
                p_then = _position(order, start + s + 2, L)
                tl.store(within + s * TILE, h)
                h = _advance(h, step_now, drive_now, rate, B)
                tl.store(dC, dC_before + tl.sum(h * dy_now[None, :], axis=1))
                step_now, drive_now, B, dy_now, p, p_next = step_next, drive_next, B_next, dy_next, p_next, p_then
            tl.debug_barrier()
            for s in range(steps - 1, -1, -1):  # loads nothing ahead: all was read just now, and is near
                p = _position(order, start + s, L)
                step_now, drive_now, B = _inputs(step, drive, weights, p, E, real, BLOCK_N)
                C = tl.load(weights + p * 2 * BLOCK_N + BLOCK_N)
                dy_now = _channels(dy + p * E, real)
                h = tl.load(within + s * TILE)
                dB = dweights + p * 2 * BLOCK_N
                dB_before = tl.load(dB, mask=summed_n, other=0.0)
                dstep_before = _channels(dstep + p * E, summed)
                ddrive_before = _channels(ddrive + p * E, summed)
                dh = dy_now[None, :] * C[:, None] + carry
                carry = tl.exp2(step_now[None, :] * rate) * dh
                dexponent = carry * h
                dA_sum += dexponent * step_now[None, :]
                tl.store(dB, dB_before + tl.sum(dh * drive_now[None, :], axis=1))
                tl.store(dstep + p * E, dstep_before + tl.sum(dexponent * rate, axis=0) * _LN2, mask=real)
                tl.store(ddrive + p * E, ddrive_before + tl.sum(dh * B[:, None], axis=0), mask=real)
            tl.debug_barrier()
    tl.store(dA + program * TILE + tile, dA_sum)
