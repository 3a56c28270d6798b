"""Devices by name."""

import pytest
import torch

from pamm.engine.devices import pick_device
from pamm.engine.predictor import load
from pamm.engine.weights import save_weights
from pamm.models import create_model
from toys import MICRO


@pytest.mark.parametrize(("cuda", "mps", "wanted"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_is_the_fastest_there_is(monkeypatch, cuda, mps, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    assert pick_device("auto").type == wanted


def test_devices_pass_through():
    assert pick_device("cpu") == pick_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_is_one_line(name):
    with pytest.raises(ValueError, match=r"no device .* give auto") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


def test_weights_are_loaded_to_a_device(tmp_path):
    folder = save_weights(create_model("pamm_tiny", tasks=["depth"], **MICRO), tmp_path)
    assert next(load(folder, device="auto").model.parameters()).device.type == pick_device("auto").type
    with pytest.raises(ValueError, match="no device 'warp'"):
        load(folder, device="warp")
