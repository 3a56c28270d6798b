"""One's own images and label maps, described by a manifest (see :mod:`pamm.data.manifest`)."""

import glob
import re
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pamm.data.encodings import decode, derive, refined_task
from pamm.data.images import read_image, read_map
from pamm.data.manifest import LabelMaps, Split, read_manifest
from pamm.data.sample import FileDataset, Reader
from pamm.names import unknown_name
from pamm.tasks import Task

Label = NDArray[Any]
Size = tuple[int, int]


class FolderDataset(FileDataset):
    """Images of a folder, each with the labels that exist for it."""

    def __init__(
        self,
        manifest: str | Path,
        *,
        split: str | None = None,
        root: str | Path | None = None,
        resize: float | None = None,
    ) -> None:
        """Read the manifest and find the files.

        Args:
            manifest: path of the YAML file.
            split: one of the manifest's splits; all images if left out.
            root: folder to start from, instead of the manifest's ``root``.
            resize: factor of the size, instead of the manifest's; 1 reads what is stored.

        Raises:
            ValueError: if the manifest is wrong, an image is missing, or no file fits one of the patterns.
        """
        self.path = Path(manifest)
        self.manifest = read_manifest(self.path)
        if resize is not None:
            self.manifest = replace(self.manifest, resize=resize)
        self.root = Path(root) if root is not None else self.path.parent / Path(self.manifest.root).expanduser()
        if not self.root.is_dir():
            raise ValueError(f"{self.path}: the root folder {self.root} is not there: correct 'root', or give another")
        self._tasks = tuple(self._refined(name, maps) for name, maps in self.manifest.labels.items())
        every = self._all_ids()
        self.ids = every if split is None else self._ids_of(split, every)
        self._images = self._find_images()
        self._maps = {
            task.name: self._find_maps(task.name, self.manifest.labels[task.name], every) for task in self._tasks
        }

    def stored_photo(self, index: int) -> bytes | None:
        """The image as its file holds it; it may have another size than the one that is given out.

        Raises:
            IndexError: if there is no such image.
            OSError: if the file cannot be read.
        """
        return self._images[self.ids[index]].read_bytes()

    def open(self, index: int) -> tuple[NDArray[np.uint8], dict[str, Reader]]:
        """One image, and by task what reads its label.

        Raises:
            IndexError: if there is no such image.
            ValueError: if the image cannot be read.
        """
        image = read_image(self._images[self.ids[index]])
        stored_size = image.shape[:2]
        readers, size = self.labels(index, shape=stored_size), self._size(stored_size)
        if size != stored_size:
            image = np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        return image, readers

    def labels(self, index: int, *, shape: Size | None = None) -> dict[str, Reader]:
        """By task, what reads the label of one image.

        Args:
            index: number of the image.
            shape: rows and columns of the image as it is stored; those of the first map that can be read if left out.

        Raises:
            IndexError: if there is no such image.
        """
        name = self.ids[index]
        stored_size = shape or self._map_size(name)
        size = self._size(stored_size)
        readers: dict[str, Reader] = {}
        for task in sorted(self._tasks, key=lambda task: self.manifest.labels[task.name].source is not None):
            maps, path = self.manifest.labels[task.name], self._maps[task.name].get(name)
            if maps.source is not None and maps.source in readers:
                readers[task.name] = partial(_derived, readers[maps.source], maps, stored_size)
            elif path is not None:
                # kept for the labels that are derived from it
                readers[task.name] = cache(partial(_read_label, path, maps, task, stored_size, size))
        return readers

    def _size(self, stored_size: Size) -> Size:
        """Rows and columns after resizing."""
        height, width = (max(1, round(side * self.manifest.resize)) for side in stored_size)
        return height, width

    def _map_size(self, name: str) -> Size:
        for task, maps in self.manifest.labels.items():
            if name in self._maps[task]:
                with suppress(ValueError):
                    height, width = read_map(self._maps[task][name], key=maps.key).shape[:2]
                    return height, width
        return 0, 0

    def _refined(self, name: str, maps: LabelMaps) -> Task:
        try:
            return refined_task(name, maps)
        except ValueError as error:
            raise ValueError(f"{self.path}: labels: {name}: {error}") from error

    def _all_ids(self) -> tuple[str, ...]:
        if self.manifest.ids is not None:
            return self._listed(self.manifest.ids)
        return self._matching(self.manifest.images, "images")

    def _matching(self, pattern: str, where: str) -> tuple[str, ...]:
        """The ids of the files that fit a pattern, sorted."""
        # the id is what stands in place of {id}; other stars may stand for anything
        parts = [re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("{id}")]
        shape = re.compile("([^/]+)".join(parts[:2]) + "".join(rf"\1{part}" for part in parts[2:]))
        names = (file.relative_to(self.root).as_posix() for file in self.root.glob(pattern.replace("{id}", "*")))
        found = sorted({match[1] for match in map(shape.fullmatch, names) if match})
        if not found:
            raise ValueError(f"{self.path}: no file fits {where}: {pattern} below {self.root}: correct the pattern")
        return tuple(found)

    def _listed(self, file: str) -> tuple[str, ...]:
        try:
            ids = tuple((self.root / file).read_text(encoding="utf-8").split("\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path}: cannot read the list {self.root / file}: {error}") from error
        ids = tuple(line.strip() for line in ids if line.strip())
        if not ids:
            raise ValueError(f"{self.root / file}: the list is empty: write one id a line")
        return ids

    def _ids_of(self, name: str, every: tuple[str, ...]) -> tuple[str, ...]:
        if name not in self.manifest.splits:
            raise ValueError(f"{self.path}: splits: {unknown_name('split', name, self.manifest.splits)}")
        split: Split = self.manifest.splits[name]
        count = split.first if split.first is not None else split.last
        if count is not None:
            if not 0 < count <= len(every):
                raise ValueError(f"{self.path}: splits: {name}: {count} of {len(every)} images: give 1 to all of them")
            return every[:count] if split.first is not None else every[-count:]
        if split.images is not None:
            chosen = self._matching(split.images, f"splits: {name}: images")
            self._check_same_photos(name, split.images, chosen)
        else:
            chosen = self._listed(split.file) if split.file is not None else (split.ids or ())
        unknown = sorted(set(chosen) - set(every))
        if unknown or not chosen or len(set(chosen)) < len(chosen):
            problem = f"{unknown[0]!r} is no id of an image" if unknown else "an id comes twice, or none at all"
            raise ValueError(f"{self.path}: splits: {name}: {problem}: correct the list")
        return chosen

    def _check_same_photos(self, name: str, pattern: str, ids: tuple[str, ...]) -> None:
        for item in ids:
            here, there = (_find(self.root, either, item) for either in (pattern, self.manifest.images))
            if here != there:
                raise ValueError(
                    f"{self.path}: splits: {name}: id {item!r} is that of {here}, but images: {self.manifest.images} "
                    f"finds {there or 'none'}: let both fit the same photo, or give each split a manifest of its own"
                )

    def _find_images(self) -> dict[str, Path]:
        found = {name: path for name in self.ids if (path := _find(self.root, self.manifest.images, name))}
        missing = [name for name in self.ids if name not in found]
        if missing:
            wanted = self.root / self.manifest.images.replace("{id}", missing[0])
            raise ValueError(
                f"{self.path}: {len(missing)} of {len(self.ids)} images are missing, the first is {wanted}"
            )
        return found

    def _find_maps(self, name: str, maps: LabelMaps, every: tuple[str, ...]) -> dict[str, Path]:
        if maps.path is None:
            return {}
        found = {item: path for item in every if (path := _find(self.root, maps.path, item))}
        if not found:
            raise ValueError(
                f"{self.path}: labels: {name}: no file fits {maps.path} below {self.root} for any of "
                f"{len(every)} images: correct the pattern"
            )
        return found


def _find(root: Path, pattern: str, name: str) -> Path | None:
    if "*" not in pattern:
        path = root / pattern.replace("{id}", name)
        return path if path.is_file() else None
    return min((file for file in root.glob(pattern.replace("{id}", glob.escape(name))) if file.is_file()), default=None)


def _read_label(path: Path, maps: LabelMaps, task: Task, stored_size: Size, size: Size) -> Label:
    stored = read_map(path, key=maps.key)
    if stored.shape[:2] != stored_size:
        raise ValueError(
            f"{path}: the map is {stored.shape[1]}×{stored.shape[0]} pixels, its image "
            f"{stored_size[1]}×{stored_size[0]}: store both at one size, photos the right way up"
        )
    try:
        if maps.derive is not None:
            return derive(_nearest(stored, size), maps, stored_size=stored_size)
        label = decode(stored, maps, task)
        return _any(label, size) if maps.lines else _nearest(label, size)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _derived(source: Reader, maps: LabelMaps, stored_size: Size) -> Label:
    return derive(source(), maps, stored_size=stored_size)


def _nearest(label: Label, size: Size) -> Label:
    """The pixels under the middles of the new ones."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(size, label.shape[:2], strict=True)
    )
    nearest: Label = label[rows[:, None], columns]
    return nearest


def _any(label: Label, size: Size) -> Label:
    """Yes where one of the pixels that a new one takes in says so, else the pixel under its middle."""
    shrunk = _nearest(label, size)
    rows, columns = (
        places * new // old for places, new, old in zip(np.nonzero(label == 1), size, label.shape[:2], strict=True)
    )
    shrunk[rows, columns] = 1
    return shrunk
