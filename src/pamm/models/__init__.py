"""The network."""

from pamm.models.build import PRESETS, create_model
from pamm.models.config import PAMMConfig
from pamm.models.fuse import fuse
from pamm.models.pamm import PAMM

__all__ = ["PAMM", "PRESETS", "PAMMConfig", "create_model", "fuse"]
