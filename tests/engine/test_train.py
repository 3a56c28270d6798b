"""Training runs on a micro network."""

import csv
from dataclasses import replace

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model

import pamm
from pamm.engine.config import AugmentConfig, ModelChoice, OptimConfig, RunConfig
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.evaluate import evaluate
from pamm.engine.fit import fit
from pamm.engine.module import PAMMModule
from pamm.engine.results.card import is_unedited
from pamm.engine.results.runs import read_scores
from pamm.engine.run_data import choose_tasks
from pamm.engine.survival.checkpoints import list_checkpoints
from pamm.engine.train import train
from pamm.losses import multi_task_loss
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import ALBEDO, MICRO, Rectangles

PLAIN = AugmentConfig(scale=(1.0, 1.0))


class Bare(Rectangles):
    """No photo has a label."""

    def __getitem__(self, index):
        return replace(super().__getitem__(index), labels={})


def run(folder, *, steps, data=None, resume=False, seed=0, lr=1e-2, recompute=False, every=2):
    data = data or Rectangles()
    torch.manual_seed(seed)
    network = create_model("pamm_tiny", tasks=data.tasks, **MICRO)
    return fit(
        network,
        data,
        data,
        optim=OptimConfig(steps=steps, batch_size=3, lr=lr, name="adamw", load_balancing=1e-3),
        run=RunConfig(
            out=str(folder),
            validate_every=every,
            log_every=1,
            workers=0,
            pictures=2,
            resume=resume,
            recompute=recompute,
        ),
        augment=AugmentConfig(),
    )


def test_recomputed_activations_change_nothing(tmp_path):
    plain, other = (
        load_file(run(tmp_path / name, steps=2, recompute=recompute) / "model.safetensors")
        for name, recompute in (("plain", False), ("other", True))
    )
    for name, tensor in plain.items():
        assert torch.equal(tensor, other[name]), name


def test_a_run_leaves_weights_logs_and_pictures(tmp_path):
    best = run(tmp_path / "run", steps=4)
    predictor = pamm.load(best)
    assert predictor(Rectangles()[0].image).depth.shape == (32, 48)
    assert (tmp_path / "run/last/model.safetensors").exists()
    assert len(list((tmp_path / "run/pictures").glob("*.png"))) == 2
    assert list((tmp_path / "run/tensorboard").rglob("events*"))
    with next((tmp_path / "run/log").rglob("metrics.csv")).open() as file:
        rows = list(csv.DictReader(file))
    assert {"train/loss", "val/loss", "val/semseg/mIoU", "val/depth/RMSE"} <= set(rows[0])
    losses = [float(row["train/loss"]) for row in rows if row["train/loss"]]
    assert len(losses) == 4


def test_weights_of_a_run_have_their_card_and_scores(tmp_path):
    data = DataConfig(length=2, height=32, width=48)
    model = ModelChoice(overrides={key: value for key, value in MICRO.items() if key != "image_size"})
    best = train(
        model=model,
        data=data,
        val=replace(data, seed=1),
        augment=PLAIN,
        optim=OptimConfig(steps=2, batch_size=2),
        run=RunConfig(out=str(tmp_path / "run"), validate_every=1, workers=0, pictures=0),
    )
    (scored,) = read_scores(best / "scores.json")
    network, set_ = pamm.load(best).model, open_dataset(replace(data, seed=1), canvas=(32, 48))
    expected = evaluate(network, set_)
    assert scored.result.images == 2
    for name, result in expected.tasks.items():
        assert scored.result.tasks[name].scores == pytest.approx(result.scores, nan_ok=True)
        assert scored.result.tasks[name].constant == pytest.approx(result.constant, nan_ok=True)
    card = (best / "README.md").read_text()
    assert is_unedited(card)
    assert "# run/best" in card
    assert "scenes (series 1, 2 scenes of 32×48 pixels), 2 images" in card
    (last,) = read_scores(tmp_path / "run/last/scores.json")
    assert last.result.run.trained == (
        "2 of 2 steps of 2 images of scenes (series 0, 2 scenes of 32×48 pixels) with adam, learning rate 1e-05."
    )
    assert last.name == "run/last"


