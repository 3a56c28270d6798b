"""What the network says about one photo."""

import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pamm.data.files import atomic_write
from pamm.engine.colours import Map, Pixels
from pamm.engine.draw import map_picture, overview
from pamm.tasks import Task


@dataclass(frozen=True, eq=False)
class Prediction:
    """The maps of one photo, each as large as the photo and also an attribute by its task's name.

    Classes (``.semseg``, ``.human_parts``) are (H, W) int32 indices into the task's ``class_names``; yes/no
    questions (``.edge``, ``.saliency``) are (H, W) float32 probabilities in [0, 1]; ``.depth`` is (H, W) float32
    in metres; ``.normals`` is (H, W, 3) float32, unit vectors in the camera's frame (x right, y up, z towards the
    camera). Tasks of one's own follow their kind (:meth:`pamm.tasks.Task.decode`).
    """

    image: Pixels
    """The photo, (H, W, 3) uint8 RGB."""
    maps: dict[str, Map]
    """Maps by task name."""
    tasks: tuple[Task, ...]
    """What the maps show: units, class names, colours."""

    def __getattr__(self, name: str) -> Map:
        """The map of a task.

        Raises:
            AttributeError: if there is no such map.
        """
        maps = self.__dict__.get("maps", {})
        if name in maps:
            array: Map = maps[name]
            return array
        raise AttributeError(f"a prediction has no {name!r}; maps: {', '.join(maps) or 'none'}")

    def __dir__(self) -> Iterable[str]:
        """Names for completion, maps included."""
        return [*super().__dir__(), *self.maps]

    def __repr__(self) -> str:
        """Size and maps in a line."""
        height, width = self.image.shape[:2]
        return f"Prediction({height}×{width} pixels: {', '.join(self.maps)})"

    def overview(self) -> Image.Image:
        """The photo and all maps in one picture, with legends."""
        return overview(self.image, self.maps, self.tasks)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the maps to a folder of their own, made if need be.

        Files of an earlier prediction in the same folder are replaced. All are written before the first takes its
        name, so a full disk leaves the folder as it was.

        Args:
            folder: where to write ``<task>.png`` for people (colours and a legend; at most 1600 pixels),
                ``values.npz`` for programs (the maps by task name, exactly as in :attr:`maps`), and
                ``overview.png``.

        Returns:
            The files written.

        Raises:
            ValueError: if the folder cannot be written to.
        """
        folder = Path(folder)
        writers: dict[Path, Callable[[Path], Any]] = {folder / "values.npz": self._write_values}
        pictures = {task.name: map_picture(task, self.maps[task.name]) for task in self.tasks}
        pictures["overview"] = self.overview()
        for name, picture in pictures.items():
            writers[folder / f"{name}.png"] = _PictureWriter(picture)
        with ExitStack() as stack:
            for path, write in writers.items():
                write(stack.enter_context(atomic_write(path)))
        return list(writers)

    def _write_values(self, path: Path) -> None:
        # numpy's own writer compresses harder, which takes twice the time and saves nothing on smooth maps
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in self.maps.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


@dataclass(frozen=True)
class _PictureWriter:
    picture: Image.Image

    def __call__(self, path: Path) -> None:
        with path.open("wb") as file:
            self.picture.save(file, format="PNG")
