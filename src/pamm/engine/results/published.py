"""Published results, to be set beside one's own.

Each figure is as the named source states it. A method's paper and its released weights can differ by 0.5 or more.
"""

from dataclasses import dataclass

from pamm.benchmarks import BENCHMARKS


@dataclass(frozen=True)
class ScoreColumn:
    """One score of one task, a column of a table."""

    task: str
    """Name of the task."""
    score: str
    """Name of the score, as ``compute()`` of the task's score calls it."""
    title: str
    """Heading of the column, without unit and direction."""
    unit: str
    """Unit of the score."""
    higher_is_better: bool
    """Direction of the score."""
    decimals: int = 2
    """Digits after the point."""


@dataclass(frozen=True)
class PublishedRow:
    """The scores of one published network."""

    method: str
    """Name of the method."""
    encoder: str
    """The network's encoder."""
    scores: tuple[float, ...]
    """In the order and units of the columns."""
    source: str
    """Where the figures come from; "its README" is that of the method's own repository."""


@dataclass(frozen=True)
class PublishedSet:
    """What has been published for one data set."""

    title: str
    """Name of the data set for people."""
    split: str
    """Part of the data set that is scored."""
    images: int
    """Number of images of that part."""
    columns: tuple[ScoreColumn, ...]
    """What is scored, in the usual order."""
    rows: tuple[PublishedRow, ...]
    """The published networks."""


PUBLISHED: dict[str, PublishedSet] = {
    "nyud": PublishedSet(
        title=BENCHMARKS["nyud"].title,
        split="val",
        images=654,
        columns=(
            ScoreColumn("semseg", "mIoU", "semseg mIoU", "%", True),
            ScoreColumn("depth", "RMSE", "depth RMSE", "m", False, 4),
            ScoreColumn("normals", "mErr", "normals mErr", "°", False),
            ScoreColumn("edge", "odsF", "boundary odsF", "%", True),
        ),
        rows=(
            PublishedRow("InvPT", "ViT-L", (53.56, 0.5183, 19.04, 78.10), "its README"),
            PublishedRow("TaskPrompter", "ViT-L", (55.30, 0.5152, 18.47, 78.20), "TSP README"),
            PublishedRow("TSP-Transformer", "ViT-L", (55.39, 0.4961, 18.44, 77.50), "its README"),
            PublishedRow("MLoRE", "ViT-L", (55.96, 0.5076, 18.33, 78.43), "its README"),
            PublishedRow("TaskDiffusion+MLoRE", "ViT-L", (56.66, 0.5033, 18.13, 78.89), "its README"),
            PublishedRow("MTMamba++", "Swin-L", (57.01, 0.4818, 18.27, 79.40), "M2H README"),
            PublishedRow("HiFAN", "Swin-L", (58.23, 0.4938, 19.10, 78.90), "its README"),
            PublishedRow("SAK", "ViT-B", (59.93, 0.4942, 17.60, 78.60), "PRISM README"),
            PublishedRow("PRISM", "ViT-B", (60.22, 0.4883, 17.81, 76.59), "its README"),
        ),
    ),
    "pascal_context": PublishedSet(
        title=BENCHMARKS["pascal_context"].title,
        split="val",
        images=5105,
        columns=(
            ScoreColumn("semseg", "mIoU", "semseg mIoU", "%", True),
            ScoreColumn("human_parts", "mIoU", "parts mIoU", "%", True),
            ScoreColumn("saliency", "maxF", "saliency maxF", "%", True),
            ScoreColumn("normals", "mErr", "normals mErr", "°", False),
            ScoreColumn("edge", "odsF", "boundary odsF", "%", True),
        ),
        rows=(
            PublishedRow("InvPT", "ViT-L", (79.03, 67.61, 84.81, 14.15, 73.00), "its README"),
            PublishedRow("TaskPrompter", "ViT-L", (80.89, 68.89, 84.83, 13.72, 73.50), "TSP README"),
            PublishedRow("TSP-Transformer", "ViT-L", (81.48, 70.64, 84.86, 13.69, 74.80), "its README"),
            PublishedRow("MLoRE", "ViT-L", (81.41, 70.52, 84.90, 13.51, 75.42), "its README"),
            PublishedRow("TaskDiffusion+MLoRE", "ViT-L", (81.58, 71.30, 85.05, 13.43, 76.07), "its README"),
            PublishedRow("HiFAN", "Swin-L", (83.00, 73.71, 85.16, 14.64, 78.20), "its README"),
            PublishedRow("SAK", "ViT-L", (84.01, 76.99, 84.65, 13.82, 76.27), "PRISM README"),
            PublishedRow("PRISM", "ViT-L", (84.34, 77.83, 84.67, 13.43, 76.23), "its README"),
        ),
    ),
}
"""By name of the data set, as ``DataConfig.name`` has it. Scores are in the published protocols: maxF cuts a
probability that passed a sigmoid twice, odsF is of SEISM's "fb" mode."""
