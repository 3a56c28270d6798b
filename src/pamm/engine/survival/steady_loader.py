"""A data loader that outlives its reading processes."""

import re
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader, Dataset, Sampler

DEATHS = 3
"""Deaths without a batch in between after which it is given up."""
_DEAD = re.compile(r"DataLoader worker \(pid.*\) (exited unexpectedly|is killed by signal)")


class ReaderError(ValueError):
    """The reading processes die again and again."""


class _Rest(Sampler[int]):
    """Numbers that are still to be read of an order whose length is known."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.numbers: list[int] = []

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(self.numbers)


class SteadyLoader(DataLoader[dict[str, Any]]):
    """Batches in a given order; if a reading process dies, all are started anew where the order was.

    What a number stands for depends on nothing but the number, so the batches are those of an undisturbed reading.
    """

    def __init__(
        self, dataset: Dataset[dict[str, Any]], order: Sampler[int] | Sequence[int], *, batch_size: int, **options: Any
    ) -> None:
        """Take what to read.

        Args:
            dataset: samples by number.
            order: the numbers; looked up anew at the start of each iteration.
            batch_size: samples per batch.
            **options: other options of torch's loader.
        """
        self.order, self.rest, self.size = order, _Rest(len(order)), batch_size  # type: ignore[arg-type]
        super().__init__(dataset, batch_size=batch_size, sampler=self.rest, **options)

    def __iter__(self) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The batches.

        Raises:
            ReaderError: if reading processes die before they have read one batch.
        """
        numbers, deaths = list(self.order), 0
        while numbers:
            self.rest.numbers = numbers
            try:
                batches = iter(super().__iter__())
                _leave_children_to_the_loader()
                for batch in batches:
                    yield batch
                    numbers, deaths = numbers[self.size :], 0
                return
            except RuntimeError as error:
                if not _DEAD.search(str(error)):
                    raise
                deaths += 1
                if deaths == DEATHS:
                    raise ReaderError(
                        f"the reading processes died {DEATHS} times at the same batch ({error}): most often the memory "
                        "is full: set run.workers lower, or to 0 to see the error, and go on with --run.resume true"
                    ) from error
                rank_zero_warn(f"{error}: reading goes on with new processes", category=UserWarning)
                self._iterator = None


def _leave_children_to_the_loader() -> None:
    """Undo that torch raises in the midst of whatever runs when a reading process dies; waiting for a batch tells too.

    A handler of anyone else stays.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD"):
        handler = signal.getsignal(signal.SIGCHLD)
        if getattr(handler, "__module__", "").startswith(torch.utils.data.__name__):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
