"""Networks of every kind as graphs: each runs at sizes it was not traced with."""

import pytest
import torch

from pamm.engine.export.compare import compare
from pamm.engine.export.network import OLDEST_TORCH, ExportedNetwork, trace
from pamm.models import PAMMConfig, create_model
from pamm.models.build import RELEASED_FORM
from pamm.models.feature_backbone import backbone_settings
from toys import MICRO

pytestmark = pytest.mark.skipif(torch.__version__ < OLDEST_TORCH, reason="this torch cannot trace it")
ONE_STAGE = {**MICRO, "skipped_stages": 3, "tasks": ["semseg", "normals"]}
SWITCHES = {
    "released": {**RELEASED_FORM, "local_branch": True, "scan_directions": 8},
    "registers": {"encoder": "dinov2", "encoder_registers": 2, "scan_kind": "z", "mixing_order": "mamba"},
    "dinov3": {
        **{"encoder": "dinov3", "encoder_registers": 4, "scan_kind": "serpentine", "scan_directions": 2},
        **{"experts_b": False, "head_scale": 1},
    },
}


def worst(network, model, image_size=None):
    program = trace(network, image_size)
    names = {str(node.target) for node in program.graph.nodes}
    assert not any("pamm" in name for name in names)
    _, found = compare(program.module(), model, image_size=image_size, decode=network.decode)
    return max(difference.relative for difference in found.values())


@pytest.mark.parametrize("changes", SWITCHES.values(), ids=SWITCHES)
def test_any_size(changes):
    model = create_model("pamm_tiny", **{**ONE_STAGE, **changes}).eval()
    assert worst(ExportedNetwork(model), model) < 1e-5


def test_a_curve_for_one_size():
    model = create_model("pamm_tiny", **ONE_STAGE, scan_kind="gilbert").eval()
    assert worst(ExportedNetwork(model, decode=True), model, (24, 40)) < 1e-5


def test_a_backbone_for_one_size():
    from transformers import ConvNextConfig

    theirs = ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_stages=4)
    config = PAMMConfig(**{**MICRO, "image_size": (32, 64)}, **backbone_settings(theirs), tasks=["depth"])
    model = create_model(config).eval()
    assert worst(ExportedNetwork(model), model, (32, 64)) < 1e-5


def test_its_own_scan_is_kept_if_wanted():
    model = create_model("pamm_tiny", **ONE_STAGE).eval()
    program = trace(ExportedNetwork(model, fast=True), None)
    assert "pamm.selective_scan.default" in {str(node.target) for node in program.graph.nodes}
    _, found = compare(program.module(), model, image_size=None, decode=False)
    assert max(difference.relative for difference in found.values()) < 1e-5
