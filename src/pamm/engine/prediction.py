"""What the network says about one photo."""

import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from pamm.data.files import atomic_write
from pamm.data.images import png
from pamm.engine.colours import Map, Pixels, Span
from pamm.engine.draw import map_picture, overview
from pamm.names import unknown_name
from pamm.tasks import Task

PARTS = ("pictures", "values", "overview")
"""What can be written of a prediction."""


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

    def overview(self, *, spans: Mapping[str, Span] | None = None) -> Image.Image:
        """The photo and all maps in one picture, with legends; ``spans`` as in :func:`pamm.engine.draw.overview`."""
        return overview(self.image, self.maps, self.tasks, spans=spans)

    def save(
        self,
        folder: str | Path,
        *,
        parts: Collection[str] = PARTS,
        spans: Mapping[str, Span] | None = None,
        record: tuple[str, str] | None = None,
    ) -> list[Path]:
        """Write the maps to a folder of their own, made if need be.

        Files of an earlier prediction in the same folder are replaced. All are written before the first takes its
        name, so a full disk leaves the folder as it was.

        Args:
            folder: where to write.
            parts: what to write: ``pictures``, a ``<task>.png`` each for people (colours and a legend; at most 1600
                pixels); ``values``, ``values.npz`` for programs (the maps by task name, exactly as in :attr:`maps`);
                ``overview``, all in one ``overview.png``.
            spans: ranges of values that the colours stand for, by task name, if they are not to be found in each map.
            record: name and text of one more file, which is there only once all the others are: what they were made
                from.

        Returns:
            The files written, but for the record.

        Raises:
            ValueError: if the folder cannot be written to, or there is no such part.
        """
        folder = Path(folder)
        writers = self._writers(parts, spans)
        with ExitStack() as stack:
            if record is not None:
                # what is entered first takes its name last
                stack.enter_context(atomic_write(folder / record[0])).write_text(record[1], encoding="utf-8")
            for name, write in writers.items():
                with stack.enter_context(atomic_write(folder / name)).open("wb") as file:
                    write(file)
            if record is not None:
                (folder / record[0]).unlink(missing_ok=True)
        return [folder / name for name in writers]

    def save_values(self, path: str | Path) -> None:
        """Write ``values.npz`` alone, under any name.

        Raises:
            ValueError: if it cannot be written.
        """
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            self._write_values(file)

    def files(self, *, parts: Collection[str] = PARTS) -> Iterator[tuple[str, bytes]]:
        """What :meth:`save` writes, file by file, without a folder: name and bytes.

        Raises:
            ValueError: if there is no such part.
        """
        for name, write in self._writers(parts, None).items():
            file = BytesIO()
            write(file)
            yield name, file.getvalue()

    def file_names(self, parts: Collection[str] = PARTS) -> tuple[str, ...]:
        """Names of the files that :meth:`save` writes."""
        return tuple(self._writers(parts, None))

    def _writers(
        self, parts: Collection[str], spans: Mapping[str, Span] | None
    ) -> dict[str, Callable[[BinaryIO], Any]]:
        """What writes each file, by its name."""
        check_parts(parts)
        writers: dict[str, Callable[[BinaryIO], Any]] = {}
        if "values" in parts:
            writers["values.npz"] = self._write_values
        if "pictures" in parts:
            for task in self.tasks:
                draw = partial(map_picture, task, self.maps[task.name], span=(spans or {}).get(task.name))
                writers[f"{task.name}.png"] = partial(_write_picture, draw)
        if "overview" in parts:
            writers["overview.png"] = partial(_write_picture, partial(self.overview, spans=spans))
        return writers

    def _write_values(self, stream: BinaryIO) -> None:
        with zipfile.ZipFile(stream, "w") as archive:
            for name, array in self.maps.items():
                entry = zipfile.ZipInfo(f"{name}.npy")
                # classes become a hundredth; of fractions deflating takes a tenth off, and twenty times the time
                entry.compress_type = zipfile.ZIP_DEFLATED if array.dtype.kind in "iu" else zipfile.ZIP_STORED
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)


def check_parts(parts: Collection[str]) -> None:
    """Raise a ValueError if something is to be written that there is not, or nothing."""
    for part in parts:
        if part not in PARTS:
            raise unknown_name("part of a prediction", part, PARTS)
    if not parts:
        raise ValueError(f"nothing is to be written: name one or more of {', '.join(PARTS)}")


def _write_picture(draw: Callable[[], Image.Image], file: BinaryIO) -> None:
    file.write(png(np.asarray(draw())))
