"""Scores of a network over a data set."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from pamm.data.images import ImageError
from pamm.data.sample import Sample
from pamm.engine.evaluate import EvalResult, TaskResult, evaluate
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
    other = dataclasses.replace(TASKS["semseg"], channels=3, class_names=("a", "b", "c"), colours=())
    with pytest.raises(ValueError, match=r"40 channels .* 3 channels"):
        evaluate(model, Rectangles([other]))


def test_data_in_another_unit_is_refused():
    model = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    with pytest.raises(ValueError, match="depth: the network predicts in m, the data labels in mm"):
        evaluate(model, Rectangles([dataclasses.replace(TASKS["depth"], unit="mm")]))


class Depths(Rectangles):
    """Depth 4 everywhere but a corner, which holds another value."""

    def __init__(self, task, corner):
        super().__init__([task], length=2)
        self.corner = corner

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        depth = np.full(self.size, 4, np.float32)
        depth[:5, :5] = self.corner
        return Sample(sample.image, {"depth": depth}, sample.name)


@pytest.mark.parametrize(
    ("changes", "corner", "spread"),
    [
        ({"ignore": -1.0, "valid_range": None}, -1.0, False),
        ({"valid_range": (0.0, 5.0)}, 9.0, False),
        ({"ignore": -1.0, "valid_range": None}, 0.0, True),
        ({}, 9.0, True),
    ],
)
def test_the_data_says_which_labels_count(changes, corner, spread):
    model = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    data = Depths(dataclasses.replace(TASKS["depth"], **changes), corner)
    # padded as well: the padding must not count either
    result = evaluate(model, data, canvas=(48, 64))
    assert (result.tasks["depth"].constant > 0) == spread
    assert math.isfinite(result.tasks["depth"].value)


class Bad(Rectangles):
    """Some samples cannot be read."""

    def __init__(self, *bad, **settings):
        super().__init__([TASKS["depth"]], **settings)
        self.bad = bad

    def __getitem__(self, index):
        if index in self.bad:
            raise ImageError(f"{index}.png: the file is empty: copy it again")
        return super().__getitem__(index)


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_samples_do_not_stop_the_others(workers):
    model = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    seen = []
    result = evaluate(model, Bad(1, 2, 3), batch_size=2, workers=workers, progress=lambda *at: seen.append(at))
    assert result.images == 3
    assert result.failed == {f"sample {n}": f"{n}.png: the file is empty: copy it again" for n in (1, 2, 3)}
    assert seen == [(2, 6), (4, 6), (6, 6)]
    assert json.loads(json.dumps(result.to_dict()))["failed"] == result.failed


def test_only_bad_samples_are_an_error():
    model = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    with pytest.raises(
        ValueError, match=r"none of 2 images can be scored, the first because: 0\.png: the file is empty"
    ):
        evaluate(model, Bad(0, 1, length=2))


def test_photos_of_any_size():
    class Growing(Rectangles):
        def __getitem__(self, index):
            return Rectangles(self.tasks, size=(30 + 5 * (index % 2), 40 + 20 * (index % 2)))[index]

    model = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    data = Growing([TASKS["depth"]], length=4)
    together, single = evaluate(model, data, batch_size=4), evaluate(model, data, batch_size=1)
    assert together.images == 4
    assert together.tasks["depth"].value == pytest.approx(single.tasks["depth"].value, rel=1e-4)
    small = evaluate(model, data, canvas=(32, 48))
    assert small.images == 2
    assert "the image is 35×60, the canvas 32×48" in small.failed["sample 1"]


def test_numbers_that_are_none_are_null_in_a_file():
    scores = {"RMSE": math.nan, "log_RMSE": math.inf, "abs_rel": 1.0}
    result = EvalResult({"depth": TaskResult("RMSE", "m", False, scores, -math.inf)}, images=1, seconds=0.5)
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["tasks"]["depth"]["scores"] == {"RMSE": None, "log_RMSE": None, "abs_rel": 1.0}
    assert plain["tasks"]["depth"]["constant"] is None
    assert plain["images"] == 1
    assert result.table().row_count == 1
