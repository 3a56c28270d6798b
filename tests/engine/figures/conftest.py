"""A micro network of all kinds of tasks, and images for it."""

import pytest
import torch

from pamm.engine.figures import compare
from pamm.engine.figures.comparison import network_source
from pamm.engine.predictor import Predictor
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import ALBEDO, MICRO, Rectangles

ALL = (*TASKS.values(), ALBEDO)


@pytest.fixture(scope="session")
def predictor():
    """Untrained, of the standard tasks and one more."""
    torch.manual_seed(0)
    return Predictor(create_model("pamm_tiny", tasks=ALL, **MICRO))


@pytest.fixture(scope="session")
def comparisons(predictor):
    """Three images with truth and predictions; the third lacks the last label."""
    return compare(list(map(Rectangles(ALL).__getitem__, range(3))), {"Ours": network_source(predictor)}, ALL)
