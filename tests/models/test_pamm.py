import dataclasses

import pytest
import torch

from pamm.models import PRESETS, PAMMConfig, create_model
from pamm.models.build import RELEASED_FORM
from pamm.tasks import get_tasks
from toys import ALBEDO


def image(*, batch: int = 2, height: int = 24, width: int = 32) -> torch.Tensor:
    return torch.randn(batch, 3, height, width)


def backward(model: torch.nn.Module, picture: torch.Tensor) -> None:
    outputs = model(picture)
    sum((output * torch.randn_like(output)).mean() for output in outputs.values()).backward()


def without_gradient(model: torch.nn.Module) -> list[str]:
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]


def warm(model: torch.nn.Module) -> torch.nn.Module:
    """Give the batch norms statistics, and leave no parameter at a value where it does nothing."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for _ in range(3):
            model(image())
    return model.eval()


DINOV3 = {"encoder": "dinov3", "encoder_registers": 2, "encoder_width": 16}
SWITCHES = [
    {},
    {"experts_b": False},
    {"experts_c": False},
    {"experts_b": False, "experts_c": False},
    {"expert_kernel": 3},
    {"expert_count": 2, "experts_kept": 2, "expert_rank": 1},
    {"experts_kept": 1},
    {"gate_activation": "gelu"},
    {"gate_renormalise": True},
    {"gate_noise": "softplus"},
    {"gate_noise": "none"},
    {"prior_b": False},
    {"prior_c": False},
    {"prior_b": False, "prior_c": False, "experts_c": False},
    {"scan_kind": "gilbert", "scan_directions": 1},
    {"scan_kind": "z", "scan_directions": 2},
    {"scan_kind": "serpentine", "scan_directions": 8},
    {"scan_kind": "raster"},
    {"local_mixing": "none"},
    {"mixing_order": "mamba"},
    {"mixing_order": "mamba", "local_mixing": "none"},
    {"skipped_stages": 1},
    {"skipped_stages": 3, "scan": False},
    {"task_conv": False},
    {"local_branch": True},
    {"scan": False},
    {"scan": False, "local_branch": True, "task_conv": False},
    {"delta_init": "zero"},
    {"delta_rank": 3, "expand": 1},
    {"head_scale": 1},
    {"encoder": "dinov2"},
    {"encoder": "dinov2", "encoder_registers": 2},
    DINOV3,
    DINOV3 | {"encoder_gated_mlp": True, "encoder_registers": 0},
    {"position_grid": (4, 4)},
    {"tasks": get_tasks(["normals"])},
]


@pytest.mark.parametrize(
    "changes", SWITCHES, ids=lambda changes: "-".join(f"{key}={changes[key]}" for key in changes)[:60]
)
def test_every_switch_trains_every_parameter(small, changes):
    config = small(**changes)
    # Stochastic depth may drop a branch for a whole batch; here all take part.
    model = create_model(dataclasses.replace(config, stochastic_depth=0.0))
    outputs = model(image())
    assert {name: output.shape for name, output in outputs.items()} == {
        task.name: (2, task.channels, 24, 32) for task in config.tasks
    }
    backward(model, image())
    assert not without_gradient(model)


@pytest.mark.parametrize("preset", ["pamm_tiny"])
def test_preset_trains_every_parameter(preset):
    model = create_model(preset, stochastic_depth=0.0)
    backward(model, image(height=64, width=64))
    assert not without_gradient(model)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_as_large_as_they_say(preset):
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in create_model(preset).parameters())
    wanted = {"pamm_tiny": 2.2e6, "pamm_small": 45e6, "pamm_base": 437e6, "pamm_large": 662e6}
    # The released networks without 36.2 M and 63.2 M parameters of a mixture that they never use.
    wanted |= {"released_nyud": 669e6 - 36.2e6, "released_pascal": 1059.7e6 - 63.2e6}
    assert count == pytest.approx(wanted[preset], rel=0.03 if preset.startswith("pamm") else 0.01)


def test_released_form_of_any_preset():
    with torch.device("meta"):
        small = create_model("pamm_small", released="pascal").config
        whole = create_model(released="pascal").config
    assert whole == PRESETS["released_pascal"]
    assert small.tasks == whole.tasks
    assert (small.d_model, small.expert_kernel, small.local_mixing, small.learn_state) == (192, 9, "none", False)
    with pytest.raises(ValueError, match=r"no released config 'nyu'.*nyud"):
        create_model(released="nyu")


def test_released_form_learns_all_but_the_state(small):
    model = create_model(small(**RELEASED_FORM, stochastic_depth=0.0))
    backward(model, image())
    assert {name.split(".")[-1] for name in without_gradient(model)} == {"A_log", "D", "B", "C"}


@pytest.mark.parametrize("changes", [{}, DINOV3, {"encoder": "dinov2", "scan_kind": "gilbert", "expert_kernel": 3}])
def test_rebuilt_and_loaded_gives_the_same(small, changes):
    model = warm(create_model(small(**changes)))
    torch.manual_seed(1)
    other = create_model(PAMMConfig.from_dict(model.config.to_dict())).eval()
    other.load_state_dict(model.state_dict())
    for height, width in ((24, 32), (40, 16)):
        picture = image(height=height, width=width)
        wanted, got = model(picture), other(picture)
        assert all(torch.equal(wanted[name], got[name]) for name in wanted)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 40), (48, 16), (72, 80)])
@pytest.mark.parametrize("changes", [{}, {"encoder": "dinov2"}, DINOV3], ids=["vit", "dinov2", "dinov3"])
def test_any_grid_and_aspect(small, height, width, changes):
    outputs = warm(create_model(small(**changes)))(image(height=height, width=width))
    assert {output.shape[-2:] for output in outputs.values()} == {(height, width)}
    assert all(output.isfinite().all() for output in outputs.values())


def test_batch_and_single_agree(small):
    model = warm(create_model(small()))
    pictures = image(batch=3)
    together = model(pictures)
    for index, picture in enumerate(pictures):
        for name, output in model(picture[None]).items():
            torch.testing.assert_close(output[0], together[name][index], atol=1e-4, rtol=1e-4)


def test_seventh_task(small):
    model = create_model(small(), tasks=["depth", ALBEDO])
    assert model(image())["albedo"].shape == (2, 3, 24, 32)


def test_tasks_do_not_see_each_other(small):
    """As released, only weights are shared: what one task's own layers do never reaches another's output."""
    model = warm(create_model(small()))
    picture = image()
    before = model(picture)
    tasks = len(model.config.tasks)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            per_task = name.split(".")[-2:][0] in {"gate", "expand", "reduce", "task_conv", "join"} or name.endswith(
                "A_log"
            )
            if per_task:
                rows = len(parameter) // tasks
                parameter[:rows].add_(1.0)
    after = model(picture)
    first, *others = before
    assert not torch.allclose(before[first], after[first])
    for name in others:
        torch.testing.assert_close(before[name], after[name])


def test_gates_for_the_load_balancing_loss(small):
    model = create_model(small(experts_c=False))
    outputs, gates = model.forward_with_gates(image())
    assert set(outputs) == {"depth", "edge", "saliency"}
    assert [tuple(gate.shape) for gate in gates] == [(2, 3, 5)] * 4
    assert all(((gate > 0).sum(-1) == 3).all() for gate in gates)


def test_training_after_inference_mode(small):
    model = create_model(small(image_size=(8, 56)))
    with torch.inference_mode():
        model(image(height=8, width=56))
    backward(model, image(height=8, width=56))


@pytest.mark.parametrize("shape", [(3, 24, 32), (1, 1, 24, 32), (1, 3, 25, 32), (1, 3, 24, 0)])
def test_wrong_images_are_refused(small, shape):
    with pytest.raises(ValueError, match="multiples of 8"):
        create_model(small())(torch.zeros(shape))


@pytest.mark.parametrize("changes", [{"local_branch": True, "expert_kernel": 3}, DINOV3])
def test_half_precision_trains(small, changes):
    model = create_model(small(**changes))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(image())
    sum(output.float().square().mean() for output in outputs.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_state_space_parameters_do_not_decay(small):
    model = create_model(small(encoder="dinov2", encoder_registers=1))
    exempt = {
        name.split(".")[-1] for name, parameter in model.named_parameters() if hasattr(parameter, "no_weight_decay")
    }
    assert exempt == {"A_log", "D", "step_bias", "B", "C", "position", "class_token", "registers"}


def test_scan_starts_as_mamba_does(small):
    block = create_model(small(d_state=4)).stages[0].block
    step = torch.nn.functional.softplus(block.step_bias)
    assert 0.001 <= step.min() < 0.01 < 0.03 < step.max() <= 0.1
    torch.testing.assert_close(block.A_log.exp()[1, 5], torch.tensor([1.0, 2.0, 3.0, 4.0]))
    zero = create_model(small(delta_init="zero")).stages[0].block
    assert not zero.step_bias.any()


@pytest.mark.filterwarnings("error:Dynamo detected a call to a `functools.lru_cache`")
@pytest.mark.parametrize("changes", [{"expert_kernel": 1}, {"expert_kernel": 5}, DINOV3])
def test_compiles_as_one_graph(small, changes):
    torch.compiler.reset()
    model = warm(create_model(small(**changes)))
    picture = image()
    with torch.no_grad():
        wanted, got = model(picture), torch.compile(model, fullgraph=True, backend="aot_eager")(picture)
    for name, output in wanted.items():
        torch.testing.assert_close(got[name], output, atol=1e-5, rtol=1e-4)


def test_exports_again_with_its_orders_as_constants(small):
    model, picture = create_model(small(image_size=(16, 40))).eval(), image(height=16, width=40)
    for _ in range(2):
        program = torch.export.export(model, (picture,))
        assert {str(node.target) for node in program.graph.nodes if "pamm" in str(node.target)} == {
            "pamm.selective_scan.default"
        }
        for name, output in program.module()(picture).items():
            torch.testing.assert_close(output, model(picture)[name])
