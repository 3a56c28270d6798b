"""The model card: what some weights predict, how well, and how they are used.

It is Markdown with a head of metadata that the hub reads: tags to find the weights by, and their scores.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from huggingface_hub import EvalResult as HubResult
from huggingface_hub import ModelCardData

from pamm.engine.evaluate import TaskResult
from pamm.engine.results.result_table import Cell, Column, ResultTable, markdown
from pamm.engine.results.run_facts import encoder_name
from pamm.engine.results.runs import Run
from pamm.models import PAMMConfig
from pamm.models.info import total_parameters
from pamm.tasks import Kind, Task

TAGS = ("multi-task", "dense-prediction", "state-space-model", "mamba")
PAPER = "https://arxiv.org/abs/2511.14503"

_HUB_TASKS: dict[Kind, str] = {
    "classes": "image-segmentation",
    "binary": "image-segmentation",
    "regression": "image-to-image",
    "direction": "image-to-image",
}
_HUB_DISTANCE = "depth-estimation"
"""Names that the hub has for what a map shows."""
_SEAL = "\n<!-- pamm wrote this card, and writes it anew as long as nobody has edited it: {} -->\n"
_SEALED = re.compile(_SEAL.format(r"(?P<sum>[0-9a-f]{16})") + r"\Z")
_LIMITS = """## Limits

Scores hold for images like those they were measured on. On photos of other places, cameras or times of day the maps can
be wrong, and they look as sure as ever.
"""
_LICENSE = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
_MOST_CLASSES = 25
"""A card names so many classes of a map; more fill pages, and the config has them all."""


def write_card(config: PAMMConfig, *, name: str, runs: Sequence[Run] = (), license: str | None = None) -> str:
    """Write the card of a network.

    Args:
        config: the network's config.
        name: what the weights are called, as :func:`pamm.load` takes it.
        runs: the network's scores.
        license: the hub's short name of the licence of the weights, for example ``mit``; none is named if left out.

    Raises:
        ValueError: if the licence is no such name.
    """
    if license is not None and not _LICENSE.fullmatch(license):
        raise ValueError(f"license is {license!r}, must be the hub's short name of one, such as mit or cc-by-4.0")
    data = ModelCardData(
        license=license,
        library_name="pamm",
        pipeline_tag=Counter(map(_hub_task, config.tasks)).most_common(1)[0][0],
        tags=list(dict.fromkeys((*TAGS, *(_slug(task.title) for task in config.tasks), *map(_hub_task, config.tasks)))),
        model_name=name,
        eval_results=hub_results(config.tasks, runs) or None,
    )
    sections = (_maps(config), _scores(config.tasks, runs), _use(config, name), _training(config, runs), _LIMITS)
    opening = (
        f"A Parameter Aware Mamba Model ([PAMM]({PAPER})) of {total_parameters(config) / 1e6:.2f} million parameters "
        f"with the encoder {markdown(encoder_name(config))}. "
        f"It looks at a photo once and predicts {_maps_in_words(len(config.tasks))}."
    )
    body = "\n".join((f"# {markdown(name)}\n", f"{opening}\n", *sections))
    return _sealed(f"---\n{data.to_yaml()}\n---\n\n{body}")


def is_unedited(card: str) -> bool:
    """Whether a card is as :func:`write_card` wrote it."""
    seal = _SEALED.search(card)
    return seal is not None and seal["sum"] == _sum(card[: seal.start()])


def hub_results(tasks: Iterable[Task], runs: Iterable[Run]) -> list[HubResult]:
    """Scores as the hub shows them; a headline that is not a number is left out."""
    rows = {task.name: task for task in tasks}
    return [
        HubResult(
            task_type=_hub_task(rows[name]),
            task_name=rows[name].title,
            dataset_type=run.result.run.data,
            dataset_name=run.data,
            dataset_split=run.result.run.split or None,
            metric_type=_slug(result.headline),
            metric_name=f"{rows[name].title}, {result.label}",
            metric_value=round(result.value, 4),
        )
        for run in runs
        for name, result in run.result.tasks.items()
        if name in rows and math.isfinite(result.value)
    ]


def _sealed(card: str) -> str:
    return card + _SEAL.format(_sum(card))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hub_task(task: Task) -> str:
    return _HUB_DISTANCE if task.inverse_to_zoom else _HUB_TASKS[task.kind]


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower()))


def _maps_in_words(count: int) -> str:
    return "one map" if count == 1 else f"{count} maps"


def _maps(config: PAMMConfig) -> str:
    rows = tuple((Cell(task.title), Cell(task.name), Cell(_values(task))) for task in config.tasks)
    columns = tuple(Column(name, numeric=False) for name in ("map", "name", "values"))
    lines = ResultTable("", columns, (rows,)).to_markdown().lstrip()
    return f"## Maps\n\n{lines}"


def _values(task: Task) -> str:
    if task.kind == "classes":
        named = f": {', '.join(task.class_names)}" if 0 < len(task.class_names) <= _MOST_CLASSES else ""
        return f"{task.channels} classes{named}"
    if task.kind == "binary":
        return "probability in [0, 1]"
    if task.kind == "direction":
        return f"unit vectors of {task.channels} components"
    unit = f" in {task.unit}" if task.unit else ""
    return f"{task.channels} values{unit}" if task.channels > 1 else f"values{unit}"


def _scores(tasks: Iterable[Task], runs: Sequence[Run]) -> str:
    if not runs:
        return "## Scores\n\nNone were given.\n"
    titles = {task.name: task.title for task in tasks}
    tables = (_score_table(run, titles).to_markdown() for run in runs)
    return "## Scores\n\n" + "\n".join(tables)


def _score_table(run: Run, titles: dict[str, str]) -> ResultTable:
    columns = (
        Column("task", numeric=False),
        Column("score", numeric=False),
        Column("these weights"),
        Column("best constant prediction"),
    )
    rows = tuple(
        (Cell(titles[name]), Cell(result.label), *(_number(value, result) for value in (result.value, result.constant)))
        for name, result in run.result.tasks.items()
        if name in titles
    )
    return ResultTable(run.data, columns, (rows,))


def _number(value: float, result: TaskResult) -> Cell:
    return Cell(value if math.isfinite(value) else None, 2 if result.unit in ("%", "°") else 4)


def _use(config: PAMMConfig, name: str) -> str:
    maps = "\n".join(f"print(prediction.{task.name}.shape)" for task in config.tasks)
    return f"""## Use

In a checkout of pamm's repository:

```bash
pip install .
pamm predict photo.jpg --weights {name} -o maps
```

```python
import pamm

predictor = pamm.load("{name}")
prediction = predictor("photo.jpg")
{maps}
prediction.overview().save("maps.png")
```

`model.safetensors` holds the weights and `config.json` the network; `predictor.model` is a plain `torch.nn.Module`.
"""


def _training(config: PAMMConfig, runs: Iterable[Run]) -> str:
    height, width = config.image_size
    said = next((run.result.run.trained for run in runs if run.result.run.trained), "")
    made_for = f"The network is made for photos of about {height}×{width} pixels; others are resized."
    return "\n\n".join(("## Training", *([markdown(said)] if said else []), made_for)) + "\n"
