"""The table of a paper: a row for each network, beside published ones, with the gain over single-task networks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pamm.engine.evaluate import TaskResult
from pamm.engine.results.published import PUBLISHED, PublishedSet, ScoreColumn
from pamm.engine.results.result_table import Cell, Column, ResultTable
from pamm.engine.results.runs import Run, check_baselines, check_same_score, data_notes
from pamm.metrics import relative_gain

OURS = "pamm eval"
"""Source of scores that are not published."""
_FAIR_WARNING = (
    "Published scores are those of the named source; a paper and its released weights can differ by 0.5 or more."
)


@dataclass(frozen=True)
class _Line:
    """What the table says about one network or one group of them."""

    method: str
    encoder: str
    scores: Sequence[float | None]
    source: str
    gain: float | None = None
    parameters: int | None = None
    multiply_adds: int | None = None


def published_set(run: Run) -> PublishedSet | None:
    """What is published for the images that a network was scored on, if anything is."""
    facts = run.result.run
    published = PUBLISHED.get(facts.data)
    return published if published is not None and published.split == facts.split else None


def eval_table(run: Run, baselines: Mapping[str, Run] | None = None) -> ResultTable:
    """The row of one network, beside the published rows of its data set if there are any.

    Args:
        run: the scored network.
        baselines: single-task networks by task, for the gain over them.

    Raises:
        ValueError: if a task has no baseline, or one that was scored in another way or on other images.
    """
    tasks = list(run.result.tasks)
    gain = None
    if baselines:
        check_baselines(run, baselines, tasks)
        baselines = {task: baselines[task] for task in tasks}
        gain = mean_gain(run, baselines)
    published = published_set(run)
    notes = gain_notes(baselines, "single-task baselines") if baselines else []
    notes += data_notes([run, *baselines.values()]) if baselines else []
    if published:
        notes += [_FAIR_WARNING, *_differences(run, published)]
    return score_table([run], gains=[gain], baselines=baselines or {}, published=published, notes=notes)


def mean_gain(run: Run, bases: Mapping[str, Run]) -> float | None:
    """Mean relative gain over other networks, Δ, in percent; None if every base is 0.

    Args:
        run: the scored network.
        bases: the network that it is held against, by task; tasks whose base is 0 are left out.

    Raises:
        ValueError: if a base was scored in another way.
    """
    gains = [task_gain(run, base, task) for task, base in bases.items()]
    found = [gain for gain in gains if gain is not None]
    return sum(found) / len(found) if found else None


def task_gain(run: Run, base: Run, task: str) -> float | None:
    """Relative gain in one task, in percent, positive if the run is better than the base; None if the base is 0.

    Raises:
        ValueError: if the base was scored in another way.
    """
    check_same_score(base, run, task)
    result, old = run.result.tasks[task], base.result.tasks[task].value
    return None if old == 0 else relative_gain(result.value, old, higher_is_better=result.higher_is_better)


def gain_notes(bases: Mapping[str, Run], over: str) -> list[str]:
    """What Δ is, in words, and which tasks it leaves out.

    Args:
        bases: the network that others are held against, by task.
        over: what these are called together.
    """
    zeros = {task: base for task, base in bases.items() if base.result.tasks[task].value == 0}
    counted = [task for task in bases if task not in zeros]
    notes = [f"Δ: mean relative gain over {over} in {', '.join(counted)}; positive is better."] if counted else []
    return notes + [
        f"{task} of {base.where} is 0: no gain is relative to it, Δ leaves the task out."
        for task, base in zeros.items()
    ]


def headline_column(task: str, result: TaskResult) -> ScoreColumn:
    """The column of a task's headline score."""
    decimals = 2 if result.unit in ("%", "°") else 4
    title = f"{task} {result.headline}"
    return ScoreColumn(task, result.headline, title, result.unit, result.higher_is_better, decimals)


