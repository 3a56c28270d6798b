"""Operations of state-space models over two-dimensional maps."""

from pamm.ops.backends import SCAN_BACKENDS
from pamm.ops.scan_call import checked_orders
from pamm.ops.scan_order import scan_orders
from pamm.ops.selective_scan import selective_scan

__all__ = ["SCAN_BACKENDS", "checked_orders", "scan_orders", "selective_scan"]
