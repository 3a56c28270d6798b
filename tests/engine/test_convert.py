"""Checkpoints of the released code: there and back, and those that are refused."""

import json
import os
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from pamm.cli import main
from pamm.engine.convert import convert
from pamm.engine.weights import load_weights, save_weights
from pamm.models import PAMMConfig, create_model
from pamm.models.build import RELEASED, RELEASED_FORM
from pamm.models.released import from_released, to_released
from pamm.tasks import TASKS, get_tasks

SIZES = {
    "tasks": get_tasks(["depth", "saliency"]),
    "image_size": (32, 48),
    "encoder_width": 64,
    "encoder_depth": 4,
    "encoder_heads": 1,
    "d_model": 32,
    "d_state": 3,
}
KNOWN = {"image_size": (32, 48)}
FORMS = [
    {},
    {"expert_kernel": 1},
    {"experts_b": False},
    {"experts_b": False, "experts_c": False},
    {"task_conv": False, "local_branch": True},
    {"skipped_stages": 2},
    {"scan": False},
    {"learn_state": True, "scan_kind": "z", "image_size": (48, 64), "mean": (0.5, 0.5, 0.5), "prior_c": False},
]


def network(**changes):
    torch.manual_seed(3)
    model = create_model(PAMMConfig(**(SIZES | RELEASED_FORM | {"expert_kernel": 3} | changes)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint as a parallel training of the released code leaves it, and the network it was made of."""
    model = network()
    save_weights(model, tmp_path / "ours")
    convert(tmp_path / "ours", tmp_path / "whole.pth")
    content = torch.load(tmp_path / "whole.pth", weights_only=True)
    state = {f"module.{name}": tensor for name, tensor in content["model"].items()}
    path = tmp_path / "released.pth"
    torch.save({"model": state, "iter": 40_000}, path)
    return path


@pytest.mark.parametrize("changes", FORMS, ids=str)
def test_there_and_back_is_the_identity(tmp_path, changes):
    model = network(**changes)
    save_weights(model, tmp_path / "ours")
    convert(tmp_path / "ours", tmp_path / "released.pth")
    convert(tmp_path / "released.pth", tmp_path / "again")
    assert (tmp_path / "ours/model.safetensors").read_bytes() == (tmp_path / "again/model.safetensors").read_bytes()
    ours, theirs = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("ours", "again"))
    assert ours == theirs
    again = load_weights(tmp_path / "again")
    image = torch.randn(1, 3, *model.config.image_size)
    with torch.no_grad():
        for name, output in model(image).items():
            assert torch.equal(again(image)[name], output)


def test_back_and_there_is_the_identity(tmp_path, shared):
    """Tensors of the released code come back bit for bit, but for those that nothing reads."""
    source = shared / "golden/h_6x8_k9/state_dict.safetensors"
    done = convert(source, tmp_path / "ours", image_size=(96, 128), encoder_heads=3)
    convert(tmp_path / "ours", tmp_path / "back.pth")
    wanted, got = load_file(source), torch.load(tmp_path / "back.pth", weights_only=True)["model"]
    assert wanted.keys() == got.keys()
    read = [name for name in wanted if ".conv2d0." not in name]
    assert len(read) == done.tensors
    changed = {name for name in read if not torch.equal(wanted[name], got[name])}
    assert changed == {"backbone.pos_embed"}
    assert torch.equal(wanted["backbone.pos_embed"][:, 1:], got["backbone.pos_embed"][:, 1:])
    assert all(wanted[name].shape == got[name].shape for name in wanted)


def test_what_a_checkpoint_lacks_is_set_and_said(tmp_path, shared, capsys):
    source = shared / "golden/h_6x8_k9/state_dict.safetensors"
    out = tmp_path / "ours"
    assert main(["convert", str(source), "-o", str(out), "--overrides", "{image_size: [96, 128]}"]) == 0
    said = capsys.readouterr().out
    for words in ("A_log = log(1)", "D = 1", "priors = 0", "encoder_heads = 1", "scan_kind = hilbert", "472 tensors"):
        assert words in said
    assert "image_size" not in said
    block = load_weights(out).stages[3].block
    torch.testing.assert_close(block.A_log[1, 7].exp(), torch.arange(1.0, 5))
    assert (block.D == 1).all()
    assert not block.scan_parameters.priors["C"].any()


def edit(path, change):
    content = torch.load(path, weights_only=True)
    change(content["model"])
    torch.save(content, path)


def drop(name):
    return lambda state: state.pop(f"module.{name}")


def grow(name):
    def change(state):
        state[f"module.{name}"] = torch.cat((state[f"module.{name}"], state[f"module.{name}"][:1]))

    return change


STAGE = "backbone.stage_MTLoRA_mamba.1"
BROKEN = {
    "no patches": (drop("backbone.patch_embed.proj.weight"), "patch_embed.proj.weight is missing"),
    "no queries": (drop("backbone.blocks.2.attn.qkv.bias"), "1 missing .*blocks.2.attn.qkv.bias"),
    "no norm": (drop(f"{STAGE}.B_proj0.Bn.sal.weight"), "1 missing .*B_proj0.Bn.sal.weight"),
    "no expert": (drop(f"{STAGE}.C_proj0.MoE.14.W.weight"), "1 missing .*C_proj0.MoE.14.W.weight"),
    "no head": (drop("heads.sal.linear_pred.weight"), "without a place"),
    "one more": (
        lambda state: state.update({"backbone.extra": torch.ones(2)}),
        "1 without a place here .*backbone.extra",
    ),
    "a larger map": (
        grow(f"{STAGE}.first_decode.weight"),
        r"1 of another shape .*first_decode.weight \(33, 64, 3, 3\)",
    ),
    "a larger expert": (grow(f"{STAGE}.B_proj0.MoE.3.W.weight"), r"MoE.3.W.weight \(5, 64, 3, 3\) instead of \(4, 64"),
    "no network": (lambda state: state.clear() or state.update({"module.x": torch.ones(1)}), "linear_pred"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_checkpoints_are_refused(tmp_path, checkpoint, capsys, fault):
    change, message = BROKEN[fault]
    edit(checkpoint, change)
    refused(tmp_path, checkpoint, capsys, message)


def refused(tmp_path, path, capsys, message):
    with pytest.raises(ValueError, match=message):
        convert(path, tmp_path / "new/weights", **KNOWN)
    out = str(tmp_path / "new/weights")
    assert main(["convert", str(path), "-o", out, "--overrides", "{image_size: [32, 48]}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_files_are_refused(tmp_path, checkpoint, capsys, suffix):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".safetensors":
        save_file(torch.load(checkpoint, weights_only=True)["model"], tmp_path / "whole.safetensors")
        checkpoint = tmp_path / "whole.safetensors"
    path.write_bytes(checkpoint.read_bytes()[:-5000])
    refused(tmp_path, path, capsys, "not a whole checkpoint")


class Harmful:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("plain", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys, plain):
    path, trap = tmp_path / "harmful.pth", tmp_path / "trap"
    content = {"model": {"heads.depth.linear_pred.weight": Harmful(trap)}}
    if plain:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    refused(tmp_path, path, capsys, "Python objects")
    assert not trap.exists()


@pytest.mark.parametrize("content", [[1, 2], {"model": {}}, {"epoch": 3}, {"model": {"a": torch.ones(1), "b": 2}}])
def test_files_without_a_state_dict_are_refused(tmp_path, capsys, content):
    torch.save(content, tmp_path / "other.pth")
    refused(tmp_path, tmp_path / "other.pth", capsys, "holds no state dict")


def test_bare_state_dicts_in_half_precision(tmp_path, checkpoint):
    state = torch.load(checkpoint, weights_only=True)["model"]
    torch.save(
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}, checkpoint
    )
    convert(checkpoint, tmp_path / "ours", **KNOWN)
    model = load_weights(tmp_path / "ours")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    torch.testing.assert_close(model.stages[0].project.weight, network().stages[0].project.weight, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"local_mixing": "depthwise"}, "local_mixing 'depthwise' .'none' there"),
        ({"mixing_order": "mamba", "gate_renormalise": True}, "mixing_order.*gate_renormalise"),
        ({"scan_kind": "gilbert"}, "gilbert"),
        ({"encoder": "dinov2"}, "encoder 'dinov2'"),
    ],
)
def test_what_the_released_code_cannot_compute(tmp_path, changes, message):
    save_weights(network(**changes), tmp_path / "ours")
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / "ours", tmp_path / "released.pth")
    assert not (tmp_path / "released.pth").exists()


def test_a_missing_file_is_named(tmp_path, capsys):
    refused(tmp_path, tmp_path / "no.pth", capsys, "no checkpoint .*no.pth")


def test_sizes_that_cannot_be_told(tmp_path, checkpoint):
    with pytest.raises(ValueError, match=r"6 positions.*image_size"):
        convert(checkpoint, tmp_path / "ours")
    with pytest.raises(ValueError, match="overrides"):
        convert("pamm-tiny-scenes", tmp_path / "released.pth", image_size=(32, 48))
    with pytest.raises(ValueError, match="is a folder"):
        convert("pamm-tiny-scenes", tmp_path)


def test_tasks_of_the_released_configs_are_known():
    for data, config in RELEASED.items():
        model = network(tasks=config.tasks)
        state, _ = to_released(model)
        found = from_released(state, **KNOWN)
        assert found.model.config.tasks == config.tasks, data
        assert set(found.filled) == {"A_log", "D", "priors"}
    other = (replace(TASKS["semseg"], channels=5, class_names=(), colours=()),)
    state, _ = to_released(network(tasks=other))
    assert from_released(state, **KNOWN).model.config.tasks == other
