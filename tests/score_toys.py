"""Random batches of any task, and scores of them."""

import torch

from pamm.metrics import SCORES
from pamm.tasks import TASKS
from toys import ALBEDO

TESTED = {**TASKS, "albedo": ALBEDO}


def batches(task, *, count=2, height=9, width=11):
    """Random outputs and labels, a fifth of the pixels without label."""
    for _ in range(count):
        output = torch.randn(2, task.channels, height, width)
        if task.classes:
            label = torch.randint(task.classes, (2, 1, height, width)).to(task.label_dtype)
        elif task.kind == "direction":
            label = torch.nn.functional.normalize(torch.randn(2, task.channels, height, width), dim=1)
        else:
            label = torch.rand(2, task.channels, height, width) + 0.1
        empty = torch.rand(2, 1, height, width) < 0.2
        yield output, torch.where(empty, torch.tensor(task.ignore).to(label), label)


def scored(task, pairs):
    score = SCORES[task.score](task)
    for output, label in pairs:
        score.update(output, label)
    return score


def merged(first, second):
    """Reduce the states of two processes as torchmetrics does, into the first."""
    for state, reduction in first._reductions.items():
        setattr(first, state, reduction(torch.stack([getattr(first, state), getattr(second, state)])))
    return first
