"""One labelled photo, as every data set gives it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """One photo with the labels that exist for it."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB, 0 to 255."""
    labels: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    """Label map by task name, tasks without a label left out. Classes: (H, W) uint8, 255 for none. Binary: (H, W)
    uint8, 0, 1 or 255 for none. One value: (H, W) float32. Directions and several values: (H, W, C) float32. Values
    and directions are invalid where every channel equals the task's ``ignore``."""
    name: str = ""
    """Where the sample comes from, for messages and file names."""
