"""PAME block: one selective scan per task, whose parameters come from experts.

Letters, as in the paper's figure of the block: ``T`` tasks, ``b`` batch, ``L`` positions of an ``h × w`` grid, ``d``
decoder width, ``E`` inner width, ``N`` state size, ``R`` rank of the step size, ``K`` orders of reading; ``v`` the
block's input, ``n`` its norm, ``z`` the gate, ``c`` the local mixing, ``x`` the scan's input, ``δ`` its step size
before the bias, ``B`` and ``C`` its input and output maps, ``p`` their priors, ``y`` its output.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.models.config import PAMMConfig
from pamm.models.experts import ParameterExperts
from pamm.models.layers import (
    Grid,
    TaskGroupNorm,
    TaskLayerNorm,
    TaskLinear,
    exempt,
    to_maps,
    to_tokens,
)
from pamm.ops import selective_scan


class DepthwiseMixing(nn.Module):
    """DWConv: depthwise k×k and pointwise convolution, layer norm over the channels and SiLU, per task."""

    def __init__(self, *, tasks: int, channels: int, kernel: int) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            channels: channels d per task.
            kernel: side k of the depthwise kernel, odd.
        """
        super().__init__()
        width = tasks * channels
        self.tasks = tasks
        self.depthwise = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.pointwise = TaskLinear(tasks=tasks, inputs=channels, outputs=channels)
        self.norm = TaskLayerNorm(tasks, channels, eps=1e-6)

    def forward(self, maps: Tensor) -> Tensor:
        """(b, T·d, h, w) → tokens (T, b, L, d)."""
        return F.silu(self.norm(self.pointwise(to_tokens(self.depthwise(maps), tasks=self.tasks))))


class ScanParameters(nn.Module):
    """B and C of the scan: made by experts or by one linear map per task, plus a learnt prior per task."""

    def __init__(self, config: PAMMConfig) -> None:
        """Build the layer.

        Args:
            config: sizes and switches.
        """
        super().__init__()
        tasks, states = len(config.tasks), config.d_state
        self.names = config.experts
        self.experts = None
        if self.names:
            self.experts = ParameterExperts(
                tasks=tasks,
                kinds=len(self.names),
                width=config.inner_width,
                states=states,
                count=config.expert_count,
                rank=config.expert_rank,
                kept=config.experts_kept,
                kernel=config.expert_kernel,
                grid=config.grid,
                activation=config.gate_activation,
                renormalise=config.gate_renormalise,
                noise=config.gate_noise,
            )
        self.linear = nn.ModuleDict(
            {
                name: TaskLinear(tasks=tasks, inputs=config.inner_width, outputs=states)
                for name in ("B", "C")
                if name not in self.names
            }
        )
        self.priors = nn.ParameterDict(
            {
                name: exempt(nn.init.trunc_normal_(torch.empty(tasks, states), std=0.02))
                for name, on in (("B", config.prior_b), ("C", config.prior_c))
                if on
            }
        )

    def forward(self, x: Tensor, grid: Grid) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Make B and C.

        Args:
            x: input of the scan, (T, b, L, E).
            grid: rows and columns of the L positions.

        Returns:
            B and C, both (T, b, L, N), and the gates (b, T, M) of those made by experts by name.
        """
        made: dict[str, Tensor] = {name: layer(x) for name, layer in self.linear.items()}
        gates: dict[str, Tensor] = {}
        if self.experts is not None:
            values, all_gates = self.experts(x, grid)
            made |= dict(zip(self.names, values.unbind(3), strict=True))
            gates = dict(zip(self.names, all_gates.transpose(0, 1).unbind(2), strict=True))
        for name, prior in self.priors.items():
            made[name] = made[name] + prior[:, None, None]
        return made["B"], made["C"], gates


def mamba_step_bias(*shape: int) -> Tensor:
    """Step bias whose softplus is log-uniform between 0.001 and 0.1, as Mamba starts."""
    step = torch.exp(torch.empty(shape).uniform_(math.log(0.001), math.log(0.1)))
    return step + torch.log(-torch.expm1(-step))


class PAMEBlock(nn.Module):
    """``o_t = v_t + z_t ⊙ Conv1x1_t(scan(x_t))``.

    The order of SiLU, expansion and gate is the released code's. With ``mixing_order="mamba"`` it is Mamba's: mixing
    and SiLU follow the expansion, and the gate of width E comes before the last map. The released code computes the
    local mixing and drops it: there ``x_t = Conv1x1_t(SiLU(n_t))``, which is ``local_mixing="none"``. DWConv ends in a
    SiLU of its own, so with it ``x`` sees two.
    """

    def __init__(self, config: PAMMConfig) -> None:
        """Build the layer.

        Args:
            config: sizes and switches.
        """
        super().__init__()
        tasks, width, inner = len(config.tasks), config.d_model, config.inner_width
        self.tasks = tasks
        self.inside = config.mixing_order == "mamba"
        mixed = inner if self.inside else width
        self.norm = TaskGroupNorm(tasks=tasks, groups=config.norm_groups, channels=width)
        self.gate = TaskLinear(tasks=tasks, inputs=width, outputs=mixed)
        self.mixing = (
            DepthwiseMixing(tasks=tasks, channels=mixed, kernel=3) if config.local_mixing == "depthwise" else None
        )
        self.expand = TaskLinear(tasks=tasks, inputs=width, outputs=inner)
        self.step_down = TaskLinear(tasks=tasks, inputs=inner, outputs=config.step_rank, bias=False)
        self.step_up = TaskLinear(tasks=tasks, inputs=config.step_rank, outputs=inner, bias=False)
        bias = mamba_step_bias(tasks, inner) if config.delta_init == "mamba" else torch.zeros(tasks, inner)
        self.step_bias = exempt(bias)
        states = torch.arange(1, config.d_state + 1, dtype=torch.float32)
        self.A_log = exempt(states.log().expand(tasks, inner, -1).clone())
        self.D = exempt(torch.ones(tasks, inner))
        self.scan_parameters = ScanParameters(config)
        self.scan = Scan()
        self.reduce = TaskLinear(tasks=tasks, inputs=inner, outputs=width)
        if not config.learn_state:
            for parameter in (self.A_log, self.D, *self.scan_parameters.priors.values()):
                parameter.requires_grad_(False)

    def forward(self, v: Tensor, orders: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the block.

        Args:
            v: (b, T·d, h, w).
            orders: the K orders of the L positions, (K, L).

        Returns:
            Tokens (T, b, L, d), and the gates of the experts, see :class:`ScanParameters`.
        """
        grid = (v.shape[-2], v.shape[-1])
        n = self.norm(v)
        n_tokens = to_tokens(n, tasks=self.tasks)
        z = F.silu(self.gate(n_tokens))
        if self.inside:
            c = self.expand(n_tokens)
            x = F.silu(c if self.mixing is None else self.mixing(to_maps(c, grid)))
        else:
            c = n_tokens if self.mixing is None else self.mixing(n)
            x = self.expand(F.silu(c))  # (T, b, L, E)
        delta = self.step_up(self.step_down(x))
        B, C, gates = self.scan_parameters(x, grid)
        y = self.scan(x, delta, -torch.exp(self.A_log), B, C, self.D, self.step_bias, orders)
        v_tokens = to_tokens(v, tasks=self.tasks)
        if self.inside:
            return v_tokens + self.reduce(z * y), gates
        return torch.addcmul(v_tokens, z, self.reduce(y)), gates


