"""Orders of reading, kept on their device; to compilers one operator, so that the making of orders is not traced."""

from functools import lru_cache

import torch
from torch import Tensor

from pamm.ops.open_sizes import is_open
from pamm.ops.scan_call import checked_orders
from pamm.ops.scan_order import ScanKind, scan_orders
from pamm.ops.traced_orders import traced_orders


def kept_orders(device: torch.device, kind: ScanKind, height: int, width: int, directions: int) -> Tensor:
    """What :func:`pamm.ops.scan_orders` gives, on a device, (K, L); do not change it.

    It is made and checked once. An exporter takes it as a constant, or its making where it leaves the sizes open.
    """
    if torch.compiler.is_dynamo_compiling():
        traced: Tensor = _operator(device, kind, height, width, directions)
        return traced
    if is_open(height, width):
        return traced_orders(kind, height, width, directions, device)
    if torch.compiler.is_exporting():  # what is made now has no values to keep
        return scan_orders(kind, height, width, directions).to(device)
    return _kept(device, kind, height, width, directions)


@lru_cache(maxsize=64)
def _kept(device: torch.device, kind: ScanKind, height: int, width: int, directions: int) -> Tensor:
    with torch.inference_mode(False):  # a tensor made in inference mode could not serve training later
        return checked_orders(scan_orders(kind, height, width, directions).to(device))


@torch.library.custom_op(
    "pamm::kept_orders",
    mutates_args=(),
    schema="(Device device, str kind, SymInt height, SymInt width, int directions) -> Tensor",
)
def _operator(device: torch.device, kind: ScanKind, height: int, width: int, directions: int) -> Tensor:
    return _kept(device, kind, height, width, directions).clone()


@_operator.register_fake
def _(device: torch.device, kind: ScanKind, height: int, width: int, directions: int) -> Tensor:
    return torch.empty(directions, height * width, dtype=torch.int64, device=device)
