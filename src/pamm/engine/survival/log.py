"""The log of a run as one CSV file, which a resumed run continues without a row twice or lost."""

import csv
from argparse import Namespace
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

from pamm.data.files import WriteError, atomic_write

ROWS = 10
"""Rows after which the file is written; before each checkpoint it is written too."""


class CSVLog(Logger):
    """Writes ``log/metrics.csv``: a row per step that is logged and per validation, always a whole file."""

    def __init__(self, folder: Path, *, step: int) -> None:
        """Take over what an earlier part of the run has logged.

        Args:
            folder: folder of the run.
            step: steps done before this part begins; what is logged of later ones will be logged anew.
        """
        super().__init__()
        self.path = folder / "log" / "metrics.csv"
        self.rows: list[dict[str, Any]] = []
        if step and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
            self.rows = [row for row in rows if int(row["step"]) < step]

    @property
    def name(self) -> str:
        """What kind of log it is."""
        return "csv"

    @property
    def version(self) -> str:
        """There is but one."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a row."""
        self.rows.append({**metrics, "step": len(self.rows) if step is None else step})
        if len(self.rows) % ROWS == 0:
            self.save()

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the settings are in ``config.yaml``."""

    @rank_zero_only
    def save(self) -> None:
        """Write the file.

        Raises:
            ValueError: if it cannot be written.
        """
        if not self.rows:
            return
        with atomic_write(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, sorted({key for row in self.rows for key in row}))
            writer.writeheader()
            writer.writerows(self.rows)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left; where the run failed, what it failed of is said rather than what now fails of that."""
        with suppress(WriteError) if status == "failed" else nullcontext():
            self.save()