class Scan(nn.Module):
    """The selective scan on tokens; a module so that it can be counted and replaced on its own."""

    def forward(
        self, x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor, orders: Tensor
    ) -> Tensor:
        """Scan; see :func:`pamm.ops.selective_scan`, but with the tasks before the batch: x is (T, b, L, E)."""
        x, delta, B, C = (tokens.transpose(0, 1) for tokens in (x, delta, B, C))
        return selective_scan(x, delta, A, B, C, D, delta_bias=bias, orders=orders).transpose(0, 1)


class LocalBranch(nn.Module):
    """The optional branch of convolutions, ``SiLU(GN(1x1(SiLU(GN(DW5(SiLU(GN(1x1(u)))))))))`` per task."""

    def __init__(self, config: PAMMConfig) -> None:
        """Build the layer.

        Args:
            config: sizes and switches.
        """
        super().__init__()
        tasks, width = len(config.tasks), config.d_model
        self.first = nn.Conv2d(width, tasks * width, 1)
        self.mixing = DepthwiseMixing(tasks=tasks, channels=width, kernel=5)
        self.last = TaskLinear(tasks=tasks, inputs=width, outputs=width)
        self.norms = nn.ModuleList(
            TaskGroupNorm(tasks=tasks, groups=config.norm_groups, channels=width) for _ in range(3)
        )

    def forward(self, u: Tensor) -> Tensor:
        """(b, d, h, w) → tokens (T, b, L, d)."""
        grid, tasks = (u.shape[-2], u.shape[-1]), self.mixing.tasks
        c = self.mixing(F.silu(self.norms[0](self.first(u))))
        c = self.last(to_tokens(F.silu(self.norms[1](to_maps(c, grid))), tasks=tasks))
        return to_tokens(F.silu(self.norms[2](to_maps(c, grid))), tasks=tasks)
