"""Starting from another network's weights."""

import dataclasses

import pytest
import torch

from pamm.models import create_model
from pamm.models.backbone import resize_position
from pamm.models.transfer import task_rows, transfer_weights
from pamm.tasks import TASKS
from toys import MICRO


def build(seed, *names, **overrides):
    torch.manual_seed(seed)
    return create_model("pamm_tiny", tasks=[TASKS[name] for name in names], **(MICRO | overrides)).eval()


def test_tasks_keep_their_weights_in_any_order_and_number():
    source = build(1, "semseg", "depth", "edge")
    target = build(2, "edge", "semseg")
    result = transfer_weights(source, target)
    assert not result.fresh
    image = torch.rand(1, 3, 32, 48)
    ours, theirs = target(image), source(image)
    for name in ("edge", "semseg"):
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-4)


def test_a_head_with_other_classes_starts_anew():
    source, target = build(1, "semseg", "depth"), build(2, "semseg", "depth")
    few = dataclasses.replace(TASKS["semseg"], channels=5, class_names=(), colours=())
    target = create_model(dataclasses.replace(target.config, tasks=(few, TASKS["depth"])))
    result = transfer_weights(source, target)
    assert result.fresh
    assert all("semseg" in name for name in result.fresh)
    assert len(result.taken) > 50


def test_a_new_task_keeps_its_own_start():
    source, target = build(1, "depth"), build(2, "depth", "saliency")
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    transfer_weights(source, target)
    for name, rows in task_rows(target).items():
        assert torch.equal(target.state_dict()[name][rows:], before[name][rows:]), name


def test_what_depends_on_the_grid_is_interpolated():
    source, target = build(1, "depth", "edge"), build(2, "edge", image_size=(64, 40))
    assert not transfer_weights(source, target).fresh
    grid = target.config.grid
    torch.testing.assert_close(target.encoder.position, resize_position(source.encoder.position, grid))
    ours, theirs = (model.stages[1].block.scan_parameters.experts.router for model in (target, source))
    torch.testing.assert_close(ours.place_weights(grid)[0], theirs.place_weights(grid)[1])
    image = torch.rand(1, 3, 64, 40)
    torch.testing.assert_close(target(image)["edge"], source(image)["edge"], rtol=1e-4, atol=1e-4)


def test_a_head_of_as_many_other_classes_starts_anew():
    source, target = build(1, "semseg", "depth"), build(2, "semseg", "depth")
    names = tuple(reversed(TASKS["semseg"].class_names))
    other = dataclasses.replace(TASKS["semseg"], class_names=names)
    target = create_model(dataclasses.replace(target.config, tasks=(other, TASKS["depth"])))
    before = target.heads.heads["semseg"].predict.weight.clone()
    result = transfer_weights(source, target)
    assert result.fresh == ("heads.heads.semseg.predict.bias", "heads.heads.semseg.predict.weight")
    assert torch.equal(target.heads.heads["semseg"].predict.weight, before)


def test_weights_of_another_network_are_refused():
    target = build(2, "depth")
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(ValueError, match=r"encoder_width 128 instead of 32.*from preset pamm_tiny, or start without"):
        transfer_weights(create_model("pamm_tiny"), target)
    with pytest.raises(ValueError, match=r"encoder_width 32 instead of 48\): .*config.json of the weights"):
        transfer_weights(target, build(1, "depth", encoder_width=48))
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())
