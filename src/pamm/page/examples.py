"""Photos to begin with: rooms rendered when the page starts, and photos that scikit-image ships."""

from collections.abc import Iterator
from dataclasses import dataclass

from skimage import data as sample_photos

from pamm.data.scenes import render_scene
from pamm.engine.colours import Pixels

_SERIES = 7
"""Series of rooms that no shipped weights were trained on."""
_ROOMS = (0, 1, 4)
_SIZE = (480, 600)
_PHOTOS = {"coffee": "A cup of coffee", "astronaut": "An astronaut", "stereo_motorcycle": "A motorcycle in a workshop"}


@dataclass(frozen=True, eq=False)
class ExamplePhoto:
    """A photo to choose."""

    title: str
    """What it shows."""
    pixels: Pixels
    """(H, W, 3) uint8 RGB."""


def example_photos() -> Iterator[ExamplePhoto]:
    """Render the rooms and read the photos."""
    height, width = _SIZE
    for number, index in enumerate(_ROOMS, start=1):
        yield ExamplePhoto(f"Rendered room {number}", render_scene(_SERIES, index, height=height, width=width).image)
    for name, title in _PHOTOS.items():
        found = getattr(sample_photos, name)()
        yield ExamplePhoto(title, found[0] if isinstance(found, tuple) else found)
