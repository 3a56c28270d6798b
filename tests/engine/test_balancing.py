"""Ways of balancing in training runs on a micro network."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from pamm.engine.balancing import BalanceConfig, build_balancer
from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.fit import fit
from pamm.engine.module import PAMMModule
from pamm.losses.balance import GradientBalancer
from pamm.losses.balance.gradient_balancer import task_gradients
from pamm.models import create_model
from pamm.tasks import get_tasks
from toys import MICRO, Rectangles

CONFIGS = {
    "uncertainty": BalanceConfig(name="uncertainty"),
    "dwa": BalanceConfig(name="dwa", window=1),
    "gradnorm": BalanceConfig(name="gradnorm"),
    "pcgrad": BalanceConfig(name="pcgrad"),
    "db_mtl": BalanceConfig(name="db_mtl", momentum=0.5),
}
ON_GRADIENTS = ("gradnorm", "pcgrad", "db_mtl")


def run(folder, balance, *, steps, resume=False, run_options=None, **options):
    data = Rectangles(get_tasks(["semseg", "depth", "edge"]))
    torch.manual_seed(0)
    network = create_model("pamm_tiny", tasks=data.tasks, **MICRO)
    settings = {"batch_size": 2, "lr": 1e-2, "name": "adamw", "load_balancing": 1e-3} | options
    return fit(
        network,
        data,
        data,
        optim=OptimConfig(steps=steps, **settings),
        run=RunConfig(
            out=str(folder), validate_every=2, log_every=1, workers=0, pictures=0, resume=resume, **(run_options or {})
        ),
        augment=AugmentConfig(scale=(1.0, 1.0)),
        balance=balance,
    )


def same(one, other):
    one, other = (load_file(folder / "model.safetensors") for folder in (one, other))
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("balance", CONFIGS.values(), ids=CONFIGS)
def test_a_resumed_run_ends_with_the_same_weights(balance, tmp_path, monkeypatch):
    run(tmp_path / "whole", balance, steps=4)
    run(tmp_path / "plain", BalanceConfig(), steps=4)
    step = PAMMModule.training_step

    def stop(self, batch, batch_idx):
        if self.global_step == 3:
            raise RuntimeError("the power went")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(PAMMModule, "training_step", stop)
        with pytest.raises(RuntimeError, match="the power went"):
            run(tmp_path / "parts", balance, steps=4)
    run(tmp_path / "parts", balance, steps=4, resume=True)
    assert same(tmp_path / "whole/last", tmp_path / "parts/last")
    assert not same(tmp_path / "whole/last", tmp_path / "plain/last")
    assert not any("balancer" in name for name in load_file(tmp_path / "whole/last/model.safetensors"))
    with next((tmp_path / "whole/log").rglob("metrics.csv")).open() as file:
        rows = list(csv.DictReader(file))
    for name in ("semseg", "depth", "edge"):
        weights = [float(row[f"train/weight/{name}"]) for row in rows if row[f"train/weight/{name}"]]
        assert len(weights) == 4
        assert all(weight >= 0 for weight in weights)


@pytest.mark.parametrize("name", ON_GRADIENTS)
def test_recomputed_activations_change_nothing(name, tmp_path):
    for folder, recompute in (("plain", False), ("other", True)):
        run(tmp_path / folder, CONFIGS[name], steps=2, run_options={"recompute": recompute})
    assert same(tmp_path / "plain/last", tmp_path / "other/last")


@pytest.mark.parametrize("name", ON_GRADIENTS)
def test_gradients_are_combined_in_full_precision(name, tmp_path):
    run(tmp_path / "run", CONFIGS[name], steps=2, run_options={"precision": "bf16-mixed"})
    weights = load_file(tmp_path / "run/last/model.safetensors")
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_only_what_several_tasks_use_is_shared():
    """The encoder is shared, heads are not, nor what holds the tasks' own numbers side by side."""
    data = Rectangles(get_tasks(["semseg", "depth", "edge"]))
    torch.manual_seed(0)
    network = create_model("pamm_tiny", tasks=data.tasks, stochastic_depth=0.0, **MICRO)
    named = dict(network.named_parameters())
    outputs = network(torch.randn(2, 3, 32, 48))
    losses = torch.stack([output.square().mean() for output in outputs.values()])
    gradients = task_gradients(losses, torch.ones(3, dtype=torch.bool), list(named.values()))
    shared = (gradients != 0).sum(dim=0) > 1
    parts = dict(zip(named, shared.split([parameter.numel() for parameter in named.values()]), strict=True))
    own = [part for name, part in parts.items() if name.startswith(("heads.", "fusion.")) or "task_conv" in name]
    assert not any(part.any() for part in own)
    encoder = torch.cat([part for name, part in parts.items() if name.startswith("encoder.") and "bias" not in name])
    assert encoder.float().mean() > 0.999


@pytest.mark.parametrize("balance", CONFIGS.values(), ids=CONFIGS)
def test_one_task_is_trained_alone(balance):
    network = create_model("pamm_tiny", tasks=get_tasks(["depth"]), **MICRO)
    trained = list(network.parameters())
    loss = network(torch.randn(2, 3, 32, 48))["depth"].square().mean()
    plain = torch.cat([gradient.flatten() for gradient in torch.autograd.grad(loss, trained, retain_graph=True)])
    build_balancer(balance, network)({"depth": loss}, {"depth": True}, parameters=trained).backward()
    found = torch.cat([parameter.grad.flatten() for parameter in trained])
    assert torch.cosine_similarity(found, plain, dim=0) > 0.9999


@pytest.mark.parametrize("balance", CONFIGS.values(), ids=CONFIGS)
def test_what_combines_gradients_needs_them_whole(balance, tmp_path):
    network = create_model("pamm_tiny", tasks=get_tasks(["depth"]), **MICRO)
    assert balance.whole_gradients == isinstance(build_balancer(balance, network), GradientBalancer)
    if balance.whole_gradients:
        with pytest.raises(ValueError, match="fsdp leaves each process a part"):
            run(tmp_path / "run", balance, steps=2, run_options={"strategy": "fsdp", "devices": 2})
