"""Devices by name."""

import time

import numpy as np
import pytest
import torch

from pamm.engine import devices
from pamm.engine.devices import fastest_precision, pick_device
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


@pytest.mark.parametrize("slow", ["float32", "bf16"])
def test_the_faster_precision_is_found(monkeypatch, slow):
    model = create_model("pamm_tiny", tasks=["depth"], **MICRO)
    plain = model.forward

    def forward(image):
        if torch.is_autocast_enabled("cpu") == (slow == "bf16"):
            time.sleep(0.2)
        return plain(image)

    monkeypatch.setattr(model, "forward", forward)
    assert fastest_precision(model) == ({"float32", "bf16"} - {slow}).pop()


def test_precisions_predict_about_the_same(tmp_path, monkeypatch):
    folder = save_weights(create_model("pamm_tiny", tasks=["depth", "normals"], **MICRO), tmp_path)
    photo = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    exact = load(folder)(photo)
    rounded = load(folder, precision="bf16")(photo)
    np.testing.assert_allclose(load(folder, fused=True)(photo).depth, exact.depth, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(rounded.depth, exact.depth)
    np.testing.assert_allclose(rounded.depth, exact.depth, atol=0.05)
    monkeypatch.setattr(devices, "TRIES", 1)
    assert load(folder, precision="auto").precision in ("float32", "bf16")
    with pytest.raises(ValueError, match=r"no precision 'int8'"):
        load(folder, precision="int8")(photo)
