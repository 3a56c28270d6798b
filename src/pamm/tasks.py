"""The tasks, as data: everything the rest of the code needs to know about one kind of map.

A task is a row of a table, never a name in an ``if``. The six standard rows are in :data:`TASKS`; a data set
refines them (its own classes, its own depth range) with :func:`dataclasses.replace`, and anyone may add a
seventh with :func:`register`.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pamm.class_lists import NYUD_CLASSES, PART_CLASSES, PART_COLOURS, hue_wheel
from pamm.class_lists import Colour as Colour
from pamm.names import unknown_name
from pamm.records import build, settle

Kind = Literal["classes", "binary", "regression", "direction"]

IGNORE = 255
"""Label of a pixel that has no class."""


RESERVED = frozenset(
    {*dir(nn.ModuleDict()), "image", "maps", "tasks", "overview", "save", "save_values", "file_names", "files"}
)
"""Names that no task may have: a network keeps its heads as modules by name, a prediction its maps as attributes."""


class UnknownTaskError(ValueError):
    """A task was named that is not in the table."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One kind of per-pixel prediction.

    Raises:
        ValueError: if a field has another type, the name is reserved, or the fields contradict each other, for example
            class names that do not match the channels.
    """

    name: str
    """Name under which the network returns the map and the data sets give its labels."""
    channels: int
    """Number of channels the network's head has for this task."""
    kind: Kind
    """What the channels mean: scores of classes, of a yes/no question, values, or a direction in space."""
    loss: str
    """Name of the training loss, a key of ``pamm.losses.LOSSES``."""
    score: str
    """Name of the validation score, a key of ``pamm.metrics.SCORES``."""
    title: str = ""
    """Heading of the maps for people; made from the name if left out."""
    loss_weight: float = 1.0
    """Factor of this task's loss in the sum."""
    positive_weight: float | None = None
    """Fixed weight of positive pixels in a balanced binary loss; None balances each batch by its own counts."""
    unit: str = ""
    """Unit of the values, for legends and tables."""
    ignore: float = IGNORE
    """Label value (in every channel) of a pixel without a label; padding is filled with it."""
    valid_range: tuple[float, float] | None = None
    """Open interval outside of which a label does not count, or None."""
    class_names: tuple[str, ...] = ()
    """Names of the classes, in the order of the channels."""
    colours: tuple[Colour, ...] = ()
    """RGB colours of the classes, 0 to 255, in the order of the channels."""
    colormap: str = "viridis"
    """Matplotlib colour map in which values are drawn."""
    inverse_to_zoom: bool = False
    """Whether values shrink when the image is enlarged, as distances do."""

    def __post_init__(self) -> None:
        """Check the fields, each and against each other, and make tuples of lists."""
        settle(self, f"task {self.name}")
        object.__setattr__(self, "title", self.title or self.name.replace("_", " ").capitalize())
        if not self.name.isidentifier():
            raise ValueError(f"task name {self.name!r} is not an identifier: use letters, digits and underscores")
        if self.name in RESERVED:
            raise ValueError(
                f"task name {self.name!r} is taken by a part of the program: choose another, such as {self.name}_map"
            )
        wanted = {"classes": self.channels >= 2, "binary": self.channels in (1, 2), "direction": self.channels >= 2}
        if self.channels < 1 or not wanted.get(self.kind, True):
            raise ValueError(f"task {self.name}: {self.channels} channels do not fit kind {self.kind!r}")
        for field in ("class_names", "colours"):
            count = len(getattr(self, field))
            if count not in (0, self.classes):
                raise ValueError(f"task {self.name}: got {count} {field} for {self.classes} classes; give one each")

    @property
    def classes(self) -> int:
        """Number of classes: the channels of a class map, 2 for a yes/no question, 0 for values."""
        return {"classes": self.channels, "binary": 2}.get(self.kind, 0)

    @property
    def label_channels(self) -> int:
        """Number of channels of the label: 1 for classes and yes/no questions, else as many as the output."""
        return 1 if self.classes else self.channels

    @property
    def label_dtype(self) -> torch.dtype:
        """Type of the label tensor: int64 for classes, float32 otherwise."""
        return torch.int64 if self.kind == "classes" else torch.float32

    def valid(self, label: Tensor) -> Tensor:
        """Pixels whose label counts.

        Args:
            label: (..., label_channels, H, W).

        Returns:
            (..., 1, H, W) bool.
        """
        mask = (label != self.ignore).any(dim=-3, keepdim=True)
        if label.is_floating_point():
            mask &= label.isfinite().all(dim=-3, keepdim=True)
        if self.valid_range is not None:
            low, high = self.valid_range
            mask &= ((label > low) & (label < high)).all(dim=-3, keepdim=True)
        return mask

    def decode(self, output: Tensor) -> Tensor:
        """Turn the network's output into the map a user wants.

        Args:
            output: (..., channels, H, W), raw values of the head.

        Returns:
            Classes: (..., H, W) int64. Binary: (..., H, W) probability of "yes" in [0, 1]. Direction:
            (..., channels, H, W) unit vectors. Regression: (..., H, W), or (..., channels, H, W) for more than
            one channel, clamped into ``valid_range``.
        """
        if self.kind == "classes":
            return output.argmax(dim=-3)
        if self.kind == "binary":
            return output.softmax(dim=-3).select(-3, 1) if self.channels == 2 else output.sigmoid().squeeze(-3)
        if self.kind == "direction":
            return F.normalize(output, dim=-3)
        if self.valid_range is not None:
            output = output.clamp(*self.valid_range)
        return output.squeeze(-3) if self.channels == 1 else output

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they are written to a model's ``config.json``."""
        return dataclasses.asdict(self)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="semseg",
            title="Semantic segmentation",
            channels=40,
            kind="classes",
            loss="cross_entropy",
            score="miou",
            class_names=NYUD_CLASSES,
            colours=hue_wheel(40),
        ),
        Task(
            name="depth",
            channels=1,
            kind="regression",
            loss="l1",
            score="rmse",
            unit="m",
            ignore=0.0,
            # The released code counts labels below 80 m; NYUD-v2's largest is 10 m.
            valid_range=(0.0, 80.0),
            colormap="turbo_r",
            inverse_to_zoom=True,
        ),
        Task(
            name="normals",
            title="Surface normals",
            channels=3,
            kind="direction",
            loss="unit_l1",
            score="angle",
            loss_weight=10.0,
            unit="°",
            ignore=0.0,
        ),
        Task(
            name="edge",
            title="Boundaries",
            channels=1,
            kind="binary",
            loss="balanced_bce",
            score="boundary",
            loss_weight=50.0,
            # NYUD-v2's value in the released code; PASCAL-Context's is 0.95.
            positive_weight=0.88,
            class_names=("background", "boundary"),
            colormap="gray",
        ),
        Task(
            name="saliency",
            channels=2,
            kind="binary",
            loss="balanced_cross_entropy",
            score="max_f",
            loss_weight=5.0,
            class_names=("background", "salient"),
            colormap="magma",
        ),
        Task(
            name="human_parts",
            title="Human parts",
            channels=7,
            kind="classes",
            loss="cross_entropy",
            score="miou",
            loss_weight=2.0,
            class_names=PART_CLASSES,
            colours=PART_COLOURS,
        ),
    )
}
"""The standard tasks by name. Semantic classes default to NYUD-v2's forty; data sets bring their own."""


