"""The log of a run as one CSV file, which a resumed run continues without a row twice or lost."""

import csv
from argparse import Namespace
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

from pamm.data.files import WriteError, atomic_write

Row = dict[str, Any]


class CSVLog(Logger):
    """Writes ``log/metrics.csv``: a row per step that is logged and per validation, at once on the disk."""

    def __init__(self, folder: Path, *, step: int) -> None:
        """Take over what an earlier part of the run has logged.

        Args:
            folder: folder of the run.
            step: steps done before this part begins; what is logged of later ones will be logged anew.
        """
        super().__init__()
        self.path = folder / "log" / "metrics.csv"
        self.rows = [row for row in _read(self.path) if int(row["step"]) < step] if step else []
        self.columns: list[str] = []
        self.written = 0

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
        """Add a row, unless it is there already."""
        row = {**metrics, "step": len(self.rows) if step is None else step}
        if not self.rows or self.rows[-1] != row:
            self.rows.append(row)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the settings are in ``config.yaml``."""

    @rank_zero_only
    def save(self) -> None:
        """Write what is new; Lightning calls it after each row.

        Raises:
            ValueError: if it cannot be written.
        """
        new = self.rows[self.written :]
        columns = sorted({key for row in (self.rows if not self.columns else new) for key in row} | {*self.columns})
        if columns != self.columns:
            # a new file with the old rows under new columns
            self.columns = []
            with atomic_write(self.path) as temporary:
                _write(temporary, columns, self.rows, header=True)
            self.columns = columns
        elif new:
            try:
                _write(self.path, columns, new, header=False)
            except OSError as error:
                self.columns = []
                raise WriteError(f"cannot write {self.path}: {error.strerror or error}: make room") from error
        self.written = len(self.rows)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left; where the run failed, what it failed of is said rather than what now fails of that."""
        with suppress(WriteError) if status == "failed" else nullcontext():
            self.save()


def _write(path: Path, columns: list[str], rows: list[Row], *, header: bool) -> None:
    with path.open("w" if header else "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        if header:
            writer.writeheader()
        writer.writerows(rows)


def _read(path: Path) -> list[Row]:
    """The rows of a log without the gaps in them, and without a last one that was cut off when the run was killed."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        whole = [line for line in file if line.endswith("\n")]
    return [{key: value for key, value in row.items() if value} for row in csv.DictReader(whole)]
