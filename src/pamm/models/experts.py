"""Parameter experts (PE): how the scan's B and C come from its input, with knowledge shared by the tasks.

Letters, as in the paper's figure of the PE: ``T`` tasks, ``b`` batch, ``L`` positions of an ``h × w`` grid, ``E``
inner width, ``N`` state size, ``P`` parameters made by experts (B, C or both), ``M`` experts, ``r`` their rank,
``k`` experts kept; ``U_i``, ``a_i`` and ``V_i``, ``c_i`` the two halves of expert i, ``g`` its gate, ``m`` the mixing
weight of a task's own map. B and C read the same input, so one set of layers serves both.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.models.config import GateActivation, GateNoise
from pamm.models.layers import Grid, TaskBatchNorm, TaskLinear, TaskTokenConv, TokenConv
from pamm.models.router import Router


def keep_largest(gates: Tensor, kept: int, *, renormalise: bool = False) -> Tensor:
    """Set all but the largest gates to 0.

    Args:
        gates: (..., M), positive, with a sum of 1.
        kept: number of gates to keep.
        renormalise: whether those kept are scaled to a sum of 1.
    """
    if kept >= gates.shape[-1]:
        return gates
    places = gates.topk(kept, dim=-1).indices
    gates = gates * torch.zeros_like(gates).scatter(-1, places, 1.0)
    return gates / gates.sum(-1, keepdim=True) if renormalise else gates


def batched_map(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One affine map per task and image: (T, b, L, i), (T, b, i, o) and (T, b, o) → (T, b, L, o)."""
    tasks, batch, length, _ = x.shape
    out = torch.baddbmm(bias.flatten(0, 1)[:, None], x.flatten(0, 1), weight.flatten(0, 1))
    return out.view(tasks, batch, length, -1)


