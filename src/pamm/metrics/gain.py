"""Multi-task gain: by how much a network of many tasks is better than one network per task."""

from collections.abc import Iterable, Mapping

from pamm.metrics.classes import SCORES
from pamm.tasks import Task


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
        score, baseline = scores[task.name], baselines[task.name]
        if baseline == 0:
            raise ValueError(f"task {task.name}: the baseline is 0, so no relative gain exists; leave the task out")
        sign = 1 if SCORES[task.score].higher_is_better else -1
        gains.append(sign * (score - baseline) / baseline)
    if not gains:
        raise ValueError("no task was given: the gain is a mean over one or more")
    return 100 * sum(gains) / len(gains)
