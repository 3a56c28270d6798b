"""What one run over many photos is to write, and where: shared by all who do a part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pamm.engine.many.records import Made, is_finished, made_from, read_record, remove_others
from pamm.engine.many.sources import RECORD, Source
from pamm.engine.prediction import PARTS, Prediction, check_parts


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
    parts: tuple[str, ...] = PARTS
    """What is written of each photo; see :meth:`pamm.engine.prediction.Prediction.save`."""

    def __post_init__(self) -> None:
        """Check the parts."""
        check_parts(self.parts)

    def folder(self, source: Source) -> Path:
        """Where the maps of a source go."""
        return self.out / source.name

    def plain(self) -> dict[str, Any]:
        """All settings that change what is written."""
        return {**self.settings, "write": [part for part in PARTS if part in self.parts]}

    def is_finished(self, source: Source) -> bool:
        """Whether the maps of a source are there already, whole, and made by the same settings from the same file.

        Raises:
            OtherSettingsError: if they are there, but of other settings.
        """
        return is_finished(source, self.folder(source), self.plain())

    def made(self, source: Source) -> Made:
        """What the maps of a source will have been made from: to be taken before it is read.

        Raises:
            OSError: if the file is not there.
        """
        return made_from(source, self.folder(source), self.plain())

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
        made = replace(made, files=prediction.file_names(self.parts))
        prediction.save(folder, parts=self.parts, record=(RECORD, made.to_text()))
        remove_others(folder, before, made)
