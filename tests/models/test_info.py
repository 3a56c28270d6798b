import pytest
import torch

from pamm.models import create_model
from pamm.models.info import count_macs, count_parameters


@pytest.mark.parametrize("changes", [{}, {"local_branch": True, "encoder": "dinov2"}, {"scan": False}])
def test_parts_add_up(small, changes):
    model = create_model(small(**changes))
    counts = count_parameters(model)
    assert sum(counts.values()) == sum(parameter.numel() for parameter in model.parameters())
    assert ("routers" in counts) == model.config.scan


def test_parts_are_what_they_say(small):
    counts = count_parameters(create_model(small()))
    tasks, inner, states, width = 3, 16, 3, 8
    own = tasks * inner * (states + 1 + 1)  # A_log, D and the bias of the step
    steps = tasks * inner * 2 * 1
    priors = 2 * tasks * states
    assert counts["scan"] == 4 * (own + steps + priors)
    assert counts["stage convolutions"] == 4 * (
        9 * 12 * width + width + 2 * width + 9 * width * tasks * width + tasks * width
    )


def test_multiply_adds(small):
    model = create_model(small())
    base = count_macs(model, 24, 32)
    tasks, positions, inner, states = 3, 12, 16, 3
    more = count_macs(create_model(small(scan_directions=8)), 24, 32)
    assert more - base == 4 * 4 * tasks * positions * inner * (2 * states + 1)
    hidden = count_macs(create_model(small(encoder_mlp_ratio=3)), 24, 32)
    assert hidden - base == 4 * positions * 2 * 12 * 12
    assert next(model.parameters()).device == torch.device("cpu")


def test_multiply_adds_grow_with_the_image(small):
    # as many tokens as the matrices of the heads span, and few enough for attention to cost little
    model = create_model(small(scan=False, encoder_width=32, d_model=32))
    assert count_macs(model, 64 * 8, 8) == pytest.approx(2 * count_macs(model, 32 * 8, 8), rel=0.05)
