"""Figures for papers, as matplotlib's own figures and as PDF, SVG or PNG files."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamm.engine.figures.comparison import (
        Comparison,
        choose_samples,
        compare,
        network_source,
        open_source,
        read_photos,
    )
    from pamm.engine.figures.curves import curve_figure, joined, read_log
    from pamm.engine.figures.errors import ErrorMap, error_figure, error_map
    from pamm.engine.figures.features import feature_figure, principal_colours, record_features
    from pamm.engine.figures.gates import GateMeans, gate_figure, measure_gates
    from pamm.engine.figures.hooks import Recording, recording
    from pamm.engine.figures.orders import order_figure, step_lengths
    from pamm.engine.figures.panels import panel_figure
    from pamm.engine.figures.style import COLUMN, TEXT, save_figure

__all__ = [
    "COLUMN",
    "TEXT",
    "Comparison",
    "ErrorMap",
    "GateMeans",
    "Recording",
    "choose_samples",
    "compare",
    "curve_figure",
    "error_figure",
    "error_map",
    "feature_figure",
    "gate_figure",
    "joined",
    "measure_gates",
    "network_source",
    "open_source",
    "order_figure",
    "panel_figure",
    "principal_colours",
    "read_log",
    "read_photos",
    "record_features",
    "recording",
    "save_figure",
    "step_lengths",
]

_HOMES = {
    "COLUMN": "style",
    "Comparison": "comparison",
    "ErrorMap": "errors",
    "GateMeans": "gates",
    "Recording": "hooks",
    "TEXT": "style",
    "choose_samples": "comparison",
    "compare": "comparison",
    "curve_figure": "curves",
    "error_figure": "errors",
    "error_map": "errors",
    "feature_figure": "features",
    "gate_figure": "gates",
    "joined": "curves",
    "measure_gates": "gates",
    "network_source": "comparison",
    "open_source": "comparison",
    "order_figure": "orders",
    "panel_figure": "panels",
    "principal_colours": "features",
    "read_log": "curves",
    "read_photos": "comparison",
    "record_features": "features",
    "recording": "hooks",
    "save_figure": "style",
    "step_lengths": "orders",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used: an order or a curve need not wait for the libraries of networks."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    """Public names, for completion."""
    return sorted(__all__)
