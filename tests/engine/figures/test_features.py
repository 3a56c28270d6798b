"""Features as they flow, and their main components against plain numpy."""

import numpy as np
import pytest
import torch

from pamm.engine.figures import feature_figure, principal_colours, record_features, recording
from pamm.engine.figures.features import FUSED
from pamm.engine.predictor import Predictor
from pamm.models import create_model
from toys import MICRO, Rectangles

PHOTOS = [Rectangles()[number].image for number in range(2)]


def test_recording_sees_all_and_changes_nothing(predictor):
    model = predictor.model.eval()
    image = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        before = model(image)
        with recording(model) as kept:
            model(image[:1])
            inside = model(image)
        after = model(image)
    tasks = len(model.config.tasks)
    assert [tuple(tap.shape) for tap in kept.taps] == [(2, 32, 4, 6)] * 4
    assert [tuple(stage.shape) for stage in kept.stages] == [(tasks, 2, 16, 4, 6)] * 4
    assert kept.fused.shape == (tasks, 2, 16, 4, 6)
    assert all(torch.equal(before[name], other[name]) for name in before for other in (inside, after))
    # the heads make the outputs of what was kept
    rows = kept.fused.permute(0, 1, 3, 4, 2).flatten(2, 3)
    with torch.no_grad():
        outputs = model.heads(rows, (4, 6), (32, 48))
    assert all(torch.allclose(outputs[name], before[name], atol=1e-5) for name in before)


def test_hooks_go_even_after_an_error(predictor):
    with pytest.raises(ValueError, match="wanted"), recording(predictor.model):
        predictor.model(torch.zeros(1, 3, 5, 5))
    assert not any(module._forward_hooks for module in predictor.model.modules())


def test_components_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    spread = np.array([9.0, 4.0, 2.0, 0.1, 0.1])
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    features = [(rng.normal(size=(h * w, 5)) * spread @ turn.T).T.reshape(5, h, w) for h, w in ((8, 9), (7, 6))]
    found = principal_colours(features)
    assert [pixels.shape for pixels in found.pixels] == [(8, 9, 3), (7, 6, 3)]
    joined = np.concatenate([maps.reshape(5, -1).T for maps in features])
    centred = joined - joined.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    assert found.share == pytest.approx((values[:3] ** 2).sum() / (values**2).sum())
    colours = np.concatenate([pixels.reshape(-1, 3) for pixels in found.pixels]).astype(float)
    for place, axis in enumerate(axes[:3]):
        score = centred @ (axis * np.sign(axis[np.abs(axis).argmax()]))
        low, high = np.percentile(score, (1, 99))
        wanted = 255 * ((score - low) / (high - low)).clip(0, 1)
        assert np.abs(colours[:, place] - wanted).max() <= 0.51


def test_colours_do_not_depend_on_chance_or_on_a_shift():
    features = [np.random.default_rng(1).normal(size=(16, 5, 5)).astype(np.float32)]
    first = principal_colours(features)
    torch.manual_seed(5)
    np.random.seed(5)
    assert np.array_equal(principal_colours(features).pixels[0], first.pixels[0])
    assert np.abs(principal_colours([features[0] + 3]).pixels[0].astype(int) - first.pixels[0]).max() <= 1


def test_few_and_empty_components_are_grey():
    flat = principal_colours([np.ones((4, 3, 3))])
    assert (flat.pixels[0] == 128).all()
    assert flat.share == 0
    line = np.zeros((4, 1, 9))
    line[0, 0] = np.arange(9)
    found = principal_colours([line])
    assert found.share == pytest.approx(1)
    assert (found.pixels[0][..., 1:] == 128).all()
    assert (np.diff(found.pixels[0][0, :, 0].astype(int)) > 0).all()
    with pytest.raises(ValueError, match="one number of channels"):
        principal_colours([np.ones((4, 3, 3)), np.ones((5, 3, 3))])


def test_padding_is_left_out(predictor):
    (found,) = record_features(predictor, [np.full((20, 48, 3), 90, np.uint8)])
    # 20 of 32 rows, in the middle: rows 6 to 26, patches 0 to 4
    assert found.features["", 1].shape == (32, 4, 6)
    item = predictor.prepare(np.full((10, 48, 3), 90, np.uint8))
    (thin,) = record_features(predictor, [np.full((10, 48, 3), 90, np.uint8)])
    height, width = item.tensor.shape[1] // 8, item.tensor.shape[2] // 8
    assert thin.features["", 1].shape[1] <= height
    assert thin.features["depth", FUSED].shape[2] <= width


def test_figure_has_a_row_for_each_task_and_photo():
    torch.manual_seed(0)
    predictor = Predictor(create_model("pamm_tiny", tasks=["depth", "edge"], **MICRO, skipped_stages=1))
    found = record_features(predictor, PHOTOS)
    assert {key[1] for key in found[0].features if key[0]} == {2, 3, 4, FUSED}
    figure = feature_figure(found, predictor.tasks[:1], dpi=60)
    labels = [text.get_text() for text in figure.texts]
    assert (labels.count("Encoder"), labels.count("Depth")) == (2, 2)
    # photo and four taps; map, three stages and their fusion
    assert len(figure.axes) == 2 * (5 + 5)
    with pytest.raises(ValueError, match="no photo"):
        feature_figure([], predictor.tasks)
