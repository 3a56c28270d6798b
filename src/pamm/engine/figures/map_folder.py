"""Maps that lie in a folder, whoever predicted them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pamm.data.sample import Sample
from pamm.engine.colours import Map
from pamm.engine.score_files import check_scale, find_predictions, read_prediction
from pamm.tasks import Task


class MapFolder:
    """A folder of predicted maps, as `pamm score` takes it.

    It has a folder for each image with ``values.npz`` in it, as `pamm predict` writes them; or a folder for each task
    with a map for each image, see :func:`pamm.engine.score_files.read_prediction`.
    """

    def __init__(self, folder: str | Path, *, scale: Mapping[str, float] | None = None) -> None:
        """Take the folder.

        Args:
            folder: where the maps lie.
            scale: by task, the factor from what is stored to the task's unit, for example 0.001 for millimetres.
        """
        self.folder, self.scale = Path(folder), scale or {}
        self._files: dict[tuple[Task, ...], dict[str, dict[str, Path]]] = {}

    def __call__(self, sample: Sample, tasks: Sequence[Task]) -> Mapping[str, Map]:
        """The maps of one image by task name; tasks without a map are left out.

        Args:
            sample: the image, whose name is looked for.
            tasks: the tasks.

        Raises:
            ValueError: if no map of the image is there, one cannot be read or does not fit the task, or a scale is
                wrong.
        """
        files = self._found(tuple(tasks))
        found = {
            task.name: read_prediction(files[task.name][sample.name], task, scale=self.scale.get(task.name, 1.0))
            for task in tasks
            if sample.name in files.get(task.name, ())
        }
        if not found:
            raise ValueError(f"{self.folder}: no map of {sample.name} there: name maps like the images")
        return found

    def _found(self, tasks: tuple[Task, ...]) -> Mapping[str, Mapping[str, Path]]:
        """The files of some tasks; the folder is looked through once."""
        if tasks not in self._files:
            check_scale(self.scale, tasks)
            self._files[tasks] = find_predictions(self.folder, tasks)
        return self._files[tasks]
