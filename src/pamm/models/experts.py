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
from pamm.models.layers import Grid, TaskBatchNorm, TaskLinear, TaskTokenConv, TokenConv, batch_norm_affine
from pamm.models.router import Router
from pamm.ops.token_conv import token_conv


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
    kernel is 1 both maps are first multiplied to a single one per task and image, E → N; in evaluation, where norms
    are scales, with the own and the general map as well. Wider kernels of all terms and tasks are one convolution.

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
        self.wide_weight: Tensor | None
        self.wide_bias: Tensor | None
        self.register_buffer("wide_weight", None, persistent=False)
        self.register_buffer("wide_bias", None, persistent=False)

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
        if self.training or (x.requires_grad and torch.is_grad_enabled()):
            experts, own, general = self.parts(x, gates, grid)
            value = self.norm(self.expert_norm(experts) + own * self._by_state(mix) + general)
        else:
            value = self._in_one(x, gates, mix, grid)
        return torch.unflatten(value, -1, (self.kinds, self.states)), gates

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

    def parts(self, x: Tensor, gates: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
        """The three terms before their norms: gated sum of the experts, own and general maps, each (T, b, L, P·N)."""
        up, bias = self._gated(gates)
        if self.kernel == 1:
            weight, first_bias = self._composed(up)
            experts = batched_map(x, weight, first_bias + bias.flatten(-2))
            own = self.own_down(x, grid)
        else:
            low, own = self._reads(x, grid, general=False)
            terms = zip(low.chunk(self.kinds, dim=-1), up.unbind(2), bias.unbind(2), strict=True)
            experts = torch.cat([batched_map(*term) for term in terms], dim=-1)
        return experts, self._own_up(own), self.general(x.detach(), grid)

    def _gated(self, gates: Tensor) -> tuple[Tensor, Tensor]:
        """Second halves of the experts with their gates, (T, b, P, M·r, N) and (T, b, P, N)."""
        up = (gates[..., None, None] * self.up_weight).flatten(-3, -2)
        return up, torch.einsum("tbpm,pmn->tbpn", gates, self.up_bias)

    def _composed(self, up: Tensor) -> tuple[Tensor, Tensor]:
        """Both halves of the experts in one, (T, b, E, P·N) and (T, b, P·N), where the kernel is 1."""
        first = torch.unflatten(self.down.weight.flatten(1), 0, (self.kinds, -1))
        weight = torch.einsum("pke,tbpkn->tbepn", first, up)
        bias = torch.einsum("pk,tbpkn->tbpn", self.down.bias.view(self.kinds, -1), up)
        return weight.flatten(-2), bias.flatten(-2)

    def _own_up(self, low: Tensor) -> Tensor:
        """Second halves of the tasks' own maps, (T, b, L, P·r) → (T, b, L, P·N)."""
        low = torch.unflatten(low, -1, (self.kinds, self.rank))
        pairs: Tensor = self.own_up(low.permute(0, 3, 1, 2, 4).flatten(0, 1))  # (T·P, b, L, N)
        return torch.unflatten(pairs, 0, (len(low), self.kinds)).permute(0, 2, 3, 1, 4).flatten(-2)

    def _by_state(self, by_kind: Tensor) -> Tensor:
        """(T, b, P) → (T, b, 1, P·N)."""
        return by_kind.repeat_interleave(self.states, dim=-1).unsqueeze(2)

    def _reads(self, x: Tensor, grid: Grid, *, general: bool) -> list[Tensor]:
        """All convolutions of the input in one: first halves of the experts and of the own maps, the general map.

        The own maps of all tasks are read by all, so that one set of kernels serves every task; each keeps its own.

        Returns:
            (T, b, L, ·): P·M·r channels, P·r channels, and P·N if the general map is wanted.
        """
        layers = self._wide_layers()[: 3 if general else 2]
        sizes = [layer.weight.shape[0] for layer in layers]
        if self.wide_weight is None or self.wide_bias is None:
            weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias"))
        else:
            weight, bias = self.wide_weight[: sum(sizes)], self.wide_bias[: sum(sizes)]
        read = torch.unflatten(token_conv(x.flatten(0, 1), weight, bias, grid=grid), 0, x.shape[:2])
        low, own_low, *rest = torch.split(read, sizes, dim=-1)
        own_low = torch.unflatten(own_low, -1, (len(x), -1)).diagonal(dim1=0, dim2=3)  # (b, L, P·r, T)
        return [low, own_low.permute(3, 0, 1, 2), *rest]

    def _wide_layers(self) -> list[TokenConv | nn.Conv2d]:
        own = self.own_down.conv
        assert own is not None
        return [self.down, own, self.general]

    @torch.no_grad()
    def join_kernels(self) -> None:
        """Lay all convolutions' kernels side by side for good, which networks that are not trained may."""
        if self.kernel == 1:
            return
        layers = self._wide_layers()
        self.wide_weight, self.wide_bias = (
            torch.cat([getattr(layer, name) for layer in layers]) for name in ("weight", "bias")
        )
        parts = torch.split(self.wide_weight, [layer.weight.shape[0] for layer in layers])
        for layer, part in zip(layers, parts, strict=True):
            layer.weight.data = part

    def _in_one(self, x: Tensor, gates: Tensor, mix: Tensor, grid: Grid) -> Tensor:
        """What :meth:`forward` makes of :meth:`parts` in evaluation: norms are scales, so the terms are one map.

        Its gradients are others': the general map reaches x here.

        Returns:
            (T, b, L, P·N).
        """
        tasks, pairs = len(x), (len(x), 1, self.kinds, 1, self.states)
        (first_scale, first_shift), (scale, shift) = (
            (value.view(tasks, 1, -1) for value in batch_norm_affine(norm)) for norm in (self.expert_norm, self.norm)
        )
        up, up_bias = self._gated(gates)
        up = up * (first_scale * scale).view(pairs)
        assert self.own_up.bias is not None
        own_scale = mix[..., None] * scale.view(tasks, 1, self.kinds, -1)  # (T, b, P, N)
        own_up = torch.unflatten(self.own_up.weight, 0, (tasks, 1, self.kinds)).mT  # (T, 1, P, r, N)
        own_up = own_up * own_scale[..., None, :]
        own_bias = self.own_up.bias.view(tasks, 1, self.kinds, -1) * own_scale
        bias = (up_bias.flatten(-2) * first_scale + first_shift) * scale + own_bias.flatten(-2) + shift  # (T, b, P·N)
        if self.kernel > 1:
            low, own_low, general = self._reads(x, grid, general=True)
            weight = torch.cat((_blocks(up), _blocks(own_up)), dim=2)
            return batched_map(torch.cat((low, own_low), dim=-1), weight, bias) + general * scale[:, :, None]
        own = self.own_down.linear
        assert own is not None
        assert own.bias is not None
        weight, first_bias = self._composed(up)
        own_down = torch.unflatten(own.weight, 1, (self.kinds, -1))  # (T, P, r, E)
        weight = weight + torch.einsum("tpre,tbprn->tbepn", own_down, own_up).flatten(-2)
        weight = weight + self.general.weight.flatten(1).mT * scale[:, :, None]
        own_first = torch.einsum("tpr,tbprn->tbpn", torch.unflatten(own.bias, 1, (self.kinds, -1)), own_up).flatten(-2)
        return batched_map(x, weight, bias + first_bias + own_first + self.general.bias * scale)


def _blocks(maps: Tensor) -> Tensor:
    """Maps of each parameter side by side, (T, b, P, i, N) → (T, b, P·i, P·N), zeros where they do not meet."""
    blocks = torch.diag_embed(maps.movedim(2, -1))  # (T, b, i, N, P, P)
    return blocks.permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)
