"""What was found in a labelled data set, as numbers and as words."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from pamm.benchmarks import Benchmark
from pamm.tasks import Task

_NAMED = 5
"""How many photos are named for each kind of problem."""
_SHARES = 4
"""How many classes are named with their shares."""


@dataclass(frozen=True, kw_only=True)
class LabelFigures:
    """Figures of one photo's label."""

    pixels: int
    """Number of pixels."""
    counted: int
    """Number of pixels whose label counts."""
    classes: tuple[int, ...] = ()
    """Classes and yes/no questions: number of pixels of each class."""
    span: tuple[float, float] | None = None
    """Values: the lowest and the highest of the labelled pixels, or None if there are none."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file that is missing or corrupt."""

    photo: str
    """Id of the photo."""
    part: str
    """``list``, ``photo`` or the name of the task."""
    message: str
    """What is wrong with the file, and what to do."""
    missing: bool
    """Whether the file is not there, rather than corrupt."""


@dataclass(frozen=True, kw_only=True)
class PhotoReport:
    """What was found of one photo."""

    size: tuple[int, int] | None
    """Height and width, or None if the photo cannot be read."""
    labels: dict[str, LabelFigures]
    """Figures of the labels that can be read, by task."""
    problems: tuple[Problem, ...]
    """Files that are missing or corrupt, each once."""


@dataclass(kw_only=True)
class TaskFigures:
    """Figures of all labels of one task."""

    task: Task
    """The task as the data set describes it."""
    labels: int = 0
    """Number of photos with a label that can be read."""
    pixels: int = 0
    """Number of their pixels."""
    counted: int = 0
    """Number of their pixels whose label counts."""
    classes: list[int] = field(default_factory=list)
    """Classes and yes/no questions: number of pixels of each class."""
    span: tuple[float, float] | None = None
    """Values: the lowest and the highest of the labelled pixels, or None if there are none."""

    def add(self, label: LabelFigures) -> None:
        """Take in the label of one photo."""
        self.labels += 1
        self.pixels += label.pixels
        self.counted += label.counted
        before = self.classes or [0] * len(label.classes)
        self.classes = [one + other for one, other in zip(before, label.classes, strict=True)]
        spans = [span for span in (self.span, label.span) if span is not None]
        self.span = (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None

    @property
    def shares(self) -> dict[str, float]:
        """Part of the pixels that count by class; classes without a name by number."""
        names = self.task.class_names or tuple(map(str, range(len(self.classes))))
        return {name: count / max(1, self.counted) for name, count in zip(names, self.classes, strict=False)}

    def words(self) -> str:
        """The range of the labels, and the most frequent classes."""
        if self.task.kind == "binary":
            return ", ".join(f"{share:.1%} {name}" for name, share in list(self.shares.items())[1:])
        if self.classes:
            present = [index for index, count in enumerate(self.classes) if count]
            if not present:
                return "no pixel has a class"
            often = sorted(self.shares.items(), key=lambda item: -item[1])[:_SHARES]
            listed = ", ".join(f"{name} {share:.1%}" for name, share in often if share)
            return f"{len(present)} of {len(self.classes)} classes, {present[0]} to {present[-1]}: {listed}"
        if self.span is None:
            return ""
        unit = "in every channel" if self.task.kind == "direction" else self.task.unit
        return f"{self.span[0]:.3g} to {self.span[1]:.3g} {unit}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        plain: dict[str, Any] = {"labels": self.labels, "pixels": self.pixels, "counted": self.counted}
        if self.classes:
            plain["shares"] = self.shares
        if self.span is not None:
            plain["span"] = list(self.span)
        return plain


@dataclass(kw_only=True)
class SplitReport:
    """What was found in one split."""

    name: str
    """Name of the split."""
    photos: int
    """Number of photos that it lists."""
    tasks: dict[str, TaskFigures]
    """Figures by task."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Number of photos by (height, width)."""
    problems: list[Problem] = field(default_factory=list)
    """Files that are missing or corrupt, each once."""
    remarks: tuple[str, ...] = ()
    """What is worth knowing, but no fault."""

    def add(self, photo: PhotoReport) -> None:
        """Take in what was found of one photo."""
        self.sizes.update([photo.size] if photo.size else [])
        self.problems += photo.problems
        for name, label in photo.labels.items():
            self.tasks[name].add(label)

    def compare(self, benchmark: Benchmark) -> None:
        """Remark on photos and labels that are not as the benchmark's are."""
        (low, high), (narrow, wide) = benchmark.photo_sizes
        fitting = sum(
            count for (height, width), count in self.sizes.items() if low <= height <= high and narrow <= width <= wide
        )
        if others := sum(self.sizes.values()) - fitting:
            wanted = f"{_range([low, high])}×{_range([narrow, wide])}"
            self.remarks += (f"{others:,} photos are not {wanted} pixels, as all of the benchmark are",)
        for name, top in benchmark.highest.items():
            span = self.tasks[name].span if name in self.tasks else None
            if span is not None and span[1] > top:
                unit = self.tasks[name].task.unit
                self.remarks += (f"{name} is up to {span[1]:.4g} {unit}, the benchmark's up to {top:g}: another unit?",)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "photos": self.photos,
            "sizes": {f"{height}x{width}": count for (height, width), count in sorted(self.sizes.items())},
            "tasks": {name: figures.to_dict() for name, figures in self.tasks.items()},
            "problems": [vars(problem) for problem in self.problems],
            "remarks": list(self.remarks),
        }


