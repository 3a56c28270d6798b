"""A server of the page in a process of its own, and what speaks to it."""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from pamm.cli import main

JOIN, NEWS = "/gradio/gradio_api/queue/join", "/gradio/gradio_api/queue/data"
START_SECONDS = 90


@dataclass(frozen=True)
class PageServer:
    """A server that answers."""

    address: str
    process: "subprocess.Popen[str]"

    def peak_megabytes(self) -> int:
        """Most memory that the process has had so far."""
        return self._memory("VmHWM")

    def megabytes(self) -> int:
        """Memory that the process has."""
        return self._memory("VmRSS")

    def _memory(self, row: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{row}:\s+(\d+) kB", status)[1]) // 1024

    def stop(self) -> int:
        """Interrupt it as Ctrl-C does, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)


@contextmanager
def running(*options: str) -> Iterator[PageServer]:
    """`pamm serve` on a free port."""
    # a shell that starts things in the background has them ignore interrupts
    command = [sys.executable, "-m", "pamm", "serve", *options, "--port", "0"]
    start = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", start, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
    try:
        yield PageServer(_address(process), process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def served_and_stopped(args: Sequence[str]) -> int:
    """Serve in this process, interrupt it as Ctrl-C does once it answers, and return the exit code."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    ended = threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.1):
            with suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/about").raise_for_status()
                signal.raise_signal(signal.SIGINT)
                return

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        return main([*args, "--port", str(port)])
    finally:
        ended.set()
        watcher.join()


def _address(process: "subprocess.Popen[str]") -> str:
    said = ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and selector.select(end - time.monotonic()):
            line = process.stdout.readline()
            said += line
            if found := re.search(r"http://\S+", line):
                return found[0]
            if not line:
                break
    raise AssertionError(f"the server did not start: {said}")


def join(client: httpx.Client, data: Sequence[object], session: str) -> httpx.Response:
    """Ask for a prediction."""
    return client.post(JOIN, json={"data": data, "session_hash": session})


def outcome(client: httpx.Client, session: str) -> dict:
    """Wait for what becomes of it: the last message of the stream that matters."""
    with client.stream("GET", NEWS, params={"session_hash": session}, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                message = json.loads(line.removeprefix("data: "))
                if message["msg"] in ("process_completed", "unexpected_error"):
                    return message
    raise AssertionError("the stream ended without an answer")


def predict(client: httpx.Client, photo: bytes, session: str, weights: str = "pamm-tiny-scenes") -> dict:
    """Send a photo and wait for its maps."""
    taken = client.post("/photos", content=photo)
    taken.raise_for_status()
    join(client, [taken.json()["photo"], weights], session).raise_for_status()
    message = outcome(client, session)
    assert message["success"], message
    return message["output"]["data"][0]
