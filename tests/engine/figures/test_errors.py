"""Error maps against plain numpy."""

import dataclasses

import numpy as np
import pytest

from pamm.engine.colours import NEUTRAL
from pamm.engine.figures import Comparison, error_figure, error_map
from pamm.engine.figures.errors import colour_errors, error_legend, error_span
from pamm.metrics import task_scores
from pamm.tasks import TASKS
from toys import ALBEDO

ALL = (*TASKS.values(), ALBEDO)
SIZE = (9, 11)


def maps(task, seed=0):
    """Truth with a few pixels without label, and a prediction."""
    rng = np.random.default_rng(seed)
    if task.kind == "classes":
        truth = rng.integers(0, task.channels, SIZE).astype(np.uint8)
        predicted = np.where(rng.random(SIZE) < 0.5, truth, rng.integers(0, task.channels, SIZE)).astype(np.int32)
    elif task.kind == "binary":
        truth, predicted = (rng.random(SIZE) < 0.4).astype(np.uint8), rng.random(SIZE).astype(np.float32)
    else:
        shape = SIZE if task.channels == 1 else (*SIZE, task.channels)
        truth, predicted = (rng.random((2, *shape)) + 0.2).astype(np.float32)
    hidden = rng.random(SIZE) < 0.2
    truth[hidden] = task.ignore
    return truth, predicted, ~hidden


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_only_labels_count(task):
    truth, predicted, valid = maps(task)
    error = error_map(task, truth, predicted)
    assert (np.isfinite(error.values) == valid).all()
    pixels = colour_errors(error, error_span(error))
    assert (pixels[~valid] == NEUTRAL).all()
    assert not (pixels[valid] == NEUTRAL).all(axis=1).any()
    nothing = error_map(task, np.full_like(truth, task.ignore), predicted)
    assert np.isnan(nothing.summary)
    assert nothing.note == "no label"
    assert (colour_errors(nothing, error_span(nothing)) == NEUTRAL).all()


def test_classes():
    truth, predicted, valid = maps(TASKS["semseg"])
    error = error_map(TASKS["semseg"], truth, predicted)
    assert np.array_equal(error.values[valid], (truth != predicted)[valid])
    assert error.summary == pytest.approx(100 * (truth == predicted)[valid].mean())
    assert [words for _, words in error_legend([error], (0, 1)).swatches] == ["right", "wrong", "no label"]


def test_answers():
    task = TASKS["saliency"]
    truth = np.array([[0, 1, 0, 1, 255]], np.uint8)
    predicted = np.array([[0.1, 0.9, 0.5, 0.49, 0.9]], np.float32)
    error = error_map(task, truth, predicted)
    names = [error.outcomes[int(value)][1] for value in error.values[0, :4]]
    assert names == ["true negative", "true positive", "false positive", "false negative"]
    assert error.summary == pytest.approx(50.0)
    empty = np.zeros((2, 2), np.uint8)
    assert error_map(task, empty, empty.astype(np.float32)).summary == 100.0


@pytest.mark.parametrize("task", [TASKS["depth"], ALBEDO], ids=lambda task: task.name)
def test_values(task):
    truth, predicted, valid = maps(task)
    error = error_map(task, truth, predicted)
    squares = ((truth.astype(np.float64) - predicted) ** 2).reshape(*SIZE, -1).mean(axis=2)
    np.testing.assert_allclose(error.values[valid], np.sqrt(squares)[valid], rtol=1e-6)
    assert error.summary == pytest.approx(np.sqrt(squares[valid].mean()), rel=1e-6)
    assert error.error_unit == task.unit


