"""Operations of state-space models over two-dimensional maps."""

from pamm.ops.scan_order import scan_orders
from pamm.ops.selective_scan import SCAN_BACKENDS, checked_orders, selective_scan

__all__ = ["SCAN_BACKENDS", "checked_orders", "scan_orders", "selective_scan"]
