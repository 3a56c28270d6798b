"""How many photos of one address may wait, so that nobody fills the queue alone."""

import ipaddress
import threading
import time

EACH = 8
"""Photos of one address that may wait."""
_SECONDS = 60


class Turns:
    """The photos that wait for the network, by the address they came from.

    Those that were given up are never predicted, so none counts for longer than a minute. What comes from this machine
    itself is not counted, for a web server in front asks for all its visitors.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._waiting: dict[str, list[float]] = {}
        self._lock = threading.Lock()

    def take(self, host: str) -> bool:
        """Whether one more photo of an address may wait; if so, it counts."""
        if ipaddress.ip_address(host).is_loopback:
            return True
        oldest = time.monotonic() - _SECONDS
        with self._lock:
            recent = {name: [start for start in starts if start > oldest] for name, starts in self._waiting.items()}
            self._waiting = {name: starts for name, starts in recent.items() if starts}
            own = self._waiting.setdefault(host, [])
            if len(own) >= EACH:
                return False
            own.append(time.monotonic())
            return True

    def give_back(self, host: str) -> None:
        """One photo of an address waits no longer."""
        with self._lock:
            if self._waiting.get(host):
                self._waiting[host].pop(0)
