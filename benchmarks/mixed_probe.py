"""A linear probe on the frozen encoder of a recipe, trained on the recipe's images as the recipe trains its network.

    python benchmarks/mixed_probe.py configs/mixed/train.yaml --encoder runs/vits14 --out runs/mixed_probe
    python benchmarks/mixed_probe.py configs/mixed/train.yaml configs/mixed/whole.yaml --encoder runs/vits14 \
      --init runs/mixed_probe --out runs/mixed_whole_probe

The four taps of the encoder side by side pass a batch norm and one linear map per task, whose output is enlarged to the
image. Images, steps, batches, losses and schedule are those of the recipe; the learning rate may be another. Prints
and writes the scores of every validation set.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, nn

from pamm.data.files import atomic_write
from pamm.engine.evaluate import evaluate
from pamm.engine.fit import fit
from pamm.engine.recipes import read_recipe
from pamm.engine.run_data import open_run_data
from pamm.engine.scored_sets import plain_results, sets_to_score
from pamm.engine.train import build_network
from pamm.models import PAMM, PAMMConfig
from pamm.models.config import STAGES
from pamm.models.fusion import resize
from pamm.models.layers import Grid, to_tokens


class Tap(nn.Module):
    """A stage that leaves its tap as it is, one map for all tasks."""

    def forward(self, tap: Tensor, _: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(b, C, h, w) → tokens (1, b, L, C), no gates."""
        return to_tokens(tap, tasks=1), {}


class SideBySide(nn.Module):
    """All taps side by side, normalised."""

    def __init__(self, *, width: int) -> None:
        """Take the width C of a tap."""
        super().__init__()
        self.norm = nn.BatchNorm1d(STAGES * width)

    def forward(self, taps: list[Tensor], _: Grid) -> Tensor:
        """S tensors (1, b, L, C) → (b, S·C, L)."""
        return self.norm(torch.cat(taps, dim=-1)[0].mT)


class LinearHeads(nn.Module):
    """One linear map per task."""

    def __init__(self, config: PAMMConfig) -> None:
        """Take the tasks of a config."""
        super().__init__()
        width = STAGES * config.encoder_width
        self.heads = nn.ModuleDict({task.name: nn.Conv1d(width, task.channels, 1) for task in config.tasks})
        self.recompute = False

    def forward(self, tokens: Tensor, grid: Grid, size: tuple[int, int]) -> dict[str, Tensor]:
        """(b, S·C, L) → by task (b, channels, *size)."""
        return {name: resize(head(tokens).unflatten(-1, grid), size) for name, head in self.heads.items()}


def build_probe(network: PAMM) -> PAMM:
    """A network with the same encoder, frozen, and a linear decoder."""
    config = network.config
    return PAMM(
        config,
        encoder=network.encoder.freeze(),
        stages=[Tap() for _ in range(STAGES)],
        fusion=SideBySide(width=config.encoder_width),
        heads=LinearHeads(config),
    )


def main() -> None:
    """Train the probe and score it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, nargs="+", help="YAML files of `pamm train`, laid over each other")
    parser.add_argument("--encoder", required=True, help="folder or hub name of the encoder's weights")
    parser.add_argument("--init", type=Path, help="folder of an earlier run of the probe to start from")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--root", help="folder of the data sets")
    parser.add_argument("--lr", type=float, help="learning rate, instead of the recipe's")
    options = parser.parse_args()
    recipe = read_recipe(*options.recipe)
    data = replace(recipe.data, root=options.root or recipe.data.root)
    model = replace(recipe.model, encoder_weights=options.encoder, init=None)
    recipe = replace(recipe, model=model, data=data, val=recipe.val.filled(data))
    read = open_run_data(recipe)
    torch.manual_seed(recipe.run.seed)
    probe = build_probe(build_network(recipe, read))
    if options.init is not None:
        probe.load_state_dict(load_file(options.init / "best" / "model.safetensors"))
    fit(
        probe,
        read.train,
        read.val,
        optim=replace(recipe.optim, lr=options.lr or recipe.optim.lr),
        run=replace(recipe.run, out=str(options.out)),
        augment=recipe.augment,
        train_canvas=read.canvas,
        val_canvas=read.val_canvas,
    )
    probe.load_state_dict(load_file(options.out / "best" / "model.safetensors"))
    console, results = Console(width=120), {}
    for name, scored in sets_to_score(recipe.val, read.val, read.tasks).items():
        results[name] = evaluate(probe, scored.source)
        console.print(results[name].table(name))
    with atomic_write(options.out / "scores.json") as path:
        path.write_text(json.dumps(plain_results(results), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
