"""Losses: the released values and gradients, ignored pixels, batches without labels."""

import doctest
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import pamm.losses.experts
import pamm.losses.pixels
from pamm.losses import LOSSES, load_balancing_loss, multi_task_loss
from pamm.tasks import IGNORE, TASKS, get_tasks
from toys import ALBEDO


def of(name, **changes):
    task = TASKS[name]
    if "channels" in changes:
        changes |= {"class_names": (), "colours": ()}
    return replace(task, **changes)


CASES = {
    "depth_l1": of("depth"),
    "depth_l1_no_ignore": of("depth", ignore=-1.0, valid_range=None),
    "edge_bce_w0.88": of("edge"),
    "edge_bce_w0.95": of("edge", positive_weight=0.95),
    "normals_l1": of("normals", ignore=IGNORE),
    "sal_balanced_ce": of("saliency"),
    "semseg_ce": of("semseg", channels=5),
    "semseg_ce_all_ignored": of("semseg", channels=5),
}


@pytest.fixture(scope="module")
def golden(shared):
    return load_file(shared / "golden/losses_scores/tensors.safetensors")


def random_pair(task, *, height=5, width=7):
    output = torch.randn(2, task.channels, height, width, requires_grad=True)
    if task.classes:
        label = torch.randint(task.classes, (2, 1, height, width)).to(task.label_dtype)
    else:
        label = torch.rand(2, task.channels, height, width) + 0.1
    return output, label


@pytest.mark.parametrize("name", CASES)
def test_released_value_and_gradient(golden, name):
    task = CASES[name]
    pred, gt, loss, grad = (golden[f"losses/{name}/{part}"] for part in ("pred", "gt", "loss", "grad"))
    pred.requires_grad_(True)
    found = LOSSES[task.loss](pred, gt.to(task.label_dtype), task)
    found.backward()
    torch.testing.assert_close(found, loss, rtol=5e-7, atol=0)
    torch.testing.assert_close(pred.grad, grad, rtol=1e-5, atol=1e-9)


def test_released_sum_of_pascal_context(golden, shared):
    released = {
        "semseg": "semseg",
        "human_parts": "human_parts",
        "saliency": "sal",
        "edge": "edge",
        "normals": "normals",
    }
    tasks = (
        of("semseg", channels=21),
        of("human_parts"),
        of("saliency"),
        of("edge", positive_weight=0.95),
        of("normals", ignore=IGNORE),
    )
    weights = json.loads((shared / "golden/losses_scores/values.json").read_text())
    assert all(task.loss_weight == weights[f"losses/pascal_total/weights/{released[task.name]}"] for task in tasks)
    case = {
        part: {task.name: golden[f"losses/pascal_total/{part}/{released[task.name]}"] for task in tasks}
        for part in ("pred", "gt", "losses")
    }
    total, losses = multi_task_loss(case["pred"], case["gt"], tasks)
    torch.testing.assert_close(losses, case["losses"], rtol=5e-7, atol=0)
    torch.testing.assert_close(total, golden["losses/pascal_total/losses/total"], rtol=5e-7, atol=0)


@pytest.mark.parametrize("name", TASKS)
def test_without_labels_the_loss_is_zero_and_has_a_gradient(name):
    task = TASKS[name]
    output = torch.randn(2, task.channels, 4, 5, requires_grad=True)
    label = torch.full((2, task.label_channels, 4, 5), task.ignore, dtype=task.label_dtype)
    loss = LOSSES[task.loss](output, label, task)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(output.grad, torch.zeros_like(output))


@pytest.mark.parametrize("name", TASKS)
def test_ignored_pixels_change_nothing_but_the_mean(name):
    task = TASKS[name]
    output, label = random_pair(task)
    cut = label.clone()
    cut[..., 4:] = task.ignore
    loss = LOSSES[task.loss](output, cut, task)
    loss.backward()
    torch.testing.assert_close(loss, LOSSES[task.loss](output[..., :4], label[..., :4], task))
    assert output.grad[..., 4:].abs().max() == 0
    assert output.grad[..., :4].abs().max() > 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["depth", "normals"])
def test_labels_that_are_no_numbers_do_not_count(name, bad):
    task = TASKS[name]
    output, label = random_pair(task)
    label[:, 0, 0, 0] = bad
    loss = LOSSES[task.loss](output, label, task)
    loss.backward()
    assert loss.isfinite()
    assert output.grad.isfinite().all()
    assert output.grad[..., 0, 0].abs().max() == 0


