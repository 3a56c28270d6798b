"""Mean gates against the network's own, and where they stand in the figure."""

import numpy as np
import pytest
import torch

from pamm.engine.figures import gate_figure, measure_gates
from pamm.engine.figures.gates import GateMeans
from pamm.engine.predictor import Predictor
from pamm.models import create_model
from toys import MICRO, Rectangles

TASKS_HERE = ["depth", "normals", "edge"]
PHOTOS = [Rectangles()[number].image for number in range(3)]


def micro(**changes):
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", tasks=TASKS_HERE, **MICRO | changes))


def test_means_are_those_of_the_network():
    predictor = micro(skipped_stages=1)
    predictor.model.train()
    means = measure_gates(predictor, PHOTOS)
    assert means.mean.shape == (3, 2, 3, 4)
    assert (means.stages, means.parameters, means.images) == ((2, 3, 4), ("B", "C"), 3)
    batch = torch.stack([predictor.prepare(photo).tensor for photo in PHOTOS])
    with torch.no_grad():
        _, gates = predictor.model.eval().forward_with_gates(batch)
    for place, gate in enumerate(gates):
        stage, parameter = divmod(place, 2)
        np.testing.assert_allclose(means.mean[stage, parameter], gate.double().mean(0).numpy(), atol=1e-6)
        np.testing.assert_allclose(means.kept[stage, parameter], (gate != 0).double().mean(0).numpy())
    # of four experts two are kept
    np.testing.assert_allclose(means.kept.sum(axis=-1), 2)


def test_cells_and_crosses_stand_where_they_should():
    mean = np.arange(2 * 1 * 2 * 3, dtype=float).reshape(2, 1, 2, 3) / 12
    kept = np.ones_like(mean)
    kept[1, 0, 0, 2] = kept[..., 1] = 0
    means = GateMeans(mean, kept, (3, 4), ("C",), ("Depth", "Edges"), 7)
    assert means.unused() == (2,)
    assert means.never_kept() == 5
    figure = gate_figure(means)
    first, second, *_ = figure.axes
    assert (first.get_title(), second.get_title()) == ("Stage 3", "Stage 4")
    np.testing.assert_allclose(second.collections[0].get_array().reshape(2, 3), mean[1, 0])
    assert second.collections[0].norm.vmax == pytest.approx(mean.max())
    crosses = {tuple(point) for point in second.lines[0].get_xydata()}
    # expert from 1, task from 0, the first task on top
    assert crosses == {(2.0, 0.0), (2.0, 1.0), (3.0, 0.0)}
    assert second.yaxis_inverted()
    assert [label.get_text() for label in first.get_yticklabels()] == ["Depth", "Edges"]
    assert any("7 images" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize("changes", [{"scan": False}, {"experts_b": False, "experts_c": False}])
def test_no_experts_no_gates(changes):
    with pytest.raises(ValueError, match="no parameter experts"):
        measure_gates(micro(**changes), PHOTOS)


def test_mistakes():
    with pytest.raises(ValueError, match="no image"):
        measure_gates(micro(), [])
    with pytest.raises(ValueError, match="do not fit into 2 inches"):
        gate_figure(measure_gates(micro(), PHOTOS[:1]), width=2.0)
