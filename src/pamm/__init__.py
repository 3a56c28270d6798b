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
    from pamm.engine.predict_files import predict_files
    from pamm.engine.prediction import Prediction
    from pamm.engine.predictor import Predictor, load
    from pamm.engine.tiles.grid import Tiling
    from pamm.engine.tiles.predictor import TiledPredictor
    from pamm.models import create_model
    from pamm.tasks import TASKS, Task

__all__ = [
    "TASKS",
    "Prediction",
    "Predictor",
    "Task",
    "TiledPredictor",
    "Tiling",
    "__version__",
    "create_model",
    "export",
    "load",
    "predict_files",
]

__version__ = version("pamm")

_HOMES = {
    "TASKS": "pamm.tasks",
    "Task": "pamm.tasks",
    "create_model": "pamm.models",
    "export": "pamm.engine.export.export",
    "Prediction": "pamm.engine.prediction",
    "Predictor": "pamm.engine.predictor",
    "load": "pamm.engine.predictor",
    "TiledPredictor": "pamm.engine.tiles.predictor",
    "Tiling": "pamm.engine.tiles.grid",
    "predict_files": "pamm.engine.predict_files",
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