def test_depth_beyond_its_range_does_not_count():
    label = torch.tensor([1.0, 80.0, 200.0]).view(1, 1, 1, 3)
    assert LOSSES["l1"](torch.zeros(1, 1, 1, 3), label, TASKS["depth"]).item() == 1


def test_squared_error_and_its_gradient():
    label = torch.tensor([1.0, 70.0, 200.0, 255.0]).view(1, 1, 1, 4)
    output = torch.tensor([3.0, 69.0, 0.0, 0.0], requires_grad=True)
    loss = LOSSES["l2"](output.view(1, 1, 1, 4), label, TASKS["depth"])
    loss.backward()
    assert loss.item() == (4 + 1) / 2
    torch.testing.assert_close(output.grad, torch.tensor([2.0, -1.0, 0.0, 0.0]))


def test_balance_follows_the_batch():
    task = replace(TASKS["edge"], positive_weight=None)
    label = torch.tensor([1.0, 0.0, 0.0, 0.0, 255.0]).view(1, 1, 1, 5)
    found = LOSSES["balanced_bce"](torch.zeros(1, 1, 1, 5), label, task)
    torch.testing.assert_close(found, torch.tensor((0.75 + 3 * 0.25) / 4).mul(torch.tensor(2.0).log()))


def test_losses_are_float32_under_autocast():
    for task in TASKS.values():
        output, label = random_pair(task)
        assert LOSSES[task.loss](output.bfloat16(), label, task).dtype == torch.float32


def test_zero_vector_has_finite_gradient():
    output = torch.zeros(1, 3, 2, 2, requires_grad=True)
    LOSSES["unit_l1"](output, torch.ones(1, 3, 2, 2), TASKS["normals"]).backward()
    assert output.grad.isfinite().all()


def test_a_task_from_outside_brings_its_loss(monkeypatch):
    monkeypatch.setitem(LOSSES, "squared", lambda output, label, task, counts: (output - label).square().mean())
    albedo = replace(ALBEDO, loss="squared", loss_weight=2.0)
    output, label = torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    total, losses = multi_task_loss({"albedo": output}, {"albedo": label}, [albedo])
    assert (total.item(), losses["albedo"].item()) == (2, 1)


@pytest.mark.parametrize(
    ("outputs", "labels", "changes", "message"),
    [
        ({}, {"depth": (1, 1, 4, 4)}, {}, "no output among none"),
        ({"depth": (1, 1, 4, 4)}, {"edge": (1, 1, 4, 4)}, {}, "no label among edge"),
        ({"depth": (1, 1, 4, 4)}, {"depth": (1, 1, 8, 8)}, {}, r"label \(1, 1, 8, 8\)"),
        ({"depth": (1, 2, 4, 4)}, {"depth": (1, 1, 4, 4)}, {}, "wanted 1 output channels"),
        ({"depth": (1, 1, 4, 4)}, {"depth": (1, 1, 4, 4)}, {"loss": "l9"}, "no loss named 'l9'; known: cross_entropy"),
    ],
)
def test_wrong_input_is_named(outputs, labels, changes, message):
    tasks = [replace(TASKS["depth"], **changes)]
    with pytest.raises(ValueError, match=message):
        multi_task_loss(
            {name: torch.zeros(shape) for name, shape in outputs.items()},
            {name: torch.zeros(shape) for name, shape in labels.items()},
            tasks,
        )


def test_no_task_is_an_error():
    with pytest.raises(ValueError, match="no task"):
        multi_task_loss({}, {}, [])


def test_every_standard_task_names_a_loss():
    assert {task.loss for task in get_tasks(TASKS)} <= set(LOSSES)


def test_load_balancing_grows_with_unevenness_and_pulls_back():
    even, skewed = torch.full((3, 2, 4), 0.25), torch.tensor([0.7, 0.1, 0.1, 0.1]).expand(3, 2, 4)
    assert load_balancing_loss([even]).item() == 0
    torch.testing.assert_close(load_balancing_loss([skewed]), torch.tensor(1.08))
    torch.testing.assert_close(load_balancing_loss([even, skewed]), torch.tensor(0.54))
    gate = skewed.clone().requires_grad_()
    load_balancing_loss([gate]).backward()
    assert (gate.grad[..., 0] > 0).all()
    assert (gate.grad[..., 1:] < 0).all()


def test_load_balancing_of_closed_and_of_no_gates():
    assert load_balancing_loss([torch.zeros(2, 1, 4)]).item() == 0
    with pytest.raises(ValueError, match="no gates"):
        load_balancing_loss([])


def test_examples():
    assert doctest.testmod(pamm.losses.pixels).failed == 0
    assert doctest.testmod(pamm.losses.experts).failed == 0
