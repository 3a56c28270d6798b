"""The colour distortion of the training images.

A change of one value at a time is a table of 256 entries; tables are put together before the image is looked up.
"""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pamm.data.sample import Sample

Bytes = NDArray[np.uint8]

UNCHANGED: Bytes = np.arange(256, dtype=np.uint8)
"""Table that gives back what is looked up."""
HUES = 180
"""Number of hues in OpenCV's 8-bit colours."""


@dataclass(frozen=True)
class PhotometricDistortion:
    """Change brightness, contrast, saturation and hue, each with the same probability.

    Saturation and hue change in one trip to HSV and back. (The released loaders make a trip for each; the rounding in
    between moves a value by some grey levels.)
    """

    brightness: float = 32.0
    """Largest amount added or taken away, of 255."""
    contrast: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on all values, applied before or after the colours at random."""
    saturation: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on the saturation."""
    hue: int = 18
    """Largest turn of the hue, of 180."""
    probability: float = 0.5
    """How often each of the four is applied."""

    def __call__(self, sample: Sample, rng: Generator) -> Sample:
        """Distort the image; labels stay as they are."""
        tones, saturations, hues = UNCHANGED, UNCHANGED, UNCHANGED
        if self._applies(rng):
            tones = _linear(tones, 1.0, rng.uniform(-self.brightness, self.brightness))
        contrast_first = rng.random() < 0.5
        if contrast_first:
            tones = self._contrast(tones, rng)
        if self._applies(rng):
            saturations = _linear(saturations, rng.uniform(*self.saturation), 0.0)
        if self._applies(rng):
            hues = _turn(hues, int(rng.integers(-self.hue, self.hue, endpoint=True)))
        image = sample.image
        if saturations is not UNCHANGED or hues is not UNCHANGED:
            image, tones = _recolour(_look_up(image, tones), hues, saturations), UNCHANGED
        if not contrast_first:
            tones = self._contrast(tones, rng)
        return dataclasses.replace(sample, image=_look_up(image, tones))

    def _applies(self, rng: Generator) -> bool:
        return bool(rng.random() < self.probability)

    def _contrast(self, tones: Bytes, rng: Generator) -> Bytes:
        return _linear(tones, rng.uniform(*self.contrast), 0.0) if self._applies(rng) else tones


def _linear(table: Bytes, factor: float, offset: float) -> Bytes:
    changed: Bytes = np.clip(table * factor + offset, 0, 255).astype(np.uint8)
    return changed


def _turn(table: Bytes, turn: int) -> Bytes:
    return ((table.astype(np.int16) + turn) % HUES).astype(np.uint8)


def _look_up(values: Bytes, table: Bytes) -> Bytes:
    return values if table is UNCHANGED else np.asarray(cv2.LUT(values, table), np.uint8)


def _recolour(image: Bytes, hues: Bytes, saturations: Bytes) -> Bytes:
    hue, amount, value = (np.asarray(plane, np.uint8) for plane in cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)))
    changed = cv2.merge([_look_up(hue, hues), _look_up(amount, saturations), value])
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), np.uint8)
