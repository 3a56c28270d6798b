"""What the network says about one photo."""

import zipfile
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from PIL import Image

from pamm.data.files import atomic_write
from pamm.engine.colours import Map, Pixels
from pamm.engine.draw import map_picture, overview
from pamm.tasks import Task

Part = Literal["pictures", "values", "overview"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What is written of a prediction."""


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

    def save(
        self, folder: str | Path, *, parts: Collection[Part] = PARTS, record: tuple[str, str] | None = None
    ) -> list[Path]:
        """Write the maps to a folder of their own, made if need be.

        Files of an earlier prediction in the same folder are replaced. All are written before the first takes its
        name, so a full disk leaves the folder as it was.

        Args:
            folder: where to write.
            parts: what to write: ``pictures``, a ``<task>.png`` each for people (colours and a legend; at most 1600
                pixels); ``values``, ``values.npz`` for programs (the maps by task name, exactly as in :attr:`maps`);
                ``overview``, all in one ``overview.png``.
            record: name and text of one more file, which is there only once all the others are: what they were made
                from.

        Returns:
            The files written, but for the record.

        Raises:
            ValueError: if the folder cannot be written to.
        """
        folder = Path(folder)
        writers: dict[Path, Callable[[Path], Any]] = {}
        if "values" in parts:
            writers[folder / "values.npz"] = self._write_values
        if "pictures" in parts:
            for task in self.tasks:
                writers[folder / f"{task.name}.png"] = _PictureWriter(map_picture(task, self.maps[task.name]))
        if "overview" in parts:
            writers[folder / "overview.png"] = _PictureWriter(self.overview())
        with ExitStack() as stack:
            if record is not None:
                # what is entered first takes its name last
                stack.enter_context(atomic_write(folder / record[0])).write_text(record[1], encoding="utf-8")
            for path, write in writers.items():
                write(stack.enter_context(atomic_write(path)))
            if record is not None:
                (folder / record[0]).unlink(missing_ok=True)
        return list(writers)

    def _write_values(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in self.maps.items():
                entry = zipfile.ZipInfo(f"{name}.npy")
                # classes become a hundredth; of fractions deflating takes a tenth off, and twenty times the time
                entry.compress_type = zipfile.ZIP_DEFLATED if array.dtype.kind in "iu" else zipfile.ZIP_STORED
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


@dataclass(frozen=True)
class _PictureWriter:
    picture: Image.Image

    def __call__(self, path: Path) -> None:
        path.write_bytes(png(np.asarray(self.picture)))


def png(pixels: Pixels) -> bytes:
    """A picture, (H, W, 3) uint8 RGB, as PNG: ten times as fast as Pillow, for a fifth more bytes."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1])