def register(task: Task) -> Task:
    """Add a task to :data:`TASKS`, so that configs and data sets can name it.

    Raises:
        ValueError: if another task already has the name.
    """
    if TASKS.get(task.name, task) != task:
        raise ValueError(f"a different task named {task.name!r} exists: choose another name")
    TASKS[task.name] = task
    return task


def get_tasks(tasks: Iterable["str | Task | Mapping[str, Any]"]) -> tuple[Task, ...]:
    """Resolve names, tasks and plain dictionaries (see :meth:`Task.to_dict`) to tasks.

    Raises:
        UnknownTaskError: if a name is not in :data:`TASKS`.
        ValueError: if there is no list or an empty one, a task comes twice, or a dictionary has unknown fields.
    """
    if isinstance(tasks, str) or not isinstance(tasks, Iterable):
        raise ValueError(f"tasks: got {tasks!r}, wanted a list of names or records of tasks")
    found: list[Task] = []
    for item in tasks:
        if isinstance(item, Task):
            task = item
        elif isinstance(item, Mapping):
            task = build(Task, item, "tasks")
        elif isinstance(item, str) and item in TASKS:
            task = TASKS[item]
        else:
            raise UnknownTaskError(f"{unknown_name('task', item, TASKS)}; tasks of one's own: pamm.tasks.register")
        if any(task.name == other.name for other in found):
            raise ValueError(f"task {task.name!r} is listed twice: list each once")
        found.append(task)
    if not found:
        raise ValueError(f"no task was given: name one or more of {', '.join(TASKS)}")
    return tuple(found)
