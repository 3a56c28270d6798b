"""The best constant prediction of each score."""

import pytest
import torch

from pamm.metrics import SCORES, best_constants
from pamm.tasks import TASKS
from score_toys import TESTED, batches, merged, scored

CONSTANT_OUTPUTS = {
    "semseg": lambda task: 100 * torch.eye(task.channels),
    "saliency": lambda task: 100 * torch.eye(task.channels),
    "edge": lambda task: torch.zeros(1, 1),
    "depth": lambda task: torch.linspace(0.4, 0.8, 201)[:, None],
    "normals": lambda task: torch.randn(600, 3),
}


@pytest.mark.parametrize("name", CONSTANT_OUTPUTS)
def test_no_constant_prediction_is_better(name):
    """Score many constant outputs as a network would be scored."""
    task = TASKS[name]
    labels = [label for _, label in batches(task)]
    if name == "normals":
        labels = [
            torch.where(task.valid(label), label + torch.tensor([0, 0, 1.5]).view(3, 1, 1), label) for label in labels
        ]
        labels = [torch.nn.functional.normalize(label, dim=1) for label in labels]
    constant = best_constants([task])[name]
    for label in labels:
        constant.update(label)
    label = torch.cat(labels)
    headlines = []
    for output in CONSTANT_OUTPUTS[name](task):
        score = scored(task, [(output.view(1, -1, 1, 1).expand(len(label), -1, *label.shape[2:]), label)])
        headlines.append(score.compute()[score.headline].item())
    best = max(headlines) if SCORES[task.score].higher_is_better else min(headlines)
    assert constant.compute().item() == pytest.approx(best, rel=0.01)


def test_best_direction_may_be_far_from_the_mean():
    label = torch.zeros(1, 3, 1, 10)
    label[0, 2, 0, :6] = 1
    label[0, 0, 0, 6:] = 1
    constant = best_constants([TASKS["normals"]])["normals"]
    constant.update(label)
    assert constant.compute().item() == pytest.approx(0.4 * 90, abs=1e-3)


def test_constants_of_processes_add_up():
    for task in TESTED.values():
        pairs = list(batches(task))
        whole, *parts = (best_constants([task])[task.name] for _ in range(3))
        for part, (_, label) in zip(parts, pairs, strict=True):
            whole.update(label)
            part.update(label)
        torch.testing.assert_close(merged(*parts).compute(), whole.compute())
