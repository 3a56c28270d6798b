"""Figures for papers, as matplotlib's own figures and as PDF, SVG or PNG files."""

from pamm.engine.figures.comparison import Comparison, choose_samples, compare, open_source, read_photos
from pamm.engine.figures.curves import curve_figure, joined, read_log
from pamm.engine.figures.errors import ErrorMap, error_figure, error_map
from pamm.engine.figures.features import feature_figure, principal_colours, record_features
from pamm.engine.figures.gates import GateMeans, gate_figure, measure_gates
from pamm.engine.figures.orders import order_figure, step_lengths
from pamm.engine.figures.panels import panel_figure
from pamm.engine.figures.recording import Recording, recording
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
