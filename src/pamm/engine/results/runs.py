"""Files of scores as `pamm eval --json` writes them, and whether they may be held against each other."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pamm.engine.evaluate import EvalResult, TaskResult


@dataclass(frozen=True)
class Run:
    """The scores of one network."""

    name: str
    """What it is called in tables."""
    result: EvalResult
    """Its scores."""
    file: str = ""
    """File that holds them, for messages; none while they are not written."""

    @property
    def where(self) -> str:
        """File or name, for messages."""
        return self.file or self.name

    @property
    def data(self) -> str:
        """What it was scored on, in words."""
        unread = f" and {len(self.result.failed)} that cannot be read" if self.result.failed else ""
        return f"{self._data_set}, {self.result.images} images{unread}"

    @property
    def whole_data(self) -> str:
        """What it was meant to be scored on, in words: with the images that could not be read."""
        return f"{self._data_set}, {self.result.images + len(self.result.failed)} images"

    @property
    def _data_set(self) -> str:
        facts = self.result.run
        return " ".join(filter(None, (facts.data, facts.split, f"({facts.source})" if facts.source else "")))


def read_run(path: Path) -> Run:
    """Read a file of scores on one data set.

    Raises:
        ValueError: if it holds something else, or no word on what was scored.
        OSError: if it cannot be read.
    """
    plain = _read(path)
    if _is_mix(plain):
        names = ", ".join(plain["sets"])
        raise ValueError(f"{path}: holds scores on a mix of data sets ({names}): score one of them on its own")
    return _run(plain, path)


def read_scores(path: Path) -> list[Run]:
    """Read a file of scores on one data set or several.

    Raises:
        ValueError: if it holds something else, or no word on what was scored.
        OSError: if it cannot be read.
    """
    plain = _read(path)
    return [_run(one, path) for one in plain["sets"].values()] if _is_mix(plain) else [_run(plain, path)]


def holds_scores(path: Path) -> bool:
    """Whether a file holds scores, even if it does not say of what."""
    try:
        plain = _read(path)
        for one in plain["sets"].values() if _is_mix(plain) else [plain]:
            EvalResult.from_dict(one, str(path))
    except (OSError, ValueError):
        return False
    return True


def _read(path: Path) -> Any:  # noqa: ANN401  (whatever is in the file)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not a JSON file ({error}): give one that `pamm eval --json` wrote") from error


def _is_mix(plain: object) -> bool:
    return isinstance(plain, Mapping) and isinstance(plain.get("sets"), Mapping)


def _run(plain: object, path: Path) -> Run:
    try:
        result = EvalResult.from_dict(plain, str(path))
    except ValueError as error:
        raise ValueError(f"{error}; wanted are scores as `pamm eval --json` writes them") from error
    if not result.run.data:
        raise ValueError(f"{path}: does not say what data was scored: score it anew with `pamm eval --json`")
    return Run(result.run.name or path.stem, result, str(path))


def read_runs(paths: Sequence[Path], *, names: Sequence[str] | None = None) -> list[Run]:
    """Read files of scores of several networks.

    Args:
        paths: the files.
        names: what the networks are called in tables; as their files say if left out, or like the files where two
            would be called the same.

    Raises:
        ValueError: if a file holds something else, or there is not one name each.
        OSError: if a file cannot be read.
    """
    runs = [read_run(path) for path in paths]
    if names is None:
        names = [run.name for run in runs]
        if len(set(names)) < len(names):
            names = [path.stem for path in paths]
        if len(set(names)) < len(names):
            names = [str(path) for path in paths]
    if len(names) != len(runs):
        raise ValueError(f"got {len(names)} names for {len(runs)} files: give one each")
    return [Run(name, run.result, run.file) for name, run in zip(names, runs, strict=True)]


def read_baselines(paths: Iterable[Path]) -> dict[str, Run]:
    """Read files of scores of single-task networks.

    Returns:
        One run for each task, by its name.

    Raises:
        ValueError: if a file holds something else, or scores of several tasks, or two are for one task.
        OSError: if a file cannot be read.
    """
    found: dict[str, Run] = {}
    for path in paths:
        run = read_run(path)
        if len(run.result.tasks) != 1:
            raise ValueError(
                f"{path}: holds scores of {len(run.result.tasks)} tasks ({', '.join(run.result.tasks)}), a baseline is "
                "a network of one task: `pamm compare` holds networks of several tasks against each other"
            )
        (task,) = run.result.tasks
        if task in found:
            raise ValueError(f"{found[task].where} and {path} are both baselines of {task}: give one for each task")
        found[task] = run
    return found


def check_same_data(first: Run, second: Run) -> None:
    """See whether two networks were scored on the same images, apart from those that could not be read.

    Raises:
        ValueError: if they were not.
    """
    if first.whole_data != second.whole_data:
        raise ValueError(
            f"{second.where} was scored on {second.data}, {first.where} on {first.data}: "
            "score both on the same images, or have them compared nonetheless (`pamm compare --mixed_data`)"
        )


def data_notes(runs: Sequence[Run]) -> list[str]:
    """What each network was scored on, in words, unless all were scored on the same images."""
    if len({run.data for run in runs}) == 1 and not any(run.result.failed for run in runs):
        return []
    return [f"{run.name}: {run.data}." for run in runs]


def check_same_score(first: Run, second: Run, task: str) -> None:
    """See whether two networks were scored in the same way.

    Raises:
        ValueError: if their headlines differ in name, unit or direction.
    """
    headings = [_heading(run.result.tasks[task]) for run in (first, second)]
    if headings[0] != headings[1]:
        raise ValueError(
            f"task {task}: {second.where} is scored by {headings[1]}, {first.where} by {headings[0]}, which cannot be "
            "held against each other: score both in the same way, or leave the task out"
        )


def check_baselines(run: Run, baselines: Mapping[str, Run], tasks: Iterable[str], *, mixed_data: bool = False) -> None:
    """See whether there is a baseline of each task, scored on the same images.

    Args:
        run: the network that is held against them; it needs no scores yet.
        baselines: single-task networks by task.
        tasks: names of the tasks that need one.
        mixed_data: whether they may be scored on other images.

    Raises:
        ValueError: if one is missing, or was scored on other images.
    """
    tasks = list(tasks)
    missing = [task for task in tasks if task not in baselines]
    if missing:
        raise ValueError(
            f"no baseline of {', '.join(missing)}, only of {', '.join(baselines)}: give the scores of a single-task "
            "network for each task"
        )
    for task in tasks:
        if not mixed_data:
            check_same_data(run, baselines[task])


def _heading(result: TaskResult) -> str:
    unit = f" [{result.unit}]" if result.unit else ""
    return f"{result.headline}{unit}, {'higher' if result.higher_is_better else 'lower'} is better"
