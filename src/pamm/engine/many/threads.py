"""Threads that read ahead and write behind, and how much may lie between them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from pamm.engine.stop import stop_when

Item = TypeVar("Item")
Result = TypeVar("Result")


class Room:
    """Room for things of different sizes, several threads' worth of them."""

    def __init__(self, size: int) -> None:
        """Take how much there is; a larger thing is let in when there is nothing else."""
        self._size = size
        self._used = 0
        self._changed = threading.Condition()

    def enter(self, size: int) -> None:
        """Wait until there is room, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self._size)
            self._used += size

    def leave(self, size: int) -> None:
        """Give it back."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()


@contextmanager
def threads(count: int) -> Iterator[Executor]:
    """Some threads; on leaving, what they are at is finished, and what has not begun is dropped.

    Left by an exception, what they are at stops where it calls :func:`pamm.engine.stop.check_stop`. PyTorch works with
    one thread in each of them: they share the processors already.
    """
    before = torch.get_num_threads()
    stop = threading.Event()
    executor = ThreadPoolExecutor(count, initializer=_begin, initargs=(stop,))
    try:
        yield executor
    except BaseException:
        stop.set()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        # what one thread sets is also what later ones start with
        torch.set_num_threads(before)


def _begin(stop: threading.Event) -> None:
    torch.set_num_threads(1)
    stop_when(stop)


def ahead(submit: Callable[[Item], Result], items: Iterable[Item], *, count: int) -> Iterator[Result]:
    """Begin the work on some items before it is wanted.

    Args:
        submit: begins the work on an item, and gives what to wait for.
        items: the items; no more of them are drawn than are begun.
        count: how many are begun beyond the one that is given.

    Yields:
        What ``submit`` gave, in order.
    """
    begun: deque[Result] = deque()
    for item in items:
        begun.append(submit(item))
        if len(begun) > count:
            yield begun.popleft()
    while begun:
        yield begun.popleft()
