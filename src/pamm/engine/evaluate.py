"""Scores of a network over a labelled data set, beside the best that a constant prediction can do."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import torch
from rich.markup import escape
from rich.table import Table
from torch import Tensor
from torch.utils.data import DataLoader

from pamm.data.dataset import ReadableSamples, TransformedDataset, collate_readable
from pamm.data.sample import SampleSource
from pamm.data.transforms import TestTransform
from pamm.engine.results.run_facts import RunFacts
from pamm.metrics import Score, best_constants, task_scores
from pamm.models import PAMM
from pamm.records import build
from pamm.tasks import Task


@dataclass(frozen=True)
class TaskResult:
    """The scores of one task over a data set."""

    headline: str
    """Name of the score by which the task is compared."""
    unit: str
    """Unit of the headline score."""
    higher_is_better: bool
    """Direction of the headline score."""
    scores: dict[str, float]
    """All scores by name."""
    constant: float
    """Headline score of the best prediction that is the same for every pixel of every image."""

    @classmethod
    def of(cls, score: Score, values: Mapping[str, Tensor], *, constant: float) -> Self:
        """Take what a score computed."""
        return cls(
            headline=score.headline,
            unit=score.unit,
            higher_is_better=bool(score.higher_is_better),
            scores={key: float(value) for key, value in values.items()},
            constant=constant,
        )

    @property
    def value(self) -> float:
        """The headline score."""
        return self.scores[self.headline]

    @property
    def label(self) -> str:
        """What the headline score is called in tables: its name, its unit, and which way is better."""
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.headline}{unit} {'↑' if self.higher_is_better else '↓'}"


@dataclass(frozen=True)
class EvalResult:
    """The scores of all tasks over a data set."""

    tasks: dict[str, TaskResult]
    """Results by task name."""
    images: int
    """Number of images scored."""
    seconds: float
    """Wall time of the evaluation, reading included."""
    failed: dict[str, str] = field(default_factory=dict)
    """What is wrong with each sample that could not be read, by its number (``sample 3``); it is in no score."""
    run: RunFacts = field(default_factory=RunFacts)
    """Which network was scored, and on what, as far as it is known."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file; None stands for numbers that are not finite, as JSON has no word for them.

        Each task has its headline score once more, as ``value``.
        """
        plain = asdict(self)
        for name, result in self.tasks.items():
            plain["tasks"][name]["value"] = result.value
        return {key: _finite(value) for key, value in plain.items()}

    @classmethod
    def from_dict(cls, plain: object, where: str) -> Self:
        """Scores from what :meth:`to_dict` gave; None becomes "not a number".

        Args:
            plain: what a JSON file held.
            where: the file, for messages.

        Raises:
            ValueError: if it is something else.
        """
        if isinstance(plain, Mapping) and isinstance(plain.get("tasks"), Mapping):
            plain = {**plain, "tasks": {name: _restored(task) for name, task in plain["tasks"].items()}}
        result = build(cls, plain, where)
        for name, task in result.tasks.items():
            if task.headline not in task.scores:
                raise ValueError(f"{where}: task {name}: {task.headline!r} is not among the scores: score it again")
        return result

    def table(self, name: str = "") -> Table:
        """A table for the terminal, headed by the name of the data set."""
        table = Table(title=", ".join(filter(None, (escape(name), f"{self.images} images", f"{self.seconds:.0f} s"))))
        for column in ("task", "score", "value", "best constant"):
            table.add_column(column, justify="left" if column in ("task", "score") else "right")
        for name, result in self.tasks.items():
            table.add_row(name, escape(result.label), f"{result.value:.3f}", f"{result.constant:.3f}")
        return table


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _restored(task: object) -> object:
    """A task's results without what :meth:`EvalResult.to_dict` added, None as "not a number"."""
    if isinstance(task, Mapping):
        return {key: _restored(value) for key, value in task.items() if key != "value"}
    return math.nan if task is None else task


