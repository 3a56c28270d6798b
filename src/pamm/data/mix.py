"""Several data sets as one, each with the labels it has: partial labels across sets.

A set's task goes to the task of the same name, or to another that the set names (``heads``), so that label spaces which
do not fit can have heads of their own. Classes may be mapped by name to those of the shared list instead.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pamm.data.draws import Part
from pamm.data.sample import Sample, SampleSource
from pamm.names import unknown_name
from pamm.tasks import IGNORE, Task

Range = tuple[float, float] | None

_MEANING = ("kind", "channels", "class_names", "unit", "ignore", "inverse_to_zoom")
"""Fields of a task that must be alike for labels of two sets to teach one head."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One data set of a mix."""

    source: SampleSource
    """Its samples."""
    weight: float | None = None
    """How often it is drawn from in training, in proportion to the others; its size if None."""
    heads: Mapping[str, str] = field(default_factory=dict)
    """By task of the set, the name of the mix's task."""
    classes: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    """By task of the set, the shared name of each class, None for no label; classes left out keep their name."""


class RelabelledSource:
    """A data set under the tasks of a mix: other task names, classes of a shared list."""

    def __init__(self, name: str, member: Member, shared: Mapping[str, Task]) -> None:
        """Find out what becomes of each task.

        Args:
            name: what the set is called.
            member: the set.
            shared: tasks by the mix's names, to whose lists classes are mapped; a set's own list for those left out.

        Raises:
            ValueError: if a task or class is unknown, or two tasks get one name.
        """
        self.name, self.source = name, member.source
        own = {task.name: task for task in self.source.tasks}
        for mentioned in (*member.heads, *member.classes):
            if mentioned not in own:
                raise ValueError(f"set {name}: {unknown_name('task', mentioned, own)}")
        self._tasks: dict[str, Task] = {}
        self._tables: dict[str, NDArray[np.uint8]] = {}
        for task in own.values():
            head = member.heads.get(task.name, task.name)
            if head in {other.name for other in self._tasks.values()}:
                raise ValueError(f"set {name}: two of its tasks are called {head}: give one of them another name")
            title = task.title if head == task.name else f"{task.title} ({name})"
            renamed = dataclasses.replace(task, name=head, title=title)
            if task.name in member.classes:
                renamed, table = _mapped(name, renamed, member.classes[task.name], shared.get(head))
                self._tables[task.name] = table
            self._tasks[task.name] = renamed

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Tasks under the mix's names and with its classes."""
        return tuple(self._tasks.values())

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        """One sample, its name preceded by that of the set.

        Raises:
            IndexError: if there is no such sample.
            ValueError: if it cannot be read.
        """
        try:
            sample = self.source[index]
        except ValueError as error:
            raise ValueError(f"set {self.name}: {error}") from error
        labels = {self._tasks[task].name: self._label(task, label) for task, label in sample.labels.items()}
        return dataclasses.replace(sample, labels=labels, name=f"{self.name}/{sample.name}")

    def _label(self, task: str, label: NDArray[Any]) -> NDArray[Any]:
        return self._tables[task][label] if task in self._tables else label


