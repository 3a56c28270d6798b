"""A predictor that shows the network large photos at their own size, tile by tile."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pamm.data.images import ImageLike
from pamm.engine.colours import Map, Pixels
from pamm.engine.prediction import Prediction
from pamm.engine.predictor import NetworkInput, Predictor
from pamm.engine.sizes import network_size
from pamm.engine.tiles.grid import Grid, Tiling
from pamm.engine.tiles.guide import Guide
from pamm.engine.tiles.run import predict_tiles
from pamm.engine.tiles.storage import new_files, new_maps, open_photo

_turn = threading.Lock()


class TiledPredictor(Predictor):
    """Predicts photos larger than a tile at their full detail.

    Tiles overlap; the network's raw values are blended where they do, and decoded as soon as no later tile shows them,
    so these take memory that grows with the photo's width alone. The maps are in memory besides, up to
    :attr:`Tiling.memory` bytes (2 GiB), and beyond that in temporary files; and so is the photo, decoded whole to 3
    bytes a pixel, unless it is read as it is needed (see :meth:`prepare`). Photos no larger than a tile are predicted
    as by the predictor it is made from.
    """

    def __init__(
        self,
        predictor: Predictor,
        tiling: Tiling = Tiling(),
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take the network.

        Args:
            predictor: the network, with the maps that are wanted.
            tiling: how photos are cut.
            progress: called with the number of tiles of a photo that are done, and in all, by whichever thread
                finishes it.

        Raises:
            ValueError: if it is given a network without its predictor, or tiles of the size it was trained at are to
                overlap by more than half.
        """
        if not isinstance(predictor, Predictor):
            raise ValueError(f"got a {type(predictor).__name__}, wanted a predictor: TiledPredictor(pamm.load(...))")
        super().__init__(
            predictor.model,
            resize=predictor.resize,
            precision=predictor.precision,
            tasks=[task.name for task in predictor.tasks],
        )
        tiling.tile(trained=predictor.model.config.image_size, patch=predictor.model.config.patch_size)
        self.tiling = tiling
        self._progress = progress
        self._threads = torch.get_num_threads()

    def settings(self) -> dict[str, Any]:
        """All that its predictions depend on besides the photo, as plain values; for telling predictions apart."""
        return {**super().settings(), "tiling": self.tiling.settings()}

    def network_size(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns that the whole of a photo is resized to, and of the network's input for it."""
        if len(self._grid(height, width)) == 1:
            return super().network_size(height, width)
        # tiles show the photo at its own size, so the whole need not
        config = self.model.config
        return network_size(height, width, trained=config.image_size, patch=config.patch_size, resize=True)

    def prepare(self, image: ImageLike) -> NetworkInput:
        """The first of three steps of predicting: open a photo, and prepare the whole of it.

        Args:
            image: as for :meth:`__call__`, or a ``.npy`` file of such an array. Arrays, ``.npy`` files and TIFFs
                without compression are read as they are needed; other files are decoded once, to 3 bytes a pixel.

        Raises:
            ValueError: if it is not a readable image.
        """
        photo = open_photo(image, memory=self.tiling.memory)
        return self._input(photo, *self.network_size(*photo.shape[:2]))

    @torch.inference_mode()
    def finish(self, item: NetworkInput, outputs: Mapping[str, Tensor]) -> Prediction:
        """The third step: the network's view of the tiles, joined with its view of the whole.

        Args:
            item: the photo.
            outputs: raw values of the whole, (channels, h, w).

        Raises:
            ValueError: if there is no room for the maps.
        """
        height, width = item.photo.shape[:2]
        if len(self._grid(height, width)) == 1:
            return super().finish(item, outputs)
        maps = new_maps(self.tasks, height, width, memory=self.tiling.memory)
        self._fill(maps, item, outputs, self._progress)
        return Prediction(item.photo, maps, self.tasks)

    def predict_to_files(
        self, image: ImageLike, folder: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> Prediction:
        """Predict the maps of one photo, each into a file ``<task>.npy`` that NumPy can map into memory.

        Args:
            image: as for :meth:`prepare`.
            folder: where to write, made if need be. The files take their names once all are whole.
            progress: called with the number of tiles done, and in all.

        Returns:
            The prediction, its maps mapped from the files.

        Raises:
            ValueError: if it is not a readable image, or the folder cannot be written to or has no room.
        """
        item = self.prepare(image)
        height, width = item.photo.shape[:2]
        outputs = {name: output[0] for name, output in self.forward(item.tensor[None]).items()}
        with new_files(self.tasks, height, width, folder=folder) as maps:
            if len(self._grid(height, width)) == 1:
                for name, array in super().finish(item, outputs).maps.items():
                    maps[name][:] = array
            else:
                self._fill(maps, item, outputs, progress)
        return Prediction(item.photo, maps, self.tasks)

    def _grid(self, height: int, width: int) -> Grid:
        config = self.model.config
        return Grid.over(height, width, self.tiling, trained=config.image_size, patch=config.patch_size)

    @torch.inference_mode()
    def _fill(
        self,
        maps: Mapping[str, Map],
        item: NetworkInput,
        outputs: Mapping[str, Tensor],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        height, width = item.photo.shape[:2]
        config = self.model.config
        guide = None
        if self.tiling.guided:
            whole = torch.cat([outputs[task.name][:, item.rows, item.columns].float() for task in self.tasks])
            guide = Guide(whole, height, width, cell=config.patch_size / config.head_scale)
        with _all_to_itself(self._threads):
            predict_tiles(
                item.photo,
                maps,
                grid=self._grid(height, width),
                tasks=self.tasks,
                network=self._raw,
                guide=guide,
                batch_size=self.tiling.batch_size,
                progress=progress,
            )

    def _raw(self, tiles: Sequence[Pixels]) -> list[Tensor]:
        """Raw values of tiles at their own size, (channels of all tasks, h, w) each."""
        config = self.model.config
        height, width = tiles[0].shape[:2]
        size, canvas = network_size(height, width, trained=config.image_size, patch=config.patch_size, resize=False)
        items = [self._input(tile, size, canvas) for tile in tiles]
        outputs = self.forward(torch.stack([item.tensor for item in items]))
        joined = torch.cat([outputs[task.name].float() for task in self.tasks], dim=1)
        return [values[:, item.rows, item.columns] for item, values in zip(items, joined, strict=True)]


@contextmanager
def _all_to_itself(threads: int) -> Iterator[None]:
    """Let one photo at a time have all threads of PyTorch, whichever thread finishes it: it is predicted there."""
    with _turn:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
