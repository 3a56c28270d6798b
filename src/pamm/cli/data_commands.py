"""Commands about data sets on this disk."""

import json as json_format
import os
from pathlib import Path

from PIL import Image
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pamm.cli.console import USAGE_ERROR, console, errors, progress_bar
from pamm.data.fetching.fetch import fetch
from pamm.data.files import atomic_write
from pamm.data.layouts import find_tree
from pamm.data.shards import holds_shards
from pamm.engine.check import check
from pamm.engine.data_config import DataConfig
from pamm.engine.packing import pack_dataset


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
        overwrite: replace the set that the folder holds; whatever else lies in the folder is lost.
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


def check_command(
    folder: Path,
    *,
    root: Path | None = None,
    out: Path | None = None,
    json: Path | None = None,
    workers: int | None = None,
) -> int:
    """Read a whole data set: which it is, what is missing or corrupt, ranges of its labels, and a contact sheet.

    Args:
        folder: folder of NYUD-v2, PASCAL-Context or shards, the manifest of a folder of your own, or the YAML file of a
            mix.
        root: folder to start from, instead of that of the manifest or mix.
        out: picture to write some photos and their labels to (`-o` for short); `data_check.png` if left out.
        json: file to write the figures to, shares of all classes and all faults included.
        workers: processes that read; 0 reads in the main process; one for each processor if left out.
    """
    data = None
    if folder.is_dir():
        data = (folder if holds_shards(folder) else find_tree(folder)[0]).resolve()
    inside = [path for path in (out, json) if path is not None and data in path.resolve().parents]
    if inside:
        raise ValueError(f"{inside[0]}: lies in the data set, where nothing is written: choose another folder")
    if out is not None and Image.registered_extensions().get(out.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"{out}: no kind of picture: give a name that ends in .png or .jpg")
    sheet_file = Path("data_check.png") if out is None else out
    count = (os.cpu_count() or 1) if workers is None else workers
    with progress_bar() as bar:
        rows: dict[str, TaskID] = {}

        def progress(split: str, done: int, total: int) -> None:
            if split not in rows:
                rows[split] = bar.add_task(f"reading {split}", total=total)
            bar.update(rows[split], completed=done)

        report, sheet = check(folder, root=root, workers=count, progress=progress)
    console.print(report.table())
    for note in report.notes():
        console.print(escape(note), highlight=False, soft_wrap=True)
    for fault in report.faults():
        errors.print(f"[red]error:[/red] {escape(fault)}")
    if json is not None:
        with atomic_write(json) as path:
            path.write_text(json_format.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    if data in sheet_file.resolve().parents:
        console.print("Nothing is written to the data set: name a picture elsewhere to see some photos", soft_wrap=True)
    elif sheet is not None:
        with atomic_write(sheet_file) as path:
            sheet.save(path)
        console.print(f"Some photos with their labels: {sheet_file}", soft_wrap=True, highlight=False)
    return 0 if report.sound else USAGE_ERROR


def pack_command(
    *,
    data: DataConfig,
    out: Path,
    split: str | None = None,
    photos: int = 256,
    scoring: bool = False,
    workers: int | None = None,
) -> int:
    """Write a data set as Parquet shards, for `--data shards`; called again, it goes on where it stopped.

    Args:
        data: the data set to write.
        out: folder of the shards (`-o` for short).
        split: what their names start with; the split that is packed, or `all`, if left out.
        photos: photos in a shard.
        scoring: whether a benchmark's labels are the truth of its published scores instead of those to train on.
        workers: processes that read and encode; 0 does so in the main process; one for each processor if left out.
    """
    count = (os.cpu_count() or 1) if workers is None else workers
    with progress_bar() as bar:
        row = bar.add_task("packing", total=None)
        shards = pack_dataset(
            data,
            out,
            split=split,
            photos=photos,
            scoring=scoring,
            workers=count,
            progress=lambda done, total: bar.update(row, completed=done, total=total),
        )
    size = sum(path.stat().st_size for path in shards)
    console.print(f"{len(shards)} shards, {size / 1e6:,.1f} MB: {out}", soft_wrap=True, highlight=False)
    return 0
