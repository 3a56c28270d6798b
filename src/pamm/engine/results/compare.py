"""Scored networks side by side: what each task gains and loses."""

from collections.abc import Mapping, Sequence

from pamm.engine.results.result_table import Cell, Column, ResultTable
from pamm.engine.results.runs import Run, check_baselines, check_same_data, check_same_score, data_notes
from pamm.engine.results.score_table import gain_notes, headline_column, mean_gain, score_table, task_gain
from pamm.names import unknown_name


def compare(
    runs: Sequence[Run],
    *,
    baselines: Mapping[str, Run] | None = None,
    tasks: Sequence[str] | None = None,
    mixed_data: bool = False,
) -> tuple[ResultTable, ResultTable]:
    """Hold scored networks against the first of them, or against single-task networks.

    Args:
        runs: the networks.
        baselines: single-task networks by task; each task is then held against its own.
        tasks: names of the tasks to compare; those that all networks have if left out.
        mixed_data: whether they may be scored on other images than the first.

    Returns:
        A row for each network, with Δ over the tasks that all of them have and whose base is not 0; and for each of
        those that all have the difference and the relative gain of each network.

    Raises:
        ValueError: if there is nothing to compare, networks were scored on other images or in other ways, or a
            baseline is missing.
    """
    if len(runs) < (1 if baselines else 2):
        raise ValueError(f"got {len(runs)} scored networks: give two or more, or one and its single-task baselines")
    common = _common(runs, tasks)
    for run in runs:
        if not mixed_data:
            check_same_data(runs[0], run)
        for task in common:
            check_same_score(runs[0], run, task)
    bases = dict.fromkeys(common, runs[0])
    if baselines:
        check_baselines(runs[0], baselines, common, mixed_data=mixed_data)
        bases = {task: baselines[task] for task in common}
    held = runs if baselines else runs[1:]
    gains = [mean_gain(run, bases) if run in held else None for run in runs]
    notes = gain_notes(bases, "single-task baselines" if baselines else runs[0].name)
    notes += data_notes([*runs, *(bases.values() if baselines else ())])
    scores = score_table(
        runs,
        gains=gains,
        baselines=bases if baselines else {},
        tasks=tasks,
        notes=notes,
    )
    return scores, _gains(held, bases)


def _common(runs: Sequence[Run], tasks: Sequence[str] | None) -> list[str]:
    """Names of the tasks to compare."""
    common = [task for task in runs[0].result.tasks if all(task in run.result.tasks for run in runs)]
    for task in tasks or ():
        if task not in common:
            raise unknown_name("task in all of the files", task, common)
    if not common:
        scored = "; ".join(f"{run.where}: {', '.join(run.result.tasks)}" for run in runs)
        raise ValueError(f"no task is in all of the files ({scored}): compare networks with a common task")
    return [task for task in common if tasks is None or task in tasks]


def _gains(runs: Sequence[Run], bases: Mapping[str, Run]) -> ResultTable:
    """A row for each task and network."""
    columns = (
        Column("score", numeric=False),
        Column("method", numeric=False),
        *(Column(name) for name in ("base", "value", "difference")),
        Column("gain", "%"),
    )
    groups = []
    for task, base in bases.items():
        score = headline_column(task, base.result.tasks[task])
        heading = Column(score.title, score.unit, score.higher_is_better).heading
        old = base.result.tasks[task].value
        rows = []
        for run in runs:
            new = run.result.tasks[task].value
            rows.append(
                (
                    Cell(heading),
                    Cell(run.name),
                    Cell(old, score.decimals),
                    Cell(new, score.decimals),
                    Cell(new - old, score.decimals, signed=True),
                    Cell(task_gain(run, base, task), signed=True),
                )
            )
        groups.append(rows)
    note = "difference: value less base; gain: relative to the base, positive is better."
    apart = groups if len(runs) > 1 else [[row for rows in groups for row in rows]]
    return ResultTable("gain by task", columns, tuple(map(tuple, apart)), (note,))