def test_summaries_are_the_scores_of_an_image():
    """Root mean square and mean angle are what `pamm eval` would say of this image alone."""
    from pamm.data.sample import Sample, to_tensors

    for task in (TASKS["depth"], TASKS["normals"], ALBEDO):
        truth, predicted, _ = maps(task)
        sample = Sample(np.zeros((*SIZE, 3), np.uint8), {task.name: truth})
        label = to_tensors(sample, [task], mean=(0, 0, 0), std=(1, 1, 1))["labels"][task.name]
        score = task_scores([task])[task.name]
        output = to_tensors(
            dataclasses.replace(sample, labels={task.name: predicted}), [task], mean=(0, 0, 0), std=(1, 1, 1)
        )["labels"][task.name]
        score.update(output[None], label[None])
        assert error_map(task, truth, predicted).summary == pytest.approx(
            float(score.compute()[score.headline]), rel=1e-3
        )


def test_relative_values():
    truth, predicted, valid = maps(TASKS["depth"])
    error = error_map(TASKS["depth"], truth, predicted, relative=True)
    wanted = 100 * np.abs(predicted - truth)[valid] / truth[valid]
    np.testing.assert_allclose(error.values[valid], wanted, rtol=1e-5)
    assert error.summary == pytest.approx(wanted.mean(), rel=1e-5)
    with pytest.raises(ValueError, match="not positive"):
        error_map(ALBEDO, np.zeros((2, 2, 3), np.float32), np.ones((2, 2, 3), np.float32), relative=True)


def test_directions():
    task = TASKS["normals"]
    truth = np.array([[[0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 0]]], np.float32)
    predicted = np.array([[[0, 0, 5], [0, 1, 1], [-1, 0, 0], [1, 0, 0]]], np.float32)
    error = error_map(task, truth, predicted)
    np.testing.assert_allclose(error.values[0], [0, 45, 180, np.nan], atol=1e-4)
    assert error.note == "mean 75.0°"


def test_reach_and_numbers():
    first = error_map(TASKS["depth"], np.full((10, 10), 2.0, np.float32), np.full((10, 10), 2.5, np.float32))
    second = dataclasses.replace(first, values=first.values * 3)
    assert error_span(first, second) == pytest.approx((0, 1.5))
    assert error_legend([first], (0, 1.5)).ticks == ("0 m", "0.75 m", "≥ 1.5 m")
    same = dataclasses.replace(first, values=first.values * 0)
    assert error_span(same) == (0.0, 1.0)


def test_maps_that_do_not_fit():
    truth, predicted, _ = maps(TASKS["depth"])
    with pytest.raises(ValueError, match=r"depth: the truth has shape \(9, 11\), the prediction \(9, 10\)"):
        error_map(TASKS["depth"], truth, predicted[:, :-1])
    predicted[truth > 0] = np.nan
    with pytest.raises(ValueError, match=r"not finite at [0-9]+ pixels"):
        error_map(TASKS["depth"], truth, predicted)


def test_figure_of_every_kind_of_task(comparisons):
    figure = error_figure(comparisons, ALL, width=9.0, dpi=60)
    texts = [text.get_text() for text in figure.texts]
    assert {word for task in ALL for word in task.title.split()} <= {word for text in texts for word in text.split()}
    assert texts.count("Ours: error") == 3
    notes = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    # the third image has no label of the last task
    assert len(notes) == 3 * len(ALL) - 1
    wanted = error_map(ALL[1], comparisons[0].truth["depth"], comparisons[0].predictions["Ours"]["depth"]).note
    assert wanted in notes
    with pytest.raises(ValueError, match="nothing to compare"):
        error_figure([dataclasses.replace(comparisons[0], truth={})], ALL)


def test_two_who_predict_share_colours(comparisons):
    one = comparisons[0]
    ours = one.predictions["Ours"]
    both = Comparison(one.name, one.image, one.truth, {"A": ours, "B": {"depth": one.truth["depth"] + 5}})
    figure = error_figure([both], [TASKS["depth"]], dpi=60)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.get_xlabel()]
    alone = error_figure([one], [TASKS["depth"]], dpi=60)
    (alone_shown,) = (axes.images[0].get_array() for axes in alone.axes if axes.get_xlabel())
    assert len(shown) == 2
    assert not np.array_equal(shown[0], alone_shown)
    assert (shown[1] == shown[1][0, 0]).all()
