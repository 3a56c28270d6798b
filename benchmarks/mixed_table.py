"""The scores of a run over several sets beside those of a linear probe and the best constant, as a Markdown table.

    python benchmarks/mixed_table.py runs/mixed_whole/scores.json runs/mixed_whole_probe/scores.json

Both files are as `pamm eval --json` writes them for a mix.
"""

import argparse
import json
from pathlib import Path

from rich.console import Console

from pamm.engine.evaluate import EvalResult


def read_sets(path: Path) -> dict[str, EvalResult]:
    """Scores by set."""
    return {
        name: EvalResult.from_dict(plain, str(path)) for name, plain in json.loads(path.read_text())["sets"].items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path)
    parser.add_argument("probe", type=Path)
    options = parser.parse_args()
    ours, probe = read_sets(options.scores), read_sets(options.probe)
    console = Console(width=160)
    console.print(
        "| set | task | score | best constant | linear probe | PAMM |",
        "| --- | --- | --- | --- | --- | --- |",
        sep="\n",
    )
    for name, result in ours.items():
        for task, score in result.tasks.items():
            other = probe[name].tasks[task]
            best = max if score.higher_is_better else min
            values = (score.constant, other.value, score.value)
            cells = [f"**{value:.3f}**" if value == best(values) else f"{value:.3f}" for value in values]
            console.print(f"| {name} | {task} | {score.label} | {' | '.join(cells)} |", markup=False)


if __name__ == "__main__":
    main()
