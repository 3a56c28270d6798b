"""Ending long work in a thread whose result nobody waits for any more."""

import threading

_thread = threading.local()


class Stopped(Exception):
    """The work of this thread is not wanted any more."""


def stop_when(event: threading.Event) -> None:
    """Let :func:`check_stop` raise in this thread once an event is set."""
    _thread.event = event


def check_stop() -> None:
    """To be called now and then by work that takes long, in any thread.

    Raises:
        Stopped: if it is not wanted any more.
    """
    event: threading.Event | None = getattr(_thread, "event", None)
    if event is not None and event.is_set():
        raise Stopped
