"""What a network costs: parameters by part and multiply-adds.

Letters: ``T`` tasks, ``b`` batch, ``L`` positions, ``E`` inner width, ``N`` state size, ``K`` orders of reading.
"""

import re

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pamm.models.build import create_model
from pamm.models.config import PAMMConfig
from pamm.models.pame import PAMEBlock, Scan
from pamm.models.pamm import PAMM

PARTS = {
    "encoder": r"encoder\.",
    "routers": r"stages\.\d+\.block\..*router\.",
    "experts": r"stages\.\d+\.block\..*experts\.",
    "scan": r"stages\.\d+\.block\.(scan|step|A_log|D$)",
    "gates and maps": r"stages\.\d+\.block\.",
    "stage convolutions": r"stages\.",
    "fusion": r"fusion\.",
    "heads": r"heads\.",
}
"""Parts of the network by the names of their parameters: the first that matches counts."""


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Count the learnt numbers of a network.

    Returns:
        Their count by part, see :data:`PARTS`; parts without any are left out.
    """
    counts = dict.fromkeys(PARTS, 0)
    for name, parameter in model.named_parameters():
        counts[next(part for part, pattern in PARTS.items() if re.match(pattern, name))] += parameter.numel()
    return {part: count for part, count in counts.items() if count}


def total_parameters(config: PAMMConfig) -> int:
    """Count the learnt numbers of the network of a config, without making it."""
    with torch.device("meta"):
        return sum(count_parameters(create_model(config)).values())


class _CountedScan(Scan):
    """Stands in for the scan, whose arithmetic the counter of torch cannot see, and counts it by formula."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def forward(
        self, x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor, orders: Tensor
    ) -> Tensor:
        numbers, states, readings = x.numel(), A.shape[-1], len(orders)
        # Per state: one product for the input, shared by the orders; in each order one update and one read-out.
        self.macs += numbers * states * (1 + 2 * readings) + numbers * readings
        return x


def count_macs(model: PAMM, height: int, width: int) -> int:
    """Count the multiply-adds of one image's forward pass: of matrix products, convolutions, attention and scan.

    Args:
        model: the network; only its config is used, nothing is computed.
        height: height of the image in pixels.
        width: width of the image in pixels.
    """
    with torch.device("meta"):
        twin = create_model(model.config).eval()
        image = torch.empty(1, 3, height, width)
    scans = []
    for block in twin.modules():
        if isinstance(block, PAMEBlock):
            block.scan = _CountedScan()
            scans.append(block.scan)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        twin(image)
    return int(counter.get_total_flops()) // 2 + sum(scan.macs for scan in scans)
