"""A window of an enlarged picture."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Label = NDArray[Any]
Image = NDArray[np.uint8]
Window = tuple[slice, slice]


@dataclass(frozen=True)
class View:
    """A window of the enlarged picture, perhaps mirrored: where every pixel comes from.

    What it shows is that of :func:`cv2.resize` on the whole picture, cut to the window. Of label maps only the rows
    of the window are resized; photos are resized as a whole, since the weights of OpenCV's mixing cannot be had from
    an offset.
    """

    source: tuple[int, int]
    """Rows and columns of the picture."""
    size: tuple[int, int]
    """Rows and columns of the whole picture once enlarged, or reduced."""
    window: Window
    """Rows and columns that are shown, of the enlarged picture."""
    mirrored: bool = False
    """Whether left and right are swapped."""

    @cached_property
    def _rows(self) -> NDArray[np.intp]:
        """Source row of each row of the window."""
        numbers = np.arange(self.source[0], dtype=np.float32)[:, None]
        return np.asarray(_nearest(numbers, (self.size[0], 1))[self.window[0], 0], np.intp)

    def label(self, label: Label) -> Label:
        """What is shown of a label map, every pixel of it the nearest of the picture.

        Args:
            label: (H, W) or (H, W, C), as large as the picture.

        Returns:
            (rows, columns) or (rows, columns, C) of the window, of the same type; channels lie one after another in
            memory, as tensors want them. Nothing is shared with the input.
        """
        rows, enlarged = self._rows, self.size[0] > self.source[0]
        # rows are cheap to leave out and to repeat, so the columns are resized when there are few rows
        few = label[rows[0] : rows[-1] + 1] if enlarged else label[rows]
        few = self._mirror(_nearest(few, (len(few), self.size[1]))[:, self.window[1]])
        shown = few[rows - rows[0]] if enlarged else few
        if shown.ndim == 2:
            return shown
        planes = np.empty((shown.shape[2], *shown.shape[:2]), shown.dtype)
        cv2.split(shown, list(planes))
        return planes.transpose(1, 2, 0)

    def image(self, image: Image) -> Image:
        """What is shown of a photo, every pixel of it mixed of four.

        Args:
            image: (H, W, 3) uint8.

        Returns:
            (rows, columns, 3) uint8.
        """
        wide = cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_LINEAR)
        return self._mirror(np.asarray(wide[self.window], np.uint8))

    def _mirror(self, values: Label) -> Label:
        return np.asarray(cv2.flip(values, 1)) if self.mirrored else values


def _nearest(label: Label, size: tuple[int, int]) -> Label:
    # the exact variant samples at pixel centres, as the bilinear image does; plain nearest is half a pixel off
    return np.asarray(cv2.resize(label, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
