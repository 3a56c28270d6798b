"""The field's benchmarks, as data: which tasks NYUD-v2 and PASCAL-Context label, and at what size they are read."""

from dataclasses import dataclass, replace

from pamm.class_lists import PASCAL_CLASSES, PASCAL_COLOURS
from pamm.tasks import TASKS, Task, get_tasks


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A public data set on which multi-task networks are compared."""

    title: str
    """Its name for people."""
    tasks: tuple[Task, ...]
    """Its tasks, in the order of the published tables."""
    canvas: tuple[int, int]
    """Height and width to which images are padded, and to which training crops are cut."""
    photo_sizes: tuple[tuple[int, int], tuple[int, int]]
    """Least and largest height, and width, of its photos."""
    highest: dict[str, float]
    """By task, the highest value of its labels, in the task's unit."""
    published_scores: dict[str, str]
    """By task, the published score that has a truth of its own, a key of ``pamm.metrics.SCORES``."""


BENCHMARKS: dict[str, Benchmark] = {
    "nyud": Benchmark(
        title="NYUD-v2",
        tasks=get_tasks(["semseg", "depth", "normals", "edge"]),
        canvas=(448, 576),
        photo_sizes=((425, 425), (560, 560)),
        highest={"depth": 10.0},
        published_scores={"edge": "odsf_nyud"},
    ),
    "pascal_context": Benchmark(
        title="PASCAL-Context",
        tasks=(
            replace(TASKS["semseg"], channels=21, class_names=PASCAL_CLASSES, colours=PASCAL_COLOURS),
            TASKS["human_parts"],
            TASKS["saliency"],
            replace(TASKS["edge"], positive_weight=0.95),
            TASKS["normals"],
        ),
        canvas=(512, 512),
        photo_sizes=((1, 500), (1, 500)),
        highest={},
        published_scores={"edge": "odsf_pascal_context"},
    ),
}
"""The benchmarks by the name of their data set."""
