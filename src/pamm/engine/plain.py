"""Plain values of YAML files, one laid over the other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader


def lay_over(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of two files, the later one's where both have some; mappings are joined at every depth."""
    joined = dict(base)
    for key, value in overlay.items():
        old = joined.get(key)
        joined[key] = lay_over(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return joined


def read_plain(path: str | Path) -> dict[str, Any]:
    """The plain values of a YAML file, read as `pamm train` reads it, which takes ``1e-5`` for a number.

    Raises:
        ValueError: if it cannot be read or holds no keys with values.
    """
    try:
        values = get_loader("yaml")(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: the recipe cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: got {type(values).__name__}, wanted keys with values, such as model and data")
    return values
