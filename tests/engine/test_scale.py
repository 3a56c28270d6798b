"""Settings of a run that say how it is carried out on one process: accumulation, precision, compilation, layout."""

from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from pamm.engine.config import AugmentConfig, OptimConfig, RunConfig
from pamm.engine.fit import fit
from pamm.engine.module import PAMMModule
from pamm.models import create_model
from pamm.tasks import get_tasks
from toys import MICRO, Rectangles


class Noted(Rectangles):
    """Rectangles that note which photos are read."""

    def __init__(self):
        super().__init__(get_tasks(["semseg", "depth"]))
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def run(folder, *, steps=2, batch_size=2, accumulate=1, data=None, **settings):
    """Train, and give the last weights."""
    val_set = Rectangles(get_tasks(["semseg", "depth"]), length=1)
    torch.manual_seed(0)
    network = create_model("pamm_tiny", tasks=val_set.tasks, **MICRO)
    fit(
        network,
        data or Noted(),
        val_set,
        optim=OptimConfig(steps=steps, batch_size=batch_size, accumulate=accumulate, lr=1e-3),
        run=RunConfig(
            out=str(folder), validate_every=2, log_every=1, workers=0, pictures=0, accelerator="cpu", **settings
        ),
        augment=AugmentConfig(),
    )
    return load_file(folder / "last/model.safetensors")


def assert_equal(found, wanted):
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def test_steps_of_several_batches_read_on_and_resume(tmp_path, monkeypatch):
    noise = []
    step = PAMMModule.training_step
    monkeypatch.setattr(PAMMModule, "training_step", lambda *args: (noise.append(torch.initial_seed()), step(*args))[1])
    monkeypatch.setattr(PAMMModule, "_rate", lambda self, step: 1.0)  # the schedule of a part would end with it
    large, small, first, rest = Noted(), Noted(), Noted(), Noted()
    run(tmp_path / "large", steps=4, batch_size=4, data=large)
    noise.clear()
    whole = run(tmp_path / "small", steps=4, accumulate=2, data=small)
    assert large.read == small.read
    assert len(set(noise)) == len(noise) == 8
    run(tmp_path / "parts", steps=2, accumulate=2, data=first)
    parts = run(tmp_path / "parts", steps=4, accumulate=2, data=rest, resume=True)
    assert first.read + rest.read[1:] == small.read
    assert_equal(parts, whole)


def test_half_precision_and_channels_last(tmp_path):
    weights = run(tmp_path / "run", precision="bf16-mixed", channels_last=True)
    assert all(tensor.isfinite().all() for tensor in weights.values())


@pytest.mark.parametrize("recompute", [False, True])
def test_compiled_training_is_the_same(tmp_path, monkeypatch, recompute):
    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    # Adam would make whole steps of the rounding noise in gradients that are 0
    monkeypatch.setattr(PAMMModule, "configure_optimizers", lambda self: torch.optim.SGD(self.parameters(), lr=1e-3))
    plain = run(tmp_path / "plain", recompute=recompute)
    compiled = run(tmp_path / "compiled", compile=True, recompute=recompute)
    for name, tensor in plain.items():
        torch.testing.assert_close(compiled[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


def test_the_run_must_have_as_many_processes_as_were_started(tmp_path, monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "test"), ("WORLD_SIZE", "8")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"torchrun started 8 processes, run.devices \(1\) times"):
        run(tmp_path / "run")


def test_parts_have_no_scaling_of_16_bit_gradients():
    with pytest.raises(ValueError, match="use bf16-mixed"):
        RunConfig(strategy="fsdp", precision="16-mixed")