def test_a_resumed_run_ends_with_the_same_weights(tmp_path, monkeypatch):
    run(tmp_path / "whole", steps=6)
    from pamm.engine.callbacks import KeepWeights

    keep = KeepWeights.on_train_batch_start

    def stop(self, trainer, module, batch, batch_idx):
        if trainer.global_step == 3:
            raise RuntimeError("the power went")
        keep(self, trainer, module, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(KeepWeights, "on_train_batch_start", stop)
        with pytest.raises(RuntimeError, match="power"):
            run(tmp_path / "parts", steps=6)
    torch.manual_seed(99)
    run(tmp_path / "parts", steps=6, resume=True)
    whole = load_file(tmp_path / "whole/last/model.safetensors")
    parts = load_file(tmp_path / "parts/last/model.safetensors")
    assert set(whole) == set(parts)
    for name, tensor in whole.items():
        assert torch.equal(tensor, parts[name]), name


def test_a_finished_run_learns_in_every_step_that_is_added(tmp_path):
    first, again = (
        load_file(run(tmp_path / "run", steps=steps, every=1, resume=steps > 2).parent / "last/model.safetensors")
        for steps in (2, 3)
    )
    assert not torch.equal(first["fusion.join.weight"], again["fusion.join.weight"])


def test_the_last_checkpoint_is_of_the_last_step_even_if_another_is_better(tmp_path, monkeypatch):
    def ever_worse(self, batch, batch_idx):
        self.log("val/loss", float(self.global_step))

    monkeypatch.setattr(PAMMModule, "validation_step", ever_worse)
    run(tmp_path / "run", steps=6)
    found = list_checkpoints(tmp_path / "run")
    assert [step for step, _ in found] == [6, 4, 2]
    assert [torch.load(path, weights_only=True)["global_step"] for _, path in found] == [6, 4, 2]


def test_without_a_label_to_validate_on_the_latest_weights_are_the_best(tmp_path):
    empty = Bare()
    with pytest.warns(UserWarning, match="validation images have no labels at all"):
        run(tmp_path, steps=4, data=empty)
    best, last = (load_file(tmp_path / name / "model.safetensors") for name in ("best", "last"))
    assert all(torch.equal(best[name], last[name]) for name in last)


def test_a_task_from_outside_is_learnt(tmp_path):
    data = Rectangles([ALBEDO, *TASKS.values()])
    best = run(tmp_path / "run", steps=40, data=data)
    prediction = pamm.load(best)(data[0].image)
    assert prediction.albedo.shape == (32, 48, 3)
    with next((tmp_path / "run/log").rglob("metrics.csv")).open() as file:
        losses = [float(row["val/loss/albedo"]) for row in csv.DictReader(file) if row["val/loss/albedo"]]
    assert losses[-1] < 0.6 * losses[0]
    assert evaluate(pamm.load(best).model, data).tasks["albedo"].value < 1


def test_every_parameter_gets_a_gradient():
    data = Rectangles()
    from pamm.data.sample import to_tensors

    network = create_model("pamm_tiny", tasks=data.tasks, stochastic_depth=0.0, **MICRO)
    batch = [to_tensors(data[i], data.tasks, mean=network.config.mean, std=network.config.std) for i in range(3)]
    labels = {task.name: torch.stack([item["labels"][task.name] for item in batch]) for task in data.tasks}
    total, _ = multi_task_loss(network(torch.stack([item["image"] for item in batch])), labels, data.tasks)
    total.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # a bias in front of a batch norm has no effect: its gradient is rounding noise, at times exactly 0
        assert name.endswith("bias") or parameter.grad.any(), name


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path):
    run(tmp_path / "run", steps=2)
    found = list_checkpoints(tmp_path / "run")
    with pytest.raises(ValueError, match="already holds a run"):
        run(tmp_path / "run", steps=2)
    assert list_checkpoints(tmp_path / "run") == found


