"""Reading every file of a labelled data set, to tell what it holds and what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pamm.benchmarks import BENCHMARKS, Benchmark
from pamm.data.files import read_yaml
from pamm.data.folder import FolderDataset
from pamm.data.images import MissingFileError
from pamm.data.layouts import WrongTreeError, find_tree
from pamm.data.mix import MixDataset
from pamm.data.sample import FileDataset
from pamm.data.shards import ShardDataset, find_shards, holds_shards
from pamm.data.tree import SPLITS, read_ids
from pamm.engine.check_report import CheckReport, LabelFigures, PhotoReport, Problem, SplitReport, TaskFigures
from pamm.engine.colours import valid_pixels
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import TREES, open_dataset
from pamm.engine.draw import Row, contact_sheet
from pamm.records import build
from pamm.tasks import Task

_BATCH = 4
_SCENE = (128, 160)


@dataclass(frozen=True, kw_only=True)
class _Opened:
    """A data set before it is read."""

    title: str
    root: Path
    splits: Mapping[str, FileDataset]
    remarks: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, Problem] = field(default_factory=dict)
    """Lists that cannot be read, by split."""
    benchmark: Benchmark | None = None


def check(
    source: str | Path,
    *,
    root: str | Path | None = None,
    workers: int = 0,
    samples: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[CheckReport, Image.Image | None]:
    """Read a whole data set.

    Args:
        source: folder of NYUD-v2, PASCAL-Context or shards, the manifest of a folder of one's own, or the data config
            of a mix.
        root: folder to start from, instead of that of the manifest or mix. Files are read at the size they are stored
            in, those of a mix at the size they are trained at.
        workers: processes that read; 0 reads in this one.
        samples: number of photos on the contact sheet.
        progress: called with the name of the split, the number of its photos read, and in all.

    Returns:
        What was found, and a contact sheet of photos spread evenly over the set, or None if none can be read.

    Raises:
        ValueError: if there is no such set, no loader reads it, or the manifest is wrong.
    """
    path = Path(source).expanduser()
    if not path.exists():
        raise ValueError(f"{path}: no such folder or file: give the folder of a data set, or a manifest")
    if not path.is_dir():
        plain = read_yaml(path, "a manifest")
        is_mix = isinstance(plain, Mapping) and "sets" in plain
        opened = _open_mix(path, plain, root) if is_mix else _open_folder(path, root)
    elif root is not None:
        raise ValueError(f"{source}: a root belongs to a manifest: give the folder alone")
    else:
        opened = _open_shards(path) if holds_shards(path) else _open_tree(path)
    splits = []
    for name, dataset in opened.splits.items():
        report = SplitReport(
            name=name,
            photos=len(dataset),
            tasks={task.name: TaskFigures(task=task) for task in dataset.tasks},
            remarks=opened.remarks[name],
        )
        for done, found in enumerate(_read_all(dataset, workers), start=1):
            report.add(found)
            if progress is not None:
                progress(name, done, len(dataset))
        if opened.benchmark is not None:
            report.compare(opened.benchmark)
        splits.append(report)
    splits += [
        SplitReport(name=name, photos=0, tasks={}, problems=[problem]) for name, problem in opened.broken.items()
    ]
    result = CheckReport(title=opened.title, root=str(opened.root), splits=splits, missing=dict(opened.missing))
    return result, _sheet(list(opened.splits.values()), samples)


def _open_folder(path: Path, root: str | Path | None) -> _Opened:
    dataset = FolderDataset(path, root=root, resize=1)
    parts = {name: len(FolderDataset(path, root=root, split=name)) for name in dataset.manifest.splits}
    remarks = tuple(f"split {name}: {count:,} photos" for name, count in parts.items())
    return _Opened(title=f"described by {path}", root=dataset.root, splits={"all": dataset}, remarks={"all": remarks})


def _open_mix(path: Path, plain: object, root: str | Path | None) -> _Opened:
    config = build(DataConfig, plain, str(path))
    if root is not None:
        config = replace(config, root=str(root))
    # rendered scenes are of any size and have no files to check
    mix = open_dataset(config, canvas=_SCENE, split="train")
    if not isinstance(mix, MixDataset):
        raise ValueError(f"{path}: data of the name {config.name!r}, wanted a mix: add name: mix")
    files = {name: part.source for name, part in mix.members.items() if isinstance(part.source, FileDataset)}
    weights = {name: part.weight for name, part in zip(mix.members, mix.parts, strict=True)}
    remarks = {name: (f"{weights[name] / sum(weights.values()):.0%} of the images in training",) for name in files}
    return _Opened(title=f"mixed by {path}", root=Path(config.root or "."), splits=files, remarks=remarks)


def _open_shards(path: Path) -> _Opened:
    splits = {name: ShardDataset(path, split=name) for name in find_shards(str(path))}
    return _Opened(title="Parquet shards", root=path, splits=splits, remarks=dict.fromkeys(splits, ()))


def _open_tree(source: Path) -> _Opened:
    folder, layout = find_tree(source)
    if layout.dataset is None:
        raise WrongTreeError(
            f"{folder}: found {layout.title}, which no loader reads: get NYUD-v2 of 425×560 pixels, with photos, edge "
            "and normals as .png"
        )
    kind = TREES[layout.dataset]
    lists = {name: f"{kind.lists}/{name}.txt" for name in SPLITS}
    missing = {f"split {name}": file for name, file in lists.items() if not (folder / file).is_file()}
    found, broken = {}, {}
    for name, file in lists.items():
        if f"split {name}" in missing:
            continue
        try:
            read_ids(folder / file)
        except ValueError as error:
            broken[name] = Problem(photo=file, part="list", message=str(error), missing=False)
        else:
            found[name] = kind(folder, split=name)
    if not found and not broken:
        raise ValueError(f"{folder}: neither {' nor '.join(lists.values())} is there: unpack the archive again")
    for dataset in found.values():
        missing |= dataset.missing_tasks()
    remarks = {name: dataset.remarks() for name, dataset in found.items()}
    return _Opened(
        title=layout.title,
        root=folder,
        splits=found,
        remarks=remarks,
        missing=missing,
        broken=broken,
        benchmark=BENCHMARKS[layout.dataset],
    )


class _Photos(Dataset[PhotoReport]):
    """What is found of each photo of a data set."""

    def __init__(self, dataset: FileDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> PhotoReport:
        return _examine(self.dataset, index)[0]


def _read_all(dataset: FileDataset, workers: int) -> Iterator[PhotoReport]:
    batches = DataLoader(_Photos(dataset), batch_size=_BATCH, num_workers=workers, collate_fn=list)
    return chain.from_iterable(batches)


def _examine(dataset: FileDataset, index: int) -> tuple[PhotoReport, Row | None]:
    """What is found of one photo, and the photo with the labels that can be read, if it can be read itself."""
    tasks = {task.name: task for task in dataset.tasks}
    # a damaged file that serves two tasks is listed once
    problems: dict[str, Problem] = {}
    figures: dict[str, LabelFigures] = {}
    labels: dict[str, NDArray[Any]] = {}

    def note(part: str, error: Exception) -> None:
        missing, message = isinstance(error, MissingFileError), str(error)
        problems.setdefault(message, Problem(photo=dataset.ids[index], part=part, message=message, missing=missing))

    image, size = None, None
    try:
        image, readers = dataset.open(index)
        size = (image.shape[0], image.shape[1])
    except (ValueError, OSError) as error:
        note("photo", error)
        readers = dataset.labels(index)
    for name, read in readers.items():
        try:
            labels[name] = read()
        except (ValueError, OSError) as error:
            note(name, error)
        else:
            figures[name] = label_figures(tasks[name], labels[name])
    found = PhotoReport(size=size, labels=figures, problems=tuple(problems.values()))
    return found, None if image is None else (image, labels, {})


def label_figures(task: Task, label: NDArray[Any]) -> LabelFigures:
    """Figures of one label.

    Args:
        task: what it shows.
        label: as in :class:`pamm.data.sample.Sample`.
    """
    counts = valid_pixels(task, label)
    classes: tuple[int, ...] = ()
    span = None
    if task.classes:
        classes = tuple(np.bincount(label[counts].astype(np.int64), minlength=task.classes).tolist())
    else:
        values = label[np.isfinite(label) & (label != task.ignore)]
        span = (float(values.min()), float(values.max())) if values.size else None
    return LabelFigures(pixels=counts.size, counted=int(counts.sum()), classes=classes, span=span)


def _sheet(datasets: Sequence[FileDataset], samples: int) -> Image.Image | None:
    places = [(dataset, index) for dataset in datasets for index in range(len(dataset))]
    chosen = sorted({round(place) for place in np.linspace(0, len(places) - 1, samples)}) if places else []
    found = [_examine(dataset, index)[1] for dataset, index in (places[place] for place in chosen)]
    rows = [row for row in found if row is not None]
    tasks = list({task.name: task for dataset in datasets for task in dataset.tasks}.values())
    return contact_sheet(rows, tasks) if rows else None
