"""What a tile cannot know, from a prediction of the whole photo."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.engine.tiles.grid import Tile


class Guide:
    """A prediction of the whole photo that tiles are fitted to.

    A network that sees a tile knows neither how far its camera was nor what room it is in: classes and metres jump from
    tile to tile, and blending only spreads the jumps. Here the tile's means over cells, each as large as a position of
    the whole photo's prediction before it was enlarged, are replaced by the means of that prediction. What is finer is
    the tile's own.
    """

    def __init__(self, outputs: Tensor, height: int, width: int, *, cell: float) -> None:
        """Take the prediction.

        Args:
            outputs: (channels, h, w), raw values for the whole photo.
            height: rows of the photo.
            width: columns of the photo.
            cell: side of a cell, in pixels of ``outputs``.
        """
        self._outputs = outputs
        self._size = (height, width)
        self._cell = cell

    def fit(self, tile: Tile, values: Tensor) -> Tensor:
        """Bring a tile's raw values, (channels, rows, columns), to those of the whole photo."""
        places, cells = [], []
        for span, side, length in zip((tile.rows, tile.columns), self._size, self._outputs.shape[1:], strict=True):
            pixels = torch.arange(span.start, span.stop, device=values.device)
            places.append((2 * pixels + 1) / side - 1)
            cells.append(max(1, round(len(pixels) * length / (side * self._cell))))
        down, across = torch.meshgrid(*places, indexing="ij")
        whole = F.grid_sample(
            self._outputs[None],
            torch.stack([across, down], dim=-1)[None],
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        missing = F.adaptive_avg_pool2d(whole - values, (cells[0], cells[1]))
        return values + F.interpolate(missing, values.shape[1:], mode="bilinear", align_corners=False)[0]
