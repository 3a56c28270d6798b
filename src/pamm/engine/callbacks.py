"""What a training run leaves behind besides its log: weights anyone can load, and pictures."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

from pamm.data.dataset import TransformedDataset
from pamm.data.files import atomic_write
from pamm.engine.colours import decoded
from pamm.engine.draw import contact_sheet
from pamm.engine.evaluate import EvalResult
from pamm.engine.module import PAMMModule, validation_loss
from pamm.engine.results.run_facts import RunFacts, short_name
from pamm.engine.results.runs import Run
from pamm.engine.scored_weights import save_scored
from pamm.engine.sharding import whole_state
from pamm.models import PAMM


class KeepWeights(L.Callback):
    """Writes the weights at every validation to ``last``, and to ``best`` unless the validation loss rose.

    Beside them lie their card and their scores on the validation images.
    """

    def __init__(self, folder: Path, *, images: int, facts: RunFacts) -> None:
        """Take the folder of the run, the number of validation images, and what is known about network and data."""
        self.folder, self.images, self.facts, self.best = folder, images, facts, float("inf")
        self.start = 0.0

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look at the clock."""
        self.start = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the weights."""
        assert isinstance(pl_module, PAMMModule)
        loss = validation_loss(trainer)
        state = whole_state(pl_module.model)
        if not trainer.is_global_zero:
            return
        result = EvalResult(pl_module.results, images=self.images, seconds=time.perf_counter() - self.start)
        self._save(pl_module.model, "last", trainer.global_step, result, state)
        if loss <= self.best:
            self.best = loss
            self._save(pl_module.model, "best", trainer.global_step, result, state)

    def _save(self, model: PAMM, part: str, step: int, result: EvalResult, state: Mapping[str, Tensor]) -> None:
        place = self.folder / part
        name = short_name(str(place))
        facts = replace(
            self.facts, name=name, weights=str(place), trained=self.facts.trained.replace("{step}", str(step))
        )
        runs = [Run(name, replace(result, run=facts))] if result.tasks else []
        save_scored(model, place, name=name, runs=runs, state=state)

    def state_dict(self) -> dict[str, Any]:
        """The best loss so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the best loss so far from a checkpoint."""
        self.best = float(state_dict["best"])


class DrawSamples(L.Callback):
    """Draws image, truth and prediction of a few validation samples at every validation."""

    def __init__(self, dataset: TransformedDataset, folder: Path, *, count: int) -> None:
        """Take the validation set, the folder of the pictures and how many samples to draw."""
        self.dataset, self.folder, self.count = dataset, folder, min(count, len(dataset))

    @torch.no_grad()
    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draw the samples, as a file and in TensorBoard."""
        assert isinstance(pl_module, PAMMModule)
        # a network in parts only runs where all processes take part
        if not trainer.is_global_zero and not pl_module.sharded:
            return
        tasks = pl_module.model.config.tasks
        rows = []
        # spread over the set, since those of a mix come one after the other
        for index in np.linspace(0, len(self.dataset) - 1, self.count).round().astype(int).tolist():
            tensors, sample = self.dataset[index], self.dataset.sample(index)
            outputs = pl_module.model(tensors["image"][None].to(pl_module.device))
            maps = {task.name: decoded(task, outputs[task.name][0]) for task in tasks}
            rows.append((sample.image, sample.labels, maps))
        if not trainer.is_global_zero:
            return
        picture = contact_sheet(rows, tasks)
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.folder / f"step_{trainer.global_step:07d}.png") as path:
            picture.save(path, format="PNG")
        for logger in trainer.loggers:
            if isinstance(logger, L.pytorch.loggers.TensorBoardLogger):
                # as Lightning counts where it logs scores
                step = trainer.global_step - 1
                logger.experiment.add_image("samples", np.asarray(picture), step, dataformats="HWC")
