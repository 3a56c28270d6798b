"""What the server keeps for its visitors, in memory and for as long as there is room."""

import secrets
import threading
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class GoneError(ValueError):
    """Something was asked for that is not kept, or no longer."""


class Shelf(Generic[T]):
    """Things under names that cannot be guessed; those not used for longest make room for new ones.

    Nothing is written to disk, so nothing can be left there.
    """

    def __init__(self, what: str, *, room: int) -> None:
        """Start with nothing.

        Args:
            what: what the things are, for messages.
            room: bytes that all of them may take; the newest is kept in any case.
        """
        self.what, self.room = what, room
        self.taken = 0
        self._things: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many things there are."""
        return len(self._things)

    def put(self, thing: T, size: int) -> str:
        """Keep something.

        Args:
            thing: what to keep.
            size: bytes it takes.

        Returns:
            Its name, 128 random bits.
        """
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._things[name] = (thing, size)
            self.taken += size
            while self.taken > self.room and len(self._things) > 1:
                _, (_, freed) = self._things.popitem(last=False)
                self.taken -= freed
        return name

    def get(self, name: str) -> T:
        """What is kept under a name.

        Raises:
            GoneError: if there is nothing, or no longer.
        """
        with self._lock:
            if name not in self._things:
                raise GoneError(f"this {self.what} is not kept any more: choose the photo again")
            self._things.move_to_end(name)
            return self._things[name][0]
