"""What figures compare: images with their truth and with the maps that one or several networks predict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

from pamm.data.images import read_image
from pamm.data.sample import Sample, SampleSource
from pamm.engine.colours import Map, Pixels
from pamm.engine.evaluate import common_tasks
from pamm.engine.figures.map_folder import MapFolder
from pamm.engine.predictor import Predictor, load
from pamm.engine.weights import WEIGHTS_FILE, list_shipped
from pamm.names import unknown_name
from pamm.tasks import Task

T = TypeVar("T")

RESERVED = ("Image", "Truth")
"""Headings of figures that are nobody's name."""
ERROR = ": error"
"""What follows a name in the heading of its errors."""

Source = Callable[[Sample, Sequence[Task]], Mapping[str, Map]]
"""Gives the maps of a sample by task name, those of tasks it does not know left out."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One image, what is true of it, and what is predicted.

    Raises:
        ValueError: if a map is not as large as the image, or who predicted it is called like a heading of figures.
    """

    name: str
    """What the image is called."""
    image: Pixels
    """(H, W, 3) uint8 RGB."""
    truth: Mapping[str, Map]
    """Labelled maps by task name, as :class:`pamm.data.sample.Sample` holds them; none for a photo."""
    predictions: Mapping[str, Mapping[str, Map]]
    """Predicted maps, as :class:`pamm.engine.prediction.Prediction` holds them, by who predicted them and by task
    name."""

    def __post_init__(self) -> None:
        """Check the names and sizes."""
        for source in self.predictions:
            if source in RESERVED or source.endswith(ERROR):
                raise ValueError(
                    f"{source!r} is a heading of figures ({', '.join(RESERVED)}, NAME{ERROR}): give whoever predicts "
                    "another name"
                )
        for source, maps in {"truth": self.truth, **self.predictions}.items():
            for task, array in maps.items():
                if array.shape[:2] != self.image.shape[:2]:
                    height, width = self.image.shape[:2]
                    raise ValueError(
                        f"{self.name}: the {task} map of {source} has shape {array.shape}, the image is "
                        f"{height}×{width}: bring it to the image's size"
                    )


def network_source(predictor: Predictor) -> Source:
    """The maps that a network predicts."""

    def predict(sample: Sample, tasks: Sequence[Task]) -> Mapping[str, Map]:
        maps = predictor(sample.image).maps
        return {task.name: maps[task.name] for task in tasks if task.name in maps}

    return predict


def open_source(place: str, *, device: str = "cpu", scale: Mapping[str, float] | None = None) -> Source:
    """The maps of someone: of weights, or of a folder of maps that are there already.

    Args:
        place: a shipped name, a folder of weights or of maps (see :class:`pamm.engine.figures.map_folder.MapFolder`),
            or a hub name.
        device: where weights predict, by name.
        scale: for maps that are there, by task, the factor from what is stored to the task's unit.

    Raises:
        ValueError: if there is no such thing.
    """
    folder = Path(place).expanduser()
    if place not in list_shipped() and folder.is_dir() and not (folder / WEIGHTS_FILE).exists():
        return MapFolder(folder, scale=scale)
    return network_source(load(place, device=device))


class Lazy(Sequence[T]):
    """Things that are read when they are wanted, so that many of them need not fit into the memory."""

    def __init__(self, length: int, read: Callable[[int], T]) -> None:
        """Take how many there are, and what reads one by its number."""
        self.length, self.read = length, read

    def __len__(self) -> int:
        """How many there are."""
        return self.length

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...

    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        """One of them, or some.

        Raises:
            IndexError: if there is no such one.
        """
        if isinstance(place, slice):
            return [self.read(number) for number in range(self.length)[place]]
        return self.read(range(self.length)[place])


def read_photos(paths: Sequence[str | Path]) -> Sequence[Sample]:
    """Photos as samples without labels, named like their files without the suffix; read when they are wanted.

    Raises:
        ValueError: when one is wanted that cannot be read.
    """
    return Lazy(len(paths), lambda number: Sample(read_image(paths[number]), name=Path(paths[number]).stem))


def choose_samples(dataset: SampleSource, ids: Sequence[str] = (), *, usual: int | None = 3) -> Sequence[Sample]:
    """Some samples of a data set, read when they are wanted.

    Args:
        dataset: the data set.
        ids: their names, if the data set has names, or their numbers, from 0.
        usual: how many of the first, if no one is named; all if None.

    Raises:
        ValueError: if there is no such sample, or, when it is wanted, it cannot be read.
    """
    known = {name: number for number, name in enumerate(getattr(dataset, "ids", ()))}
    numbers = []
    for wanted in ids:
        number = known.get(wanted, int(wanted) if wanted.isdecimal() else -1)
        if not 0 <= number < len(dataset):
            if known and not wanted.isdecimal():
                raise unknown_name("image in the data", wanted, known)
            raise ValueError(f"no image {wanted!r} in the data: give numbers from 0 to {len(dataset) - 1}")
        numbers.append(number)
    chosen = numbers if ids else range(len(dataset))[:usual]
    return Lazy(len(chosen), lambda place: dataset[chosen[place]])


def images_of(samples: Sequence[Sample]) -> Sequence[Pixels]:
    """The images of some samples, read when they are wanted."""
    return Lazy(len(samples), lambda number: samples[number].image)


def chosen_tasks(tasks: Sequence[Task], names: Sequence[str] | None) -> tuple[Task, ...]:
    """Those of some tasks that are named, in the order of the names; all if none is.

    Raises:
        ValueError: if a name is not among them, or comes twice.
    """
    known = {task.name: task for task in tasks}
    for name in names or ():
        if name not in known:
            raise unknown_name("task here", name, known)
    if names and len(set(names)) < len(names):
        raise ValueError(f"tasks {', '.join(names)}: one is named twice: name each once")
    return tuple(known[name] for name in names or known)


def tasks_of(predictor: Predictor, dataset: SampleSource | None, names: Sequence[str] | None) -> tuple[Task, ...]:
    """The tasks to draw: the network's, or those it shares with a data set, with that set's rules of what counts.

    Args:
        predictor: the network.
        dataset: the data set, if there is one.
        names: names of those to draw; all if left out.

    Raises:
        ValueError: if network and data share no task or disagree about one, or a name is unknown.
    """
    tasks = predictor.tasks if dataset is None else common_tasks(predictor.tasks, dataset.tasks)
    return chosen_tasks(tasks, names)


def compare(
    samples: Sequence[Sample],
    sources: Mapping[str, Source],
    tasks: Sequence[Task],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Comparison]:
    """Put truth and predictions of some images beside each other.

    Args:
        samples: the images, with the labels they have.
        sources: who predicts, by the name that stands above the maps.
        tasks: the tasks to compare.
        progress: called with the number of images done, and of all.

    Raises:
        ValueError: if a map is missing or does not fit, or a source is called like a heading of figures.
    """
    done = []
    for count, sample in enumerate(samples, start=1):
        truth = {task.name: sample.labels[task.name] for task in tasks if task.name in sample.labels}
        predictions = {name: source(sample, tasks) for name, source in sources.items()}
        done.append(Comparison(sample.name, sample.image, truth, predictions))
        if progress is not None:
            progress(count, len(samples))
    return done
