"""What a training run leaves behind besides its log: weights anyone can load, and pictures."""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch

from pamm.data.dataset import TransformedDataset
from pamm.data.files import atomic_write
from pamm.engine.colours import decoded
from pamm.engine.draw import contact_sheet
from pamm.engine.module import PAMMModule, validation_loss
from pamm.engine.sharding import whole_state
from pamm.engine.weights import save_weights


class KeepWeights(L.Callback):
    """Writes the weights at every validation to ``last``, and to ``best`` unless the validation loss rose."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the run."""
        self.folder, self.best = folder, float("inf")

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the weights."""
        assert isinstance(pl_module, PAMMModule)
        loss = validation_loss(trainer)
        state = whole_state(pl_module.model)
        if not trainer.is_global_zero:
            return
        save_weights(pl_module.model, self.folder / "last", state=state)
        if loss <= self.best:
            self.best = loss
            save_weights(pl_module.model, self.folder / "best", state=state)

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
