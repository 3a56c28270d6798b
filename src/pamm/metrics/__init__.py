"""Scores."""

from pamm.metrics.classes import SCORES, task_scores
from pamm.metrics.constant import CONSTANTS, best_constants
from pamm.metrics.gain import multi_task_gain, relative_gain
from pamm.metrics.labelled import LabelledMean
from pamm.metrics.score import Score

__all__ = [
    "CONSTANTS",
    "SCORES",
    "LabelledMean",
    "Score",
    "best_constants",
    "multi_task_gain",
    "relative_gain",
    "task_scores",
]
