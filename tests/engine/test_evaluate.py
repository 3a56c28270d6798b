"""Scores of a network over a data set."""

import json

import pytest
import torch

from pamm.engine.evaluate import evaluate
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import MICRO, Rectangles


def test_scores_do_not_depend_on_the_batch():
    data = Rectangles(length=5)
    torch.manual_seed(0)
    model = create_model("pamm_tiny", tasks=data.tasks, **MICRO)
    seen = []
    one, many = (
        evaluate(model, data, batch_size=1),
        evaluate(model, data, batch_size=4, progress=lambda *at: seen.append(at)),
    )
    assert seen == [(4, 5), (5, 5)]
    assert one.images == 5
    assert list(one.tasks) == [task.name for task in data.tasks]
    for name, result in one.tasks.items():
        assert result.headline == next(iter(result.scores))
        assert result.value == pytest.approx(many.tasks[name].value, rel=1e-3)
    json.dumps(one.to_dict())


def test_only_common_tasks_count():
    model = create_model("pamm_tiny", tasks=["depth", "edge"], **MICRO)
    result = evaluate(model, Rectangles([TASKS["normals"], TASKS["depth"]]))
    assert list(result.tasks) == ["depth"]
    assert result.tasks["depth"].constant > 0


def test_data_with_other_tasks_or_classes_is_refused():
    model = create_model("pamm_tiny", tasks=["semseg"], **MICRO)
    with pytest.raises(ValueError, match="common task"):
        evaluate(model, Rectangles([TASKS["depth"]]))
    import dataclasses

    other = dataclasses.replace(TASKS["semseg"], channels=3, class_names=("a", "b", "c"), colours=())
    with pytest.raises(ValueError, match=r"40 channels .* 3 channels"):
        evaluate(model, Rectangles([other]))
