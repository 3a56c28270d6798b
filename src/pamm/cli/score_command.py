"""The command that scores maps of any network."""

import json as json_format
from dataclasses import replace
from pathlib import Path

from pamm.cli.console import advance, console, progress_bar, report_failed
from pamm.data.files import atomic_write, check_name
from pamm.data.sample import FileDataset
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.results.result_table import check_table_file, write_tables
from pamm.engine.results.run_facts import data_facts
from pamm.engine.results.runs import Run
from pamm.engine.results.score_table import eval_table, published_set
from pamm.engine.score_files import score_files


def score_command(
    maps: Path,
    *,
    data: DataConfig = DataConfig(),
    name: str | None = None,
    scale: dict[str, float] | None = None,
    partial: bool = False,
    json: Path | None = None,
    table: list[Path] | None = None,
    workers: int = 1,
) -> int:
    """Score the maps that any network left in files, beside the best constant prediction and published results.

    Args:
        maps: folder of the predictions.
        data: the labels: `folder`, `nyud`, `pascal_context` or `shards`.
        name: what the network is called in tables; like the folder if left out.
        scale: by task, the factor from what is stored to its unit, for example `{depth: 0.001}` for millimetres.
        partial: whether to leave out photos without predictions, instead of stopping.
        json: file to write the scores to, for `pamm compare`.
        table: file to write a table to, with published results if the data has any, in the format that its suffix
            names: `.md`, `.tex` or `.json`; can be given several times.
        workers: processes that read files; 0 reads in the main process.
    """
    if json is not None:
        check_name(json)
    for path in table or ():
        check_table_file(path)
    if data.name in ("scenes", "mix"):
        raise ValueError(
            f"data {data.name!r} has no files of which predictions could be: give one of folder, nyud, pascal_context "
            "and shards" + (", each set of the mix on its own" if data.name == "mix" else "")
        )
    dataset = open_dataset(data, canvas=(0, 0), scoring=True)
    assert isinstance(dataset, FileDataset)
    with progress_bar() as bar:
        row = bar.add_task("scoring", total=len(dataset))
        result = score_files(maps, dataset, scale=scale, partial=partial, workers=workers, progress=advance(bar, row))
    run = Run(name or maps.resolve().name, replace(result, run=data_facts(data, name=name or maps.resolve().name)))
    console.print(run.result.table())
    if json is not None:
        with atomic_write(json) as path:
            path.write_text(json_format.dumps(run.result.to_dict(), indent=2) + "\n", encoding="utf-8")
    beside = eval_table(run)
    if published_set(run):
        console.print(beside.to_rich(turned=len(beside.rows) < len(beside.columns)))
    for path in table or ():
        write_tables(path, [beside])
    return report_failed(result.failed.values())
