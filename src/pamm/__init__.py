"""Multi-task dense prediction with the Parameter Aware Mamba Model.

>>> import pamm
>>> predictor = pamm.load("pamm-tiny-scenes")  # doctest: +SKIP
>>> predictor("photo.jpg").depth.shape  # doctest: +SKIP
(480, 640)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamm.engine.export.export import export
    from pamm.engine.prediction import Prediction
    from pamm.engine.predictor import Predictor, load
    from pamm.models import create_model
    from pamm.tasks import TASKS, Task

__all__ = ["TASKS", "Prediction", "Predictor", "Task", "__version__", "create_model", "export", "load"]

__version__ = version("pamm")

_HOMES = {
    "TASKS": "pamm.tasks",
    "Task": "pamm.tasks",
    "create_model": "pamm.models",
    "export": "pamm.engine.export.export",
    "Prediction": "pamm.engine.prediction",
    "Predictor": "pamm.engine.predictor",
    "load": "pamm.engine.predictor",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the network's libraries take seconds, the tasks and scans do not."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted(__all__)
