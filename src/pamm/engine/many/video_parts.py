"""The finished frames of a video whose maps are being made: a file for every few frames, beside the maps to be.

Each file holds the pictures of its frames, lossless, and has its name only once it is whole; the values of its frames
are written before. So a run that was killed goes on after the last of them, and the video that is made of them in the
end is the same. Maps of an earlier run are not touched before that end.
"""

import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pamm.data.files import atomic_write
from pamm.engine.colours import Pixels, Span
from pamm.engine.many.records import VALUES, Made, check_settings, values_name
from pamm.records import build

FOLDER = "frames.part"
"""Folder of the parts, in that of the maps; it is there until the maps are finished."""
STATE = "state.json"
_PARTS = "[0-9]*.zip"
_VALUES = f"{VALUES}/[0-9]*.npz"
_FRAMES = 16
"""Frames in a part, of small videos."""
_PIXELS = 1 << 25
"""A part holds no more pixels than this, unless it is of one frame: bounds the memory."""


@dataclass(frozen=True)
class State:
    """What all parts of a video have in common."""

    made: Made
    """What the maps are made from."""
    length: int
    """Frames in a part."""
    spans: dict[str, Span] = field(default_factory=dict)
    """Ranges of values that the colours stand for, by task; found in the first part."""


class Parts:
    """The parts of one video."""

    def __init__(self, folder: Path, state: State) -> None:
        """Take what :meth:`begin` found."""
        self.folder = folder
        self.state = state

    @classmethod
    def begin(cls, folder: Path, made: Made, *, size: tuple[int, int], resume: bool) -> "Parts":
        """Go on with the parts of a video, or begin anew.

        Args:
            folder: folder of the maps to be.
            made: what they are made from.
            size: rows and columns of the frames.
            resume: whether parts that are there are kept, if they were made from the same.

        Raises:
            OtherSettingsError: if they were made with other weights or options.
        """
        place = folder / FOLDER
        for leftover in place.rglob(".*"):
            leftover.unlink()
        if resume and (state := read_state(folder)) is not None:
            check_settings(folder, state.made.settings, made.settings)
            if state.made == made:
                return cls(place, state)
        for file in [*place.glob(_PARTS), place / STATE, *place.glob(_VALUES)]:
            file.unlink(missing_ok=True)
        length = max(1, min(_FRAMES, _PIXELS // (size[0] * size[1])))
        return cls(place, State(made, length))

    @property
    def begun(self) -> bool:
        """Whether the ranges of the colours are settled."""
        return bool(self.state.spans)

    def settle(self, spans: dict[str, Span]) -> None:
        """Write down the ranges of the colours; before the first part is written."""
        self.state = State(self.state.made, self.state.length, spans)
        with atomic_write(self.folder / STATE) as path:
            path.write_text(json.dumps(asdict(self.state), indent=1) + "\n", encoding="utf-8")

    def frames(self, number: int) -> int:
        """How many frames a part has that is there; 0 if it is not."""
        for path in self.folder.glob(f"{number:06d}-*.zip"):
            if zipfile.is_zipfile(path):
                return int(path.stem.partition("-")[2])
            path.unlink()
        return 0

    def write(self, number: int, frames: int, pictures: Iterable[tuple[str, bytes]]) -> None:
        """Write a part.

        Args:
            number: the part's, from 0.
            frames: how many frames it is of.
            pictures: what they show and the bytes of a PNG, for each frame.
        """
        with atomic_write(self.folder / f"{number:06d}-{frames}.zip") as path, zipfile.ZipFile(path, "w") as archive:
            for place, (name, picture) in enumerate(pictures):
                archive.writestr(f"{name}/{place:06d}.png", picture)

    def pictures(self, name: str) -> Iterator[Pixels]:
        """The pictures of one kind, of all frames in order, (H, W, 3) RGB."""
        for part in sorted(self.folder.glob(_PARTS)):
            with zipfile.ZipFile(part) as archive:
                for entry in archive.namelist():
                    if entry.startswith(f"{name}/"):
                        picture = cv2.imdecode(np.frombuffer(archive.read(entry), np.uint8), cv2.IMREAD_COLOR)
                        assert picture is not None
                        yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def values(self, frame: int) -> Path:
        """Where the values of a frame are to be written, before its part is."""
        return self.folder / values_name(frame)

    def hand_over_values(self, frames: int) -> None:
        """Give the values to the maps, in place of those of an earlier run; it can be done again where it ended.

        Args:
            frames: how many frames' values the maps have, 0 if none are wanted.
        """
        folder = self.folder.parent
        for path in sorted(self.folder.glob(_VALUES)):
            (folder / VALUES).mkdir(exist_ok=True)
            path.replace(folder / VALUES / path.name)
        wanted = {folder / values_name(frame) for frame in range(frames)}
        for path in sorted(folder.glob(_VALUES)):
            if path not in wanted:
                path.unlink()

    def remove(self) -> None:
        """Remove them, once they are part of the maps."""
        shutil.rmtree(self.folder)


def read_state(folder: Path) -> State | None:
    """What the parts in a folder of maps have in common, or None if there are none."""
    path = folder / FOLDER / STATE
    try:
        return build(State, json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError):
        return None
