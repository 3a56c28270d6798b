"""The data sets that a network is scored on, each on its own: one, or those of a mix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pamm.data.mix import MixDataset
from pamm.data.sample import SampleSource
from pamm.engine.data_config import DataConfig
from pamm.engine.evaluate import EvalResult, common_tasks
from pamm.tasks import Task


@dataclass(frozen=True)
class ScoredSet:
    """One data set to score a network on."""

    config: DataConfig
    """Config of this set alone."""
    source: SampleSource
    """Its samples, under the tasks of the mix if it is part of one."""


def sets_to_score(config: DataConfig, dataset: SampleSource, tasks: tuple[Task, ...]) -> dict[str, ScoredSet]:
    """The sets that scores are told of.

    Args:
        config: which data set.
        dataset: the same, opened.
        tasks: tasks of the network.

    Returns:
        Of a mix, by name, its sets that have labels of any of the tasks; else the data set, under an empty name.

    Raises:
        ValueError: if network and data share no task or disagree about one.
    """
    if not isinstance(dataset, MixDataset):
        return {"": ScoredSet(config, dataset)}
    shared = {task.name for task in common_tasks(tasks, dataset.tasks)}
    configs = config.members()
    return {
        name: ScoredSet(configs[name], source)
        for name, source in dataset.members.items()
        if any(task.name in shared for task in source.tasks)
    }


def plain_results(results: Mapping[str, EvalResult]) -> dict[str, Any]:
    """Plain values for a JSON file: the scores, or of a mix those of each set by name, under ``sets``."""
    if "" in results:
        return results[""].to_dict()
    return {"sets": {name: result.to_dict() for name, result in results.items()}}
