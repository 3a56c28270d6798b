"""Training losses."""

from pamm.losses.counts import Counts, count_labels
from pamm.losses.experts import load_balancing_loss
from pamm.losses.multi_task import multi_task_loss
from pamm.losses.pixels import LOSSES, LossFn

__all__ = ["LOSSES", "Counts", "LossFn", "count_labels", "load_balancing_loss", "multi_task_loss"]
