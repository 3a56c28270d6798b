"""The command that sets scored networks side by side."""

from pathlib import Path

from pamm.cli.console import console
from pamm.engine.results.compare import compare
from pamm.engine.results.result_table import check_table_file, write_tables
from pamm.engine.results.runs import read_baselines, read_runs


def compare_command(
    runs: list[Path],
    *,
    baselines: list[Path] | None = None,
    tasks: list[str] | None = None,
    names: list[str] | None = None,
    table: list[Path] | None = None,
    mixed_data: bool = False,
) -> int:
    """Set scored networks side by side, with the mean gain over the first or over single-task networks.

    Args:
        runs: files of scores, as `pamm eval --json` writes them; the first is what the others are held against.
        baselines: scores of single-task networks, one file for each task, to hold all against instead of the first.
        tasks: names of the tasks to compare; those in all of the files if left out.
        names: what the networks are called, one name for each file; as in `pamm eval --name` if left out.
        table: file to write the tables to, as its suffix says: `.md`, `.tex` or `.json`; can be given several times.
        mixed_data: compare scores although they are of different images.
    """
    for path in table or ():
        check_table_file(path)
    scores, gains = compare(
        read_runs(runs, names=names), baselines=read_baselines(baselines or ()), tasks=tasks, mixed_data=mixed_data
    )
    console.print(scores.to_rich(turned=len(scores.rows) < len(scores.columns)))
    console.print(gains.to_rich())
    for path in table or ():
        write_tables(path, (scores, gains))
    return 0
