"""Schedulers that ask a run to stop: it saves where it stands and ends as if all were well."""

import signal
import threading
from types import FrameType


class StoppedRun(SystemExit):
    """A run that was asked to stop has saved its state; if nobody catches it, the process ends with exit code 0."""

    def __init__(self, message: str) -> None:
        """Take what there is to say."""
        super().__init__(0)
        self.message = message

    def __str__(self) -> str:
        """What there is to say."""
        return self.message


class StopRequest:
    """Whether a signal has asked this process to stop.

    SIGTERM is what schedulers, container engines and service managers send some time before SIGKILL; SIGUSR1 is what
    Slurm jobs are often told to send when their time is almost up.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False

    def listen(self) -> None:
        """Take the signals from here on, in place of Lightning, which puts back what was there before it."""
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGTERM", "SIGUSR1"):
                if hasattr(signal, name):
                    signal.signal(getattr(signal, name), self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def stopped(self, step: int) -> StoppedRun:
        """What to raise once all is saved."""
        return StoppedRun(f"stopped as asked after step {step}, all is saved: go on with --run.resume true")
