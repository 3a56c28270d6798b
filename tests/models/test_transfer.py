"""Starting from another network's weights."""

import dataclasses

import torch

from pamm.models import create_model
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