class MixDataset:
    """Several data sets one after the other."""

    def __init__(self, members: Mapping[str, Member], *, tasks: Sequence[Task] = ()) -> None:
        """Put the sets together.

        Args:
            members: the sets by name.
            tasks: tasks to whose lists classes are mapped, such as those of a network; of those left out the first set
                that has the task gives the list.

        Raises:
            ValueError: if there is no set, a task or class that is named is unknown, or the labels of two sets do not
                fit one task.
        """
        if not members:
            raise ValueError("a mix needs data sets: name one or more under `sets`")
        self._given = dict(members)
        self.members: dict[str, RelabelledSource] = {}
        self._weights: dict[str, float] = {}
        given = {task.name: task for task in tasks}
        found: dict[str, Task] = {}
        for name, member in members.items():
            source = RelabelledSource(name, member, found | given)
            self.members[name] = source
            self._weights[name] = member.weight or len(source)
            for task in source.tasks:
                first = found.setdefault(task.name, task)
                _check_meaning(name, task, first)
                found[task.name] = dataclasses.replace(first, valid_range=_widest(first.valid_range, task.valid_range))
        self._tasks = tuple(found.values())
        self._ends = np.cumsum([len(source) for source in self.members.values()]).tolist()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks that a set has labels for, as the first such set describes them, with the widest valid range."""
        return self._tasks

    @property
    def parts(self) -> tuple[Part, ...]:
        """Sizes and weights of the sets, for the order of training."""
        return tuple(Part(len(source), self._weights[name]) for name, source in self.members.items())

    def __len__(self) -> int:
        """Number of samples of all sets."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Sample:
        """One sample; those of the first set come first. Labels outside of their own set's valid range are left out.

        Raises:
            IndexError: if there is no such sample.
            ValueError: if it cannot be read.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index}: the mix has {len(self)}, the first is 0")
        start = 0
        for source, end in zip(self.members.values(), self._ends, strict=True):
            if index < end:
                return self._limited(source[index - start], source.tasks)
            start = end
        raise AssertionError("the last end is the length")

    def _limited(self, sample: Sample, tasks: Sequence[Task]) -> Sample:
        ranges = {task.name: task.valid_range for task in self._tasks}
        limited = {
            task.name: _in_range(sample.labels[task.name], task)
            for task in tasks
            if task.name in sample.labels and task.valid_range != ranges[task.name]
        }
        return dataclasses.replace(sample, labels=sample.labels | limited)

    def with_labels_of(self, tasks: Collection[str]) -> "MixDataset":
        """The mix without the sets that have labels of none of some tasks, as they would teach nothing."""
        kept = {
            name: self._given[name]
            for name, source in self.members.items()
            if any(task.name in tasks for task in source.tasks)
        }
        return MixDataset(kept, tasks=self.tasks)


def _mapped(
    name: str, task: Task, mapping: Mapping[str, str | None], shared: Task | None
) -> tuple[Task, NDArray[np.uint8]]:
    """A task with its classes mapped to the shared ones, and the new label by old label."""
    if task.kind != "classes" or not task.class_names:
        raise ValueError(f"set {name}: task {task.name} has no named classes to map: leave it out of 'classes'")
    for own in mapping:
        if own not in task.class_names:
            raise ValueError(f"set {name}: task {task.name}: {unknown_name('class', own, task.class_names)}")
    wanted = {own: mapping.get(own, own) for own in task.class_names}
    if shared is None:
        names = tuple(dict.fromkeys(target for target in wanted.values() if target is not None))
        first = [next(own for own, target in wanted.items() if target == new) for new in names]
        colours = tuple(task.colours[task.class_names.index(own)] for own in first) if task.colours else ()
        task = dataclasses.replace(task, channels=len(names), class_names=names, colours=colours)
    else:
        names = shared.class_names
        task = dataclasses.replace(
            task, channels=shared.channels, class_names=shared.class_names, colours=shared.colours
        )
    table = np.full(IGNORE + 1, IGNORE, dtype=np.uint8)
    for index, (own, target) in enumerate(wanted.items()):
        if target is not None and target not in names:
            raise ValueError(
                f"set {name}: task {task.name}: class {own!r} has no place in the shared list: under 'classes' give it "
                f"one of {', '.join(names)}, or null for no label"
            )
        table[index] = IGNORE if target is None else names.index(target)
    return task, table


def _widest(one: Range, other: Range) -> Range:
    return None if one is None or other is None else (min(one[0], other[0]), max(one[1], other[1]))


def _in_range(label: NDArray[Any], task: Task) -> NDArray[Any]:
    """A label with ``ignore`` where the task's valid range does not hold it."""
    assert task.valid_range is not None, "a range that differs from the widest is one"
    low, high = task.valid_range
    inside = ((label > low) & (label < high)).reshape(*label.shape[:2], -1).all(axis=2)
    kept = label.copy()
    kept[~inside] = task.ignore
    return kept


def _check_meaning(name: str, task: Task, shared: Task) -> None:
    for key in _MEANING:
        got, wanted = getattr(task, key), getattr(shared, key)
        if got != wanted:
            raise ValueError(
                f"set {name}: task {task.name} has {key} {_short(got)}, the same task elsewhere has {_short(wanted)}: "
                f"give the set a head of its own, heads: {{{task.name}: {name}_{task.name}}}, or bring its labels to "
                f"the shared ones, classes by classes: {{{task.name}: {{OWN: SHARED}}}}, others in its manifest"
            )


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