@dataclass(kw_only=True)
class CheckReport:
    """What was found in a data set."""

    title: str
    """Which set and variant it is."""
    root: str
    """Where it lies."""
    splits: list[SplitReport]
    """What was found in each split."""
    missing: dict[str, str]
    """What is missing altogether: kinds of labels, with their folders, and splits."""

    @property
    def sound(self) -> bool:
        """Whether nothing is missing or corrupt."""
        return not self.missing and not any(split.problems for split in self.splits)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "title": self.title,
            "root": self.root,
            "sound": self.sound,
            "missing": self.missing,
            "splits": {split.name: split.to_dict() for split in self.splits},
        }

    def table(self) -> Table:
        """The figures of all labels, for the terminal."""
        table = Table(title=Text(self.title), caption=Text(self.root))
        for column in ("split", "task", "labels", "pixels"):
            table.add_column(column, justify="left" if column in ("split", "task") else "right", no_wrap=True)
        table.add_column("range and classes")
        for split in self.splits:
            heights, widths = ([size[axis] for size in split.sizes] or [0] for axis in (0, 1))
            size = f"{_range(heights)}×{_range(widths)} pixels"
            table.add_row(split.name, "photos", f"{sum(split.sizes.values()):,} of {split.photos:,}", "", size)
            for name, figures in split.tasks.items():
                part = f"{figures.counted / max(1, figures.pixels):.1%}"
                table.add_row("", name, f"{figures.labels:,}", part, Text(figures.words()))
            table.add_section()
        return table

    def notes(self) -> list[str]:
        """What is worth knowing, but no fault."""
        alone = len(self.splits) == 1
        return [remark if alone else f"{split.name}: {remark}" for split in self.splits for remark in split.remarks]

    def faults(self) -> list[str]:
        """What is missing or corrupt: for each kind a count, the first names and what is wrong with the first."""
        lines = [f"{name}: {folders} missing" for name, folders in self.missing.items()]
        for split in self.splits:
            for missing in (True, False):
                for part in ("list", "photo", *split.tasks):
                    found = [
                        problem for problem in split.problems if (problem.missing, problem.part) == (missing, part)
                    ]
                    if found:
                        names = ", ".join(problem.photo for problem in found[:_NAMED])
                        rest = ", ..." if len(found) > _NAMED else ""
                        lines.append(
                            f"{split.name}: {part}: {len(found):,} {'missing' if missing else 'corrupt'} "
                            f"({names}{rest}), the first: {found[0].message}"
                        )
        return lines


def _range(values: list[int]) -> str:
    return str(values[0]) if min(values) == max(values) else f"{min(values)}..{max(values)}"