def common_tasks(model_tasks: tuple[Task, ...], data_tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks that a network predicts and a data set labels, in the network's order.

    Which labels count (``ignore``, ``valid_range``) and how they are scored is for the data to say; all else is the
    network's.

    Raises:
        ValueError: if there is none, or if the two disagree about a task's channels, classes or unit.
    """
    labelled = {task.name: task for task in data_tasks}
    found = tuple(task for task in model_tasks if task.name in labelled)
    if not found:
        raise ValueError(
            f"the network predicts {', '.join(task.name for task in model_tasks)} but the data labels "
            f"{', '.join(labelled)}: choose weights or data with a common task"
        )
    for task in found:
        other = labelled[task.name]
        if (task.channels, task.kind, task.class_names) != (other.channels, other.kind, other.class_names):
            raise ValueError(
                f"task {task.name}: the network predicts {_describe(task)}, the data labels {_describe(other)}: "
                "use weights trained on this data"
            )
        if task.unit != other.unit:
            raise ValueError(
                f"task {task.name}: the network predicts in {task.unit or 'no unit'}, the data labels in "
                f"{other.unit or 'no unit'}: bring the labels to the network's unit"
            )
    pairs = ((task, labelled[task.name]) for task in found)
    return tuple(
        replace(task, ignore=data.ignore, valid_range=data.valid_range, score=data.score) for task, data in pairs
    )


def _describe(task: Task) -> str:
    return f"{task.channels} channels ({', '.join(task.class_names) or task.kind})"


class Totals:
    """The scores of several tasks as batches come, and those of the best constant prediction."""

    def __init__(self, tasks: Sequence[Task], *, scored: Sequence[Task] | None = None) -> None:
        """Start with nothing.

        Args:
            tasks: what the labels are of.
            scored: the same tasks as their scores are to see them, if what is scored is no raw output of a network.
        """
        self._tasks = {task.name: task for task in tasks}
        self._scores, self._constants = task_scores(tasks if scored is None else scored), best_constants(tasks)
        self._labelled: set[str] = set()

    def update(self, name: str, output: Tensor, label: Tensor) -> None:
        """Take in a batch of one task.

        Args:
            name: the task's.
            output: what its score takes, on the CPU; of a network the raw values (b, channels, H, W).
            label: (b, label_channels, H, W).
        """
        self._scores[name].update(output, label)
        self._constants[name].update(label)
        if name not in self._labelled and self._tasks[name].valid(label).any():
            self._labelled.add(name)

    def result(self, *, images: int, seconds: float, failed: dict[str, str]) -> EvalResult:
        """The scores of the tasks of which some pixel has a label.

        Args:
            images: how many were scored.
            seconds: how long that took.
            failed: what is wrong with those that were not.

        Raises:
            ValueError: if no image could be scored, or none has a label.
        """
        if failed and not images:
            raise ValueError(
                f"none of {len(failed)} images can be scored, the first because: {next(iter(failed.values()))}"
            )
        if not self._labelled:
            raise ValueError(f"none of {images} images has a label of {', '.join(self._tasks)}: correct the data")
        results = {
            name: TaskResult.of(score, score.compute(), constant=float(self._constants[name].compute()))
            for name, score in self._scores.items()
            if name in self._labelled
        }
        return EvalResult(tasks=results, images=images, seconds=seconds, failed=failed)


@torch.inference_mode()
def evaluate(
    model: PAMM,
    dataset: SampleSource,
    *,
    canvas: tuple[int, int] | None = None,
    batch_size: int = 8,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> EvalResult:
    """Score a network on a labelled data set.

    Args:
        model: the network; it is left in evaluation mode.
        dataset: labelled photos. Tasks that the network does not predict are passed over.
        canvas: (height, width) to which photos are padded, multiples of the patch; larger photos fail. If left out it
            is the network's own, and larger photos are padded to multiples of the patch, so time and memory grow
            with them.
        batch_size: images at a time.
        workers: reading processes.
        progress: called with the number of images scored or failed, and in all.

    Returns:
        The scores, and those of the best constant prediction, of the tasks of which some pixel has a label. Samples
        that cannot be read are left out and listed.

    Raises:
        ValueError: if network and data share no task or disagree about one, or no sample can be read or has a label.
    """
    tasks = common_tasks(model.config.tasks, dataset.tasks)
    start = time.perf_counter()
    device = next(model.parameters()).device
    config = model.eval().config
    transform = TestTransform(canvas or config.image_size, tasks, patch=None if canvas else config.patch_size)
    inputs = ReadableSamples(TransformedDataset(dataset, transform, tasks, mean=config.mean, std=config.std))
    totals = Totals(tasks)
    done = 0
    failed: dict[str, str] = {}
    for batches, unreadable in DataLoader(
        inputs, batch_size=batch_size, num_workers=workers, collate_fn=collate_readable
    ):
        for batch in batches:
            outputs = model(batch["image"].to(device))
            for task in tasks:
                totals.update(task.name, outputs[task.name].float().cpu(), batch["labels"][task.name])
            done += len(batch["image"])
        failed |= {item.name: item.message for item in unreadable}
        if progress is not None:
            progress(done + len(failed), len(inputs))
    return totals.result(images=done, seconds=time.perf_counter() - start, failed=failed)
