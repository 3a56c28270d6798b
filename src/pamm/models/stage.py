"""One stage of the decoder: from one tap of the encoder to one map per task.

Letters: ``b`` batch, ``T`` tasks, ``L`` positions of an ``h × w`` grid, ``d`` decoder width; ``F`` the tap, ``u`` its
projection, ``v`` the tasks' maps.
"""

from torch import Tensor, nn

from pamm.models.config import PAMMConfig
from pamm.models.layers import to_tokens
from pamm.models.pame import LocalBranch, PAMEBlock


class Stage(nn.Module):
    """``u = GN(Conv3x3(F))``, ``v_t = Conv3x3_t(u)``, then the PAME block of each task.

    Without task convolution ``v_t = u``; without scan the output is ``v_t``, plus the local branch if there is one.
    """

    def __init__(self, config: PAMMConfig, *, inputs: int) -> None:
        """Build the layer.

        Args:
            config: sizes and switches.
            inputs: channels of the tap.
        """
        super().__init__()
        tasks, width = len(config.tasks), config.d_model
        self.tasks = tasks
        self.project = nn.Conv2d(inputs, width, 3, padding=1)
        self.norm = nn.GroupNorm(config.norm_groups, width)
        # The tasks' convolutions read one input: together they are one convolution with T·d outputs.
        self.task_conv = nn.Conv2d(width, tasks * width, 3, padding=1) if config.task_conv else None
        self.block = PAMEBlock(config) if config.scan else None
        self.branch = LocalBranch(config) if config.local_branch else None

    def forward(self, tap: Tensor, orders: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the stage.

        Args:
            tap: features of the encoder, (b, inputs, h, w).
            orders: the K orders of the L positions, (K, L).

        Returns:
            Tokens (T, b, L, d), and the gates (b, T, M) of the experts of B and C by name.
        """
        u = self.norm(self.project(tap))
        v = u.repeat(1, self.tasks, 1, 1) if self.task_conv is None else self.task_conv(u)
        gates: dict[str, Tensor] = {}
        if self.block is None:
            out = to_tokens(v, tasks=self.tasks)
        else:
            out, gates = self.block(v, orders)
        if self.branch is not None:
            out = out + self.branch(u)
        return out, gates
