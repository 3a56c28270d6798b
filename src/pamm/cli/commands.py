"""The commands: each calls the Python API and says what became of it."""

import json as json_format
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from pamm.cli.console import advance, console, progress_bar, report_failed
from pamm.data.files import atomic_write, check_name
from pamm.engine.convert import convert
from pamm.engine.data_config import DataConfig
from pamm.engine.datasets import open_dataset
from pamm.engine.demo import demo
from pamm.engine.evaluate import EvalResult, common_tasks, evaluate
from pamm.engine.predictor import load
from pamm.engine.results.result_table import check_table_file, write_tables
from pamm.engine.results.run_facts import run_facts
from pamm.engine.results.runs import Run, check_baselines, read_baselines
from pamm.engine.results.score_table import eval_table, published_set
from pamm.engine.scored_sets import plain_results, sets_to_score
from pamm.engine.survival.stop import StoppedRun
from pamm.engine.train import train


def _is_first() -> bool:
    """Whether this is the first of the processes that train together, the one that speaks."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def train_command(**settings: Any) -> int:
    """Train a network and say where its weights are."""
    try:
        said = f"Best weights: {train(**settings)}"
    except StoppedRun as stopped:
        said = stopped.message
    if _is_first():
        console.print(said, soft_wrap=True)
    return 0


def eval_command(
    *,
    weights: str = "pamm-tiny-scenes",
    data: DataConfig = DataConfig(),
    json: Path | None = None,
    table: list[Path] | None = None,
    baselines: list[Path] | None = None,
    name: str | None = None,
    batch_size: int = 8,
    workers: int = 1,
    device: str = "auto",
) -> int:
    """Score weights on a labelled data set, beside the best constant prediction and published results.

    Args:
        weights: a shipped name, a folder of weights, or a hub name.
        data: images to score on; each set of a mix is scored on its own.
        json: file to write the scores to.
        table: file to write a table to, with published results if the data has any, in the format that its suffix
            names: `.md`, `.tex` or `.json`; can be given several times.
        baselines: scores of single-task networks as `--json` writes them, one file for each task, for the mean gain.
        name: what the network is called in tables; like its weights if left out, the last two parts of a longer path.
        batch_size: images at a time.
        workers: processes that read images; 0 reads in the main process.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    if json is not None:
        check_name(json)
    for path in table or ():
        check_table_file(path)
    singles = read_baselines(baselines or ())
    predictor = load(weights, device=device)
    config = predictor.model.config
    dataset = open_dataset(data, canvas=config.image_size, scoring=True, tasks=config.tasks)
    canvas = (data.height, data.width) if data.height and data.width else None
    sets = sets_to_score(data, dataset, config.tasks)
    facts = {
        part: run_facts(predictor.model, scored.config, weights=weights, name=name, canvas=canvas)
        for part, scored in sets.items()
    }
    if singles:
        if "" not in sets:
            raise ValueError("baselines are scores on one data set, this is a mix: score its sets one by one")
        planned = Run(facts[""].name, EvalResult({}, images=len(dataset), seconds=0, run=facts[""]))
        check_baselines(planned, singles, [task.name for task in common_tasks(config.tasks, dataset.tasks)])
    results: dict[str, EvalResult] = {}
    with progress_bar() as bar:
        for part, scored in sets.items():
            row = bar.add_task(f"evaluating {part}".strip(), total=len(scored.source))
            result = evaluate(
                predictor.model,
                scored.source,
                canvas=canvas,
                batch_size=batch_size,
                workers=workers,
                progress=advance(bar, row),
            )
            results[part] = replace(result, run=facts[part])
    for part, result in results.items():
        console.print(result.table(part))
    if json is not None:
        with atomic_write(json) as path:
            path.write_text(json_format.dumps(plain_results(results), indent=2) + "\n", encoding="utf-8")
    besides = []
    for part, result in results.items():
        run = Run(facts[part].name, result)
        beside = eval_table(run, singles)
        besides.append(beside)
        if singles or published_set(run):
            console.print(beside.to_rich(turned=len(beside.rows) < len(beside.columns)))
    for path in table or ():
        write_tables(path, besides)
    return report_failed(message for result in results.values() for message in result.failed.values())


def convert_command(source: Path, *, out: Path, overrides: dict[str, Any] | None = None) -> int:
    """Turn a checkpoint of the authors' released code into weights for this package, or weights into a checkpoint.

    Args:
        source: checkpoint of the released code; or a folder of weights, to make a checkpoint of.
        out: folder to write the weights to, or the checkpoint (`-o` for short).
        overrides: what tensors do not tell, for example `{encoder_heads: 12, image_size: [448, 576]}`.
    """
    done = convert(source, out, **(overrides or {}))
    for note in done.notes:
        console.print(note, highlight=False, soft_wrap=True)
    console.print(f"{done.tensors} tensors: {done.out}", soft_wrap=True)
    return 0


def demo_command(
    *,
    out: Path = Path("runs/demo"),
    weights: str = "pamm-tiny-scenes",
    scenes: int = 100,
    device: str = "auto",
) -> int:
    """Score weights on scenes they never saw, predict two photos, and draw a page of it all.

    Args:
        out: folder of the page (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        scenes: how many held-out scenes to score.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest there is.
    """
    page = demo(out=out, weights=weights, scenes=scenes, device=device, console=console)
    console.print(f"Open {page}", soft_wrap=True)
    return 0
