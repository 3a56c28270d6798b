"""Scores."""

from pamm.metrics.classes import SCORES, Score, task_scores
from pamm.metrics.constant import CONSTANTS, best_constants
from pamm.metrics.gain import multi_task_gain, relative_gain

__all__ = ["CONSTANTS", "SCORES", "Score", "best_constants", "multi_task_gain", "relative_gain", "task_scores"]
