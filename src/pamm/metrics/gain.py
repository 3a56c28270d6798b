"""Multi-task gain: by how much a network of many tasks is better than one network per task."""

from collections.abc import Iterable, Mapping

from pamm.metrics.classes import SCORES
from pamm.tasks import Task


def relative_gain(score: float, baseline: float, *, higher_is_better: bool) -> float:
    """Relative gain of one score over another, in percent.

    Args:
        score: the score M.
        baseline: the score B that it is held against.
        higher_is_better: direction of both.

    Returns:
        ``100 s (M − B)/B`` with s = +1 where a higher score is better and −1 where a lower one is: positive if M is
        the better one.

    Raises:
        ValueError: if the baseline is 0.

    Example:
        >>> relative_gain(0.75, 0.5, higher_is_better=False)
        -50.0
    """
    if baseline == 0:
        raise ValueError("the baseline is 0, so no relative gain exists; leave the task out")
    return (100 if higher_is_better else -100) * (score - baseline) / baseline


def multi_task_gain(scores: Mapping[str, float], baselines: Mapping[str, float], tasks: Iterable[Task]) -> float:
    """Mean relative gain over single-task networks, in percent.

    ``100/T · Σ s (M − B)/B`` with s = +1 where a higher score is better and −1 where a lower one is.

    Args:
        scores: headline score M by task name.
        baselines: headline score B by task name, of single-task networks with the same encoder and recipe.
        tasks: the tasks to average over.

    Returns:
        Percent; positive if sharing helps.

    Raises:
        ValueError: if there is no task, a score or baseline is missing, or a baseline is 0.

    Example:
        >>> from pamm.tasks import get_tasks
        >>> tasks = get_tasks(["semseg", "depth"])
        >>> multi_task_gain({"semseg": 60.0, "depth": 0.75}, {"semseg": 50.0, "depth": 0.5}, tasks)
        -15.0
    """
    gains = []
    for task in tasks:
        for what, values in (("score", scores), ("baseline", baselines)):
            if task.name not in values:
                raise ValueError(f"task {task.name}: no {what} among {', '.join(values) or 'none'}; give one per task")
        higher_is_better = SCORES[task.score].higher_is_better
        try:
            gain = relative_gain(scores[task.name], baselines[task.name], higher_is_better=higher_is_better)
        except ValueError as error:
            raise ValueError(f"task {task.name}: {error}") from error
        gains.append(gain)
    if not gains:
        raise ValueError("no task was given: the gain is a mean over one or more")
    return sum(gains) / len(gains)
