"""Scores: the published values, other implementations, ignored pixels, many processes."""

import doctest
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchmetrics.functional.classification import binary_average_precision, multiclass_jaccard_index

import pamm.metrics
from pamm.losses.pixels import balanced_bce
from pamm.metrics import CONSTANTS, SCORES, best_constants, boundary, errors, functional, task_scores
from pamm.metrics.classes import MaxF
from pamm.tasks import IGNORE, TASKS, get_tasks
from score_toys import TESTED, batches, merged, scored
from toys import ALBEDO


@pytest.fixture(scope="module")
def golden(shared):
    folder = shared / "golden/losses_scores"
    return load_file(folder / "tensors.safetensors"), json.loads((folder / "values.json").read_text())


def classes_of(name, channels):
    return replace(TASKS[name], channels=channels, class_names=(), colours=())


GOLDEN = {
    "semseg_nyu": (TASKS["semseg"], {"mIoU": "mIoU"}),
    "semseg_pascal": (classes_of("semseg", 21), {"mIoU": "mIoU"}),
    "human_parts": (TASKS["human_parts"], {"mIoU": "mIoU"}),
    "sal": (TASKS["saliency"], {"maxF": "maxF"}),
    "normals": (replace(TASKS["normals"], ignore=IGNORE), {"mean": "mErr"}),
    "depth": (
        TASKS["depth"],
        {"rmse": "RMSE", "log_rmse": "log_RMSE", "abs_rel": "abs_rel", "sq_rel": "sq_rel"},
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_published_value(golden, name):
    tensors, values = golden
    task, names = GOLDEN[name]
    logits, gt = (tensors[f"meters/{name}/{part}"] for part in ("logits", "gt"))
    # one image at a time: the score is over the set
    found = scored(task, zip(logits.split(1), gt.split(1), strict=True)).compute()
    for released, ours in names.items():
        assert found[ours].item() == pytest.approx(values[f"meters/{name}/score/{released}"], rel=5e-7)


def test_released_boundary_meter_is_the_loss_of_the_probability(golden):
    tensors, values = golden
    task = replace(TASKS["edge"], positive_weight=0.95)
    found = balanced_bce(tensors["meters/edge/logits"].sigmoid(), tensors["meters/edge/gt"], task)
    assert found.item() == pytest.approx(values["meters/edge/score/loss"], rel=5e-7)


@pytest.mark.parametrize("name", TESTED)
def test_headline_comes_first(name):
    task = TESTED[name]
    score = scored(task, batches(task))
    values = score.compute()
    assert next(iter(values)) == score.headline
    assert all(value.ndim == 0 and value.isfinite() for value in values.values())
    assert isinstance(score.higher_is_better, bool)
    assert score.unit == ("" if task is ALBEDO else task.unit or "%")


@pytest.mark.parametrize("name", TESTED)
def test_processes_add_up(name):
    task = TESTED[name]
    pairs = list(batches(task, count=4))
    whole, first, second = scored(task, pairs), scored(task, pairs[:1]), scored(task, pairs[1:])
    torch.testing.assert_close(merged(first, second).compute(), whole.compute(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", TESTED)
def test_ignored_pixels_do_not_count(name):
    task = TESTED[name]
    pairs = list(batches(task))
    noisy = [(torch.where(task.valid(label), output, 100.0), label) for output, label in pairs]
    assert scored(task, noisy).compute() == scored(task, pairs).compute()


@pytest.mark.parametrize("name", TESTED)
def test_without_labels_scores_are_finite(name):
    task = TESTED[name]
    label = torch.full((1, task.label_channels, 3, 4), task.ignore, dtype=task.label_dtype)
    values = scored(task, [(torch.randn(1, task.channels, 3, 4), label)]).compute()
    assert all(value.item() == 0 for value in values.values())
    constant = best_constants([task])[task.name]
    constant.update(label)
    assert constant.compute().item() == 0


@pytest.mark.parametrize("name", TESTED)
def test_a_diverged_network_still_has_a_table(name):
    task = TESTED[name]
    ((_, label),) = batches(task, count=1)
    score = scored(task, [(torch.full((2, task.channels, 9, 11), torch.nan), label)])
    values = score.compute()
    assert list(values) == list(scored(task, batches(task)).compute())
    assert all(value.ndim == 0 for value in values.values())
    # none of the numbers may look like a good one
    headline = values[score.headline]
    constant = best_constants([task])[task.name]
    constant.update(label)
    if score.higher_is_better:
        assert 0 <= headline <= constant.compute() + 1e-3
    else:
        assert headline.isnan()
    assert all(value == 0 for key, value in values.items() if key.startswith("within"))
    assert "median" not in values or values["median"] > 179


@pytest.mark.parametrize("name", TESTED)
def test_a_reset_score_starts_anew(name):
    task = TESTED[name]
    pairs = list(batches(task))
    score = scored(task, pairs[:1])
    score.reset()
    score.update(*pairs[1])
    assert score.compute() == scored(task, pairs[1:]).compute()


def test_miou_as_torchmetrics():
    task = TASKS["human_parts"]
    pairs = list(batches(task, count=3))
    output, label = (torch.cat(part) for part in zip(*pairs, strict=True))
    wanted = multiclass_jaccard_index(output.argmax(1), label[:, 0], task.channels, ignore_index=IGNORE)
    torch.testing.assert_close(scored(task, pairs).compute()["mIoU"], 100 * wanted)


def test_absent_class_counts_zero():
    task = classes_of("semseg", 4)
    label = torch.tensor([0, 0, 1, 1]).view(1, 1, 1, 4)
    output = torch.nn.functional.one_hot(label[:, 0], 4).movedim(-1, 1).float()
    assert scored(task, [(output, label)]).compute()["mIoU"].item() == 50


def test_yes_no_question_as_two_classes():
    task = replace(TASKS["edge"], score="miou")
    label = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(1, 1, 1, 4)
    output = torch.tensor([-1.0, 1.0, 1.0, 1.0]).view(1, 1, 1, 4)
    assert scored(task, [(output, label)]).compute()["mIoU"].item() == pytest.approx(100 * (1 / 2 + 2 / 3) / 2)


def test_label_beyond_the_classes_is_named():
    with pytest.raises(ValueError, match="human_parts: got label 9, but the classes are 0 to 6"):
        scored(TASKS["human_parts"], [(torch.zeros(1, 7, 1, 1), torch.full((1, 1, 1, 1), 9))])


@pytest.mark.parametrize("protocol", ["published", "plain"])
def test_max_f_as_numpy(protocol):
    task = TASKS["saliency"]
    ((output, label),) = batches(task, count=1)
    valid = label[:, 0].numpy() != IGNORE
    truth = label[:, 0].numpy()[valid] == 1
    probability = output.double().softmax(1)[:, 1].numpy()[valid]
    if protocol == "published":
        probability = 1 / (1 + np.exp(-probability))
    best = 0.0
    for threshold in np.arange(1, 20) / 20:
        guess = probability >= threshold
        precision, recall = (truth & guess).sum() / max(guess.sum(), 1), (truth & guess).sum() / truth.sum()
        best = max(best, 1.3 * precision * recall / max(0.3 * precision + recall, 1e-12))
    score = MaxF(task, protocol=protocol)
    score.update(output, label)
    values = score.compute()
    assert next(iter(values)) == score.headline == {"published": "maxF", "plain": "maxF_plain"}[protocol]
    assert values[score.headline].item() == pytest.approx(100 * best, rel=1e-6)


def test_published_protocol_cannot_say_no():
    task = TASKS["saliency"]
    output = torch.tensor([20.0, -20.0]).view(1, 2, 1, 1).expand(1, 2, 1, 4)
    values = scored(task, [(output, torch.tensor([1.0, 0.0, 0.0, 0.0]).view(1, 1, 1, 4))]).compute()
    assert values["maxF_plain"].item() == 0
    assert values["maxF"].item() == pytest.approx(100 * 1.3 * 0.25 / (0.3 * 0.25 + 1))


def test_boundary_precision_as_torchmetrics():
    task = TASKS["edge"]
    pairs = list(batches(task, count=3, height=40, width=40))
    output, label = (torch.cat(part) for part in zip(*pairs, strict=True))
    wanted = binary_average_precision(output.sigmoid(), label.long(), ignore_index=IGNORE)
    values = scored(task, pairs).compute()
    assert values["AP"].item() == pytest.approx(100 * wanted.item(), abs=0.1)
    assert values["base_rate"].item() == pytest.approx(100 * label[label != IGNORE].mean().item(), rel=1e-6)


def test_perfect_boundaries():
    task = TASKS["edge"]
    ((_, label),) = batches(task, count=1)
    assert scored(task, [(20 * label - 10, label)]).compute()["AP"].item() == 100


def test_regression_of_several_channels():
    task = replace(ALBEDO, valid_range=None)
    pairs = list(batches(task))
    error = torch.cat([(output - label)[task.valid(label).expand_as(label)] for output, label in pairs])
    values = scored(task, pairs).compute()
    assert list(values) == ["RMSE"]
    torch.testing.assert_close(values["RMSE"], error.square().mean().sqrt())


def test_depth_below_zero_counts_as_zero():
    values = scored(TASKS["depth"], [(torch.tensor([-9.0]).view(1, 1, 1, 1), torch.ones(1, 1, 1, 1))]).compute()
    assert values["RMSE"].item() == 1
    assert values["log_RMSE"].item() == pytest.approx(math.log(1000), rel=1e-6)


def test_angle_distribution():
    degrees = torch.tensor([0.0, 5.0, 11.0, 12.0, 25.0, 40.0, 179.0])
    output = torch.stack((degrees.deg2rad().sin(), torch.zeros(7), degrees.deg2rad().cos())).view(1, 3, 1, 7)
    label = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 1, 7)
    values = scored(TASKS["normals"], [(3 * output, label)]).compute()
    assert values["mErr"].item() == pytest.approx(degrees.mean().item(), rel=1e-6)
    assert values["median"].item() == pytest.approx(12, abs=0.06)
    found = [values[f"within_{limit}"].item() for limit in ("11.25", "22.5", "30")]
    assert found == pytest.approx([300 / 7, 400 / 7, 500 / 7])


def test_registries_agree():
    assert set(SCORES) == set(CONSTANTS)
    assert {task.score for task in get_tasks(TASKS)} <= set(SCORES)


def test_a_task_from_outside_brings_its_score(monkeypatch):
    class Bias(pamm.metrics.Score):
        pass

    monkeypatch.setitem(SCORES, "bias", Bias)
    task = replace(ALBEDO, score="bias")
    with pytest.raises(ValueError, match="no score named 'biass'; known: miou"):
        task_scores([replace(task, score="biass")])
    constant = best_constants([task])["albedo"]
    constant.update(torch.rand(1, 3, 2, 2))
    assert constant.compute().isnan()


@pytest.mark.parametrize("module", [functional, errors, boundary])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