class ParameterExperts(nn.Module):
    """``PE(x_t) = BN_t(BN'_t(Σ_i g_i e_i(x_t)) + m_t · e_t(x_t) + general(stop_gradient(x_t)))`` for P parameters.

    The gates scale the second halves of the experts, ``Σ_i (g_i V_i) (U_i x + a_i) + g_i c_i``, so that all experts
    are one map to M·r channels and one map back: no tensor has positions, experts and states at once. Where the
    kernel is 1 both maps are first multiplied to a single one per task and image, E → N.

    Gates are by default as in the released code: ``softmax(Linear(f) + noise)`` with a noise scale of any sign, where
    the paper has an activation after the linear map; the k kept ones are not renormalised.
    """

    def __init__(
        self,
        *,
        tasks: int,
        kinds: int,
        width: int,
        states: int,
        count: int,
        rank: int,
        kept: int,
        kernel: int,
        grid: Grid,
        activation: GateActivation = "none",
        renormalise: bool = False,
        noise: GateNoise = "released",
    ) -> None:
        """Build the layer.

        Args:
            tasks: number of tasks T.
            kinds: number of parameters P.
            width: inner width E.
            states: state size N.
            count: number of experts M.
            rank: rank r of the experts and of the tasks' own maps.
            kept: number k of gates kept.
            kernel: side of the kernel of ``U`` and of the general map.
            grid: rows and columns the router is made for.
            activation: what the scores pass before the softmax.
            renormalise: whether the kept gates are scaled to a sum of 1.
            noise: scale of the noise in training: the router's, its softplus, or none.
        """
        super().__init__()
        self.activation, self.renormalise, self.noise = activation, renormalise, noise
        scores = (1 if noise == "none" else 2) * count + 1
        self.count, self.rank, self.kept, self.kinds, self.states = count, rank, kept, kinds, states
        self.kernel = kernel
        self.router = Router(tasks=tasks, kinds=kinds, width=width, scores=scores, grid=grid)
        self.down = TokenConv(inputs=width, outputs=kinds * count * rank, kernel=kernel)
        bound = 1 / math.sqrt(rank)
        self.up_weight = nn.Parameter(torch.empty(kinds, count, rank, states).uniform_(-bound, bound))
        self.up_bias = nn.Parameter(torch.empty(kinds, count, states).uniform_(-bound, bound))
        self.own_down = TaskTokenConv(tasks=tasks, inputs=width, outputs=kinds * rank, kernel=kernel)
        self.own_up = TaskLinear(tasks=tasks * kinds, inputs=rank, outputs=states)
        self.general = TokenConv(inputs=width, outputs=kinds * states, kernel=kernel)
        self.expert_norm = TaskBatchNorm(tasks=tasks, channels=kinds * states)
        self.norm = TaskBatchNorm(tasks=tasks, channels=kinds * states)

    def forward(self, x: Tensor, grid: Grid, *, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Make the parameters of the scan.

        Args:
            x: input of the scan, (T, b, L, E).
            grid: rows and columns of the L positions.
            noise: (T, b, P, M) standard normal draws for the gates, used in training only; None draws them.

        Returns:
            The parameters (T, b, L, P, N), and the gates (T, b, P, M).
        """
        gates, mix = self.gates(x, grid, noise=noise)
        own = self._own(x, grid) * mix[:, :, None, :, None]
        value = self.expert_norm(self._experts(x, gates, grid)) + own.flatten(-2) + self.general(x.detach(), grid)
        return torch.unflatten(self.norm(value), -1, (self.kinds, self.states)), gates

    def gates(self, x: Tensor, grid: Grid, *, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gates of the experts, (T, b, P, M), 0 for those not kept, and mixing weights of the own maps, (T, b, P)."""
        scores: Tensor = self.router(x, grid)
        logits, scale, mix = torch.split(scores, [self.count, scores.shape[-1] - self.count - 1, 1], dim=-1)
        if self.activation == "gelu":
            logits = F.gelu(logits)
        if self.training and self.noise != "none":
            scale = F.softplus(scale) if self.noise == "softplus" else scale
            logits = logits + (torch.randn_like(logits) if noise is None else noise) * scale
        return keep_largest(logits.softmax(-1), self.kept, renormalise=self.renormalise), mix.squeeze(-1)

    def _experts(self, x: Tensor, gates: Tensor, grid: Grid) -> Tensor:
        """Gated sum of the shared experts, (T, b, L, E) and gates (T, b, P, M) → (T, b, L, P·N)."""
        up = (gates[..., None, None] * self.up_weight).flatten(-3, -2)  # (T, b, P, M·r, N)
        bias = torch.einsum("tbpm,pmn->tbpn", gates, self.up_bias)
        if self.kernel == 1:
            first_bias, first = self.down.bias.view(self.kinds, -1), self.down.weight.view(self.kinds, -1, x.shape[-1])
            weight = torch.einsum("pke,tbpkn->tbepn", first, up).flatten(-2)  # (T, b, E, P·N)
            bias = bias + torch.einsum("pk,tbpkn->tbpn", first_bias, up)
            return batched_map(x, weight, bias.flatten(-2))
        low: Tensor = self.down(x, grid)  # (T, b, L, P·M·r)
        parts = zip(low.chunk(self.kinds, dim=-1), up.unbind(2), bias.unbind(2), strict=True)
        return torch.cat([batched_map(*part) for part in parts], dim=-1)

    def _own(self, x: Tensor, grid: Grid) -> Tensor:
        """The tasks' own low-rank maps, (T, b, L, E) → (T, b, L, P, N)."""
        low = torch.unflatten(self.own_down(x, grid), -1, (self.kinds, self.rank))
        pairs: Tensor = self.own_up(low.permute(0, 3, 1, 2, 4).flatten(0, 1))  # (T·P, b, L, N)
        return torch.unflatten(pairs, 0, (len(x), self.kinds)).permute(0, 2, 3, 1, 4)