def score_table(
    runs: Sequence[Run],
    *,
    gains: Sequence[float | None],
    baselines: Mapping[str, Run],
    tasks: Sequence[str] | None = None,
    published: PublishedSet | None = None,
    notes: Sequence[str] = (),
) -> ResultTable:
    """A row for each network.

    Args:
        runs: the scored networks.
        gains: Δ of each in percent; if it is None for all, the table has no such column.
        baselines: single-task networks by task, which make one row together, with the sums of their sizes.
        tasks: names of the tasks that are shown if nothing is published; all if left out.
        published: published rows of the same images; without them the sizes of the networks are shown.
        notes: sentences to read with the table.
    """
    found = {task: result for run in reversed(runs) for task, result in run.result.tasks.items()}
    shown = tasks or list(dict.fromkeys(task for run in runs for task in run.result.tasks))
    scores = published.columns if published else tuple(headline_column(task, found[task]) for task in shown)
    columns = [Column("method", numeric=False), Column("encoder", numeric=False)]
    columns += [Column(score.title, score.unit, score.higher_is_better) for score in scores]
    has_gain = any(gain is not None for gain in gains)
    columns += [Column("Δ", "%", True)] if has_gain else []
    sizes = [Column("parameters", "M"), Column("multiply-adds", "G")]
    columns += [Column("source", numeric=False, aside=True)] if published else sizes

    def row(line: _Line) -> tuple[Cell, ...]:
        return (
            Cell(line.method),
            Cell(line.encoder),
            *(Cell(value, score.decimals) for value, score in zip(line.scores, scores, strict=True)),
            *([Cell(line.gain, signed=True)] if has_gain else []),
            *([Cell(line.source)] if published else [_size(line.parameters, 1e6), _size(line.multiply_adds, 1e9)]),
        )

    theirs = (
        [_Line(line.method, line.encoder, line.scores, line.source) for line in published.rows] if published else []
    )
    singles = [_baseline_line(baselines, scores)] if baselines else []
    ours = [_run_line(run, gain, scores) for run, gain in zip(runs, gains, strict=True)]
    groups = tuple(tuple(row(line) for line in lines) for lines in (theirs, singles, ours))
    title = f"{published.title}, {published.split}" if published else runs[0].data
    return ResultTable(title, tuple(columns), groups, tuple(notes))


def _run_line(run: Run, gain: float | None, scores: Iterable[ScoreColumn]) -> _Line:
    facts = run.result.run
    values = [_value(run, score) for score in scores]
    return _Line(run.name, facts.encoder, values, OURS, gain, facts.parameters, facts.multiply_adds)


def _baseline_line(baselines: Mapping[str, Run], scores: Iterable[ScoreColumn]) -> _Line:
    facts = [run.result.run for run in baselines.values()]
    encoders = {one.encoder for one in facts}
    return _Line(
        "single-task baselines",
        encoders.pop() if len(encoders) == 1 else "",
        [_value(baselines.get(score.task), score) for score in scores],
        OURS,
        parameters=sum(one.parameters for one in facts),
        multiply_adds=sum(one.multiply_adds for one in facts),
    )


def _value(run: Run | None, score: ScoreColumn) -> float | None:
    """A network's score by its own name, so that no other score of the task stands in for it."""
    result = run.result.tasks.get(score.task) if run else None
    return result.scores.get(score.score) if result else None


def _size(count: int | None, unit: float) -> Cell:
    return Cell(count / unit if count else None)


def _differences(run: Run, published: PublishedSet) -> list[str]:
    """In what a network's row is not like the published ones."""
    notes = []
    for column in published.columns:
        result = run.result.tasks.get(column.task)
        if result and column.score not in result.scores:
            notes.append(f"{run.name}: {column.task} is scored by {result.headline}, which is not {column.score}.")
    if run.result.images != published.images:
        notes.append(
            f"{run.name}: {run.result.images} images are scored, published scores are of {published.images}: "
            "not comparable."
        )
    return notes
