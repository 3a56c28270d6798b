"""Balancing: how the losses of several tasks become one step of training.

Letters: ``T`` tasks, ``P`` trained numbers of the network. A task without labels in the batch has no
part in the step, and what is kept for it stays as it is.
"""

from pamm.losses.balance.balancer import Balancer, Fixed
from pamm.losses.balance.db_mtl import DBMTL
from pamm.losses.balance.dwa import DynamicWeightAverage
from pamm.losses.balance.gradient_balancer import GradientBalancer
from pamm.losses.balance.gradnorm import GradNorm
from pamm.losses.balance.pcgrad import PCGrad
from pamm.losses.balance.uncertainty import Uncertainty

__all__ = [
    "DBMTL",
    "Balancer",
    "DynamicWeightAverage",
    "Fixed",
    "GradNorm",
    "GradientBalancer",
    "PCGrad",
    "Uncertainty",
]