def test_contradictions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkpoint to resume"):
        run(tmp_path / "none", steps=2, resume=True)
    with pytest.raises(ValueError, match=r"multiple of run\.validate_every"):
        run(tmp_path / "none", steps=3)
    with pytest.raises(ValueError, match="no task with labels in the data 'albedo'"):
        choose_tasks(tuple(TASKS.values()), ["albedo"], {}, {})
    with pytest.raises(ValueError, match="no task to give a loss 'dept': did you mean 'depth'"):
        choose_tasks(tuple(TASKS.values()), None, {"dept": "l2"}, {})
    with pytest.raises(ValueError, match="no loss 'l3': known: cross_entropy"):
        choose_tasks(tuple(TASKS.values()), None, {"depth": "l3"}, {})
    with pytest.raises(ValueError, match="needs a manifest"):
        train(data=DataConfig(name="folder"))
    with pytest.raises(ValueError, match="belong to data on the disk"):
        DataConfig(manifest="x.yaml")
    with pytest.raises(ValueError, match="lr must be greater than 0"):
        OptimConfig(lr=0)
    assert not (tmp_path / "none").exists()


def test_losses_their_weights_and_subsets():
    tasks = choose_tasks(tuple(TASKS.values()), ["depth", "edge"], {"depth": "l2", "semseg": "l1"}, {"edge": 7.0})
    chosen = [(task.name, task.loss, task.loss_weight) for task in tasks]
    assert chosen == [("depth", "l2", 1.0), ("edge", TASKS["edge"].loss, 7.0)]


def test_the_input_follows_the_patches_of_a_pretrained_encoder(tmp_path):
    sizes = {"hidden_size": 12, "num_hidden_layers": 4, "num_attention_heads": 2, "mlp_ratio": 2}
    Dinov2Model(Dinov2Config(patch_size=14, image_size=28, **sizes)).save_pretrained(tmp_path / "dinov2")
    settings = {
        "model": ModelChoice(encoder_weights=str(tmp_path / "dinov2"), overrides={"d_model": 8, "norm_groups": 2}),
        "augment": PLAIN,
        "optim": OptimConfig(steps=1, batch_size=1),
        "tasks": ["depth"],
    }
    data, val = DataConfig(length=1), DataConfig(length=1, seed=1)
    where = RunConfig(out=str(tmp_path / "run"), validate_every=1, workers=0)
    assert pamm.load(train(data=data, val=val, run=where, **settings)).model.config.image_size == (126, 154)
    with pytest.raises(ValueError, match=r"multiples of patch_size = 14"):
        train(data=replace(data, height=40), val=val, run=replace(where, out=str(tmp_path / "none")), **settings)


def test_training_on_scenes_from_other_weights(tmp_path):
    size = {"height": 32, "width": 48}
    settings = {
        "data": DataConfig(length=4, **size),
        "val": DataConfig(length=2, seed=1, **size),
        "augment": PLAIN,
        "optim": OptimConfig(steps=2, batch_size=2),
    }
    sizes = {key: value for key, value in MICRO.items() if key != "image_size"}
    first = train(
        model=ModelChoice(overrides=sizes),
        run=RunConfig(out=str(tmp_path / "first"), validate_every=2, workers=0),
        **settings,
    )
    second = train(
        model=ModelChoice(overrides=sizes, init=str(first)),
        run=RunConfig(out=str(tmp_path / "second"), validate_every=2, workers=1, seed=5),
        tasks=["normals", "depth"],
        loss_weights={"normals": 2.0},
        **settings,
    )
    assert [task.name for task in pamm.load(second).model.config.tasks] == ["normals", "depth"]
    record = yaml.safe_load((tmp_path / "second/config.yaml").read_text())
    assert record["loss_weights"] == {"normals": 2.0}
    assert record["run"]["seed"] == 5
