"""A list of what could not be read and was replaced."""

import json
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_warn

from pamm.data.files import atomic_write


class NoteUnreadable(L.Callback):
    """Writes to ``unreadable.json`` what is wrong with each sample that another one stands in for."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of the run."""
        self.folder = folder
        self.messages: list[str] = []

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: dict[str, Any], batch_idx: int
    ) -> None:
        """Look at a batch to learn from."""
        self._note(trainer, batch)

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: dict[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Look at a batch to validate on."""
        self._note(trainer, batch)

    def _note(self, trainer: L.Trainer, batch: dict[str, Any]) -> None:
        found = {line for message in batch.get("unreadable", ()) for line in message.splitlines()}
        new = sorted(found.difference(self.messages))
        if not new:
            return
        self.messages += new
        rank = trainer.global_rank
        name = f"unreadable_process_{rank}.json" if rank else "unreadable.json"
        with atomic_write(self.folder / name) as path:
            path.write_text(json.dumps(self.messages, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for message in new:
            rank_zero_warn(f"{message}: another sample stands in for it", category=UserWarning)

    def state_dict(self) -> dict[str, Any]:
        """What was found so far."""
        return {"messages": self.messages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it from a checkpoint."""
        self.messages = list(state_dict["messages"])
