"""Videos and a network for them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pamm.engine.many.video_file import write_video
from pamm.engine.predictor import Predictor, load
from pamm.engine.weights import save_weights
from pamm.models import create_model
from toys import MICRO


def frames(count: int, *, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """A pattern that moves."""
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (height, 4 * width, 3), dtype=np.uint8), (9, 9), 0)
    return [np.ascontiguousarray(np.roll(wide, 2 * place, axis=1)[:, :width]) for place in range(count)]


@pytest.fixture(scope="session")
def film(tmp_path_factory) -> Path:
    """A video of 100 frames without loss."""
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    write_video(path, frames(100), rate=24.0, codec="FFV1")
    return path


@pytest.fixture(scope="session")
def short(tmp_path_factory) -> Path:
    """A video of 20 frames."""
    path = tmp_path_factory.mktemp("short") / "short.mkv"
    write_video(path, frames(20), rate=30000 / 1001, codec="FFV1")
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Weights of a micro network of three tasks."""
    torch.manual_seed(0)
    model = create_model("pamm_tiny", tasks=["semseg", "depth", "normals"], **MICRO)
    # untrained depth is about 0 m, which counts as none
    next(bias for bias in model.heads.parameters() if bias.shape == (1,)).data[0] = 3.0
    return save_weights(model, tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def video_predictor(weights) -> Predictor:
    """The network of the weights, as the command line loads it."""
    return load(weights, fused=True)
