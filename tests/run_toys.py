"""Scores of networks that never were."""

import json

from pamm.engine.evaluate import EvalResult, TaskResult
from pamm.engine.results.run_facts import RunFacts
from pamm.engine.results.runs import Run

KINDS = {
    "mIoU": ("%", True),
    "maxF": ("%", True),
    "AP": ("%", True),
    "odsF": ("%", True),
    "RMSE": ("m", False),
    "mErr": ("°", False),
}
"""Unit and direction by score."""


def task_result(score, value, **others):
    return TaskResult(score, *KINDS[score], {score: value, **others}, 0.5)


def run(name="ours", *, images=654, data="nyud", split="val", file="", **tasks):
    """A run of tasks given as ``depth=("RMSE", 0.5)``."""
    facts = RunFacts(
        name=name, weights=name, encoder="ViT-L", parameters=2_000_000, multiply_adds=3 * 10**9, data=data, split=split
    )
    results = {task: task_result(*pair) for task, pair in tasks.items()}
    return Run(name, EvalResult(results, images=images, seconds=1.0, run=facts), file)


def write(path, made):
    path.write_text(json.dumps(made.result.to_dict(), allow_nan=False))
    return path
