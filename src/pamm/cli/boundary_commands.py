"""The commands about boundaries."""

import csv
import json as json_format
import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from pamm.cli.console import console, progress_bar
from pamm.data.files import atomic_write
from pamm.data.tree import published_ids
from pamm.engine.boundaries.folders import FolderScores, score_folders
from pamm.metrics.boundary import PROTOCOLS

COUNTS = ("matched_truth", "truth", "matched_prediction", "prediction")


def boundary_score_command(
    predictions: Path,
    truth: Path,
    *,
    protocol: Literal["nyud", "pascal_context", "bsds"],
    ids: str | None = None,
    tolerance: float | None = None,
    suppress: bool | None = None,
    json: Path | None = None,
    counts: Path | None = None,
    workers: int | None = None,
) -> int:
    """Score a folder of boundary maps against a folder of true ones: odsF, oisF and AP.

    Args:
        predictions: folder of grey pictures, the probability of a boundary.
        truth: folder of true boundaries.
        protocol: `nyud`, `pascal_context` (the published scores) or `bsds` (several annotators).
        ids: text file with the names of the images to score, one a line, or `published` for the 2,498 of
            PASCAL-Context; all predictions if left out.
        tolerance: largest distance of a match as a share of the diagonal, if not the protocol's.
        suppress: whether to reduce the maps to their ridges first, if not as the protocol does.
        json: file to write the scores to. What was counted is kept beside it until all is done, so that the same
            command goes on after an interruption.
        counts: CSV file to write the counts of each image at each threshold to.
        workers: images at a time; as many as there are processors if left out.
    """
    chosen = PROTOCOLS[protocol]
    if tolerance is not None:
        chosen = replace(chosen, tolerance=tolerance)
    if suppress is not None:
        chosen = replace(chosen, suppress=suppress)
    notes = json.with_name(f"{json.name}.part") if json is not None else None
    with progress_bar() as bar:
        row = bar.add_task("scoring", total=None)
        result = score_folders(
            predictions,
            truth,
            chosen,
            ids=None if ids is None else _listed(ids),
            notes=notes,
            workers=(os.cpu_count() or 1) if workers is None else workers,
            progress=lambda done, total: bar.update(row, completed=done, total=total),
        )
    _show(result, console)
    if counts is not None:
        _write_counts(result, counts)
    if json is not None and notes is not None:
        with atomic_write(json) as path:
            path.write_text(json_format.dumps(result.to_dict(), indent=2) + "\n", encoding="utf-8")
        notes.unlink(missing_ok=True)
    return 0


def _listed(ids: str) -> tuple[str, ...]:
    if ids == "published":
        return published_ids("pascal_context_boundaries")
    return tuple(Path(ids).read_text(encoding="utf-8").split())


def _show(result: FolderScores, console: Console) -> None:
    scores, top = result.scores, result.protocol.thresholds.index(result.scores.threshold)
    table = Table("score", "value", title=f"{len(result.counts)} images, protocol {result.protocol.name}")
    for name, value in (
        ("odsF", scores.odsF),
        ("oisF", scores.oisF),
        ("AP", scores.AP),
        ("precision at odsF", scores.precision[top]),
        ("recall at odsF", scores.recall[top]),
    ):
        table.add_row(name, f"{100 * value:.2f} %")
    table.add_row("threshold of odsF", f"{scores.threshold:g}")
    console.print(table)


def _write_counts(result: FolderScores, file: Path) -> None:
    with atomic_write(file) as path, path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "threshold", *COUNTS))
        for name, rows in result.counts.items():
            writer.writerows(
                (name, cut, *row) for cut, row in zip(result.protocol.thresholds, rows.tolist(), strict=True)
            )
