"""Commands about data sets on this disk."""

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pamm.cli.commands import console, errors
from pamm.data.fetch import fetch


def fetch_command(
    name: str,
    *,
    out: Path,
    archive: str | None = None,
    sources: Path | None = None,
    keep: bool = False,
    overwrite: bool = False,
) -> int:
    """Download and unpack NYUD-v2 (`nyud`) or PASCAL-Context (`pascal_context`), or take them from an archive.

    Args:
        name: `nyud` or `pascal_context`.
        out: root folder the set is to have (`-o` for short); it must be missing or empty.
        archive: address or path of an archive or folder to take, instead of the known addresses, which may be dead.
        sources: YAML file of addresses to try in order, instead of the known ones.
        keep: keep the downloaded archive beside the folder.
        overwrite: replace the set that the folder holds.
    """
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=errors, transient=True) as bar:
        row = bar.add_task("connecting", total=None)
        done = fetch(
            name,
            out,
            archive=archive,
            sources=sources,
            keep=keep,
            overwrite=overwrite,
            tell=lambda line: errors.print(line, markup=False),
            progress=lambda stage, count, total: bar.update(row, description=stage, completed=count, total=total),
        )
    console.print(f"{name}: {done.root}", soft_wrap=True)
    if done.archive is not None:
        console.print(f"archive: {done.archive}", soft_wrap=True)
    return 0
