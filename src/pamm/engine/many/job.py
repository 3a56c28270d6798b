"""What one run over many photos is to write, and where: shared by all who do a part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pamm.data.files import remove_leftovers
from pamm.engine.colours import Span
from pamm.engine.many.records import Made, check_settings, is_finished, made_from, read_record, remove_others
from pamm.engine.many.sources import RECORD, Source
from pamm.engine.many.video_file import check_format
from pamm.engine.many.video_parts import read_state
from pamm.engine.prediction import PARTS, Prediction, check_parts

_OF_VIDEOS = ("pictures", "overview")


@dataclass(frozen=True)
class Job:
    """What one run is to write. It can be pickled, so that other processes can do a part of the run.

    Raises:
        ValueError: if something is to be written that there is not, or nothing.
    """

    out: Path
    """Folder that each source gets a folder in."""
    settings: Mapping[str, Any]
    """What predictions depend on, :meth:`pamm.engine.predictor.Predictor.settings`."""
    write: tuple[str, ...] | None = None
    """What is written, see :meth:`pamm.engine.prediction.Prediction.save`; by default all, but no values of videos."""
    video: str = "mp4"
    """Suffix of the videos that are written; see :data:`pamm.engine.many.video_file.CODECS`."""
    spans: Mapping[str, Span] = field(default_factory=dict)
    """Ranges of values that the colours stand for, by task, where they are not to be found in the photo or video."""

    def __post_init__(self) -> None:
        """Check them."""
        check_format(self.video)
        if self.write is not None:
            check_parts(self.write)

    def parts(self, source: Source) -> tuple[str, ...]:
        """What is written of a source."""
        wanted = (_OF_VIDEOS if source.is_video else PARTS) if self.write is None else self.write
        return tuple(part for part in PARTS if part in wanted)

    def folder(self, source: Source) -> Path:
        """Where the maps of a source go."""
        return self.out / source.name

    def all_settings(self, source: Source) -> dict[str, Any]:
        """All that changes what is written of a source, as plain values."""
        settings = {**self.settings, "write": list(self.parts(source))}
        if self.spans:
            settings["spans"] = {name: list(span) for name, span in sorted(self.spans.items())}
        return {**settings, "video": self.video} if source.is_video else settings

    def is_finished(self, source: Source) -> bool:
        """Whether the maps of a source are there already, whole, and made by the same settings from the same file.

        Raises:
            OtherSettingsError: if they are there, or some frames of a video, but of other settings.
        """
        folder, settings = self.folder(source), self.all_settings(source)
        finished = is_finished(source, folder, settings)
        state = read_state(folder) if source.is_video and not finished else None
        if state is not None:
            check_settings(folder, state.made.settings, settings)
        return finished

    def known_failure(self, source: Source) -> str:
        """What was wrong with a finished video of which only a part could be read, or nothing."""
        made = read_record(self.folder(source))
        return made.failure if made else ""

    def made(self, source: Source) -> Made:
        """What the maps of a source will have been made from: to be taken before it is read.

        Raises:
            OSError: if the file is not there.
        """
        return made_from(source, self.folder(source), self.all_settings(source))

    def save(self, source: Source, prediction: Prediction, made: Made) -> None:
        """Write the maps of a photo, and what they were made from once they are whole.

        Args:
            source: the photo.
            prediction: its maps.
            made: what :meth:`made` said.

        Raises:
            ValueError: if the folder cannot be written to.
        """
        folder = self.folder(source)
        before = read_record(folder)
        made = replace(made, files=prediction.file_names(self.parts(source)))
        remove_leftovers(folder, (*made.files, RECORD))
        prediction.save(folder, parts=self.parts(source), spans=self.spans or None, record=(RECORD, made.to_text()))
        remove_others(folder, before, made)
