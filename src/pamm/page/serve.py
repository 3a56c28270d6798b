"""Starting the page, and ending it."""

import os
import socket
from collections.abc import Callable

from pamm.page.settings import PageSettings


def serve(settings: PageSettings, *, ready: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        settings: where, with which weights, and how much is taken.
        ready: told the address once the page can be opened.

    Raises:
        ModuleNotFoundError: if the extra ``page`` is not installed.
        ValueError: if the address cannot be had, some weights are not there, or there is no such device.
        KeyboardInterrupt: when it is interrupted, after the last answers.
    """
    # read when Gradio is imported
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    try:
        from pamm.page.app import build_app
        from pamm.page.http_server import http_server
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"the page needs {error.name}: pip install 'pamm[page]'") from error
    with open_socket(settings.host, settings.port) as listening:
        server = http_server(build_app(settings))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        ready(f"http://{host}:{listening.getsockname()[1]}")
        server.run(sockets=[listening])


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: name or address.
        port: 0 for a free one.

    Raises:
        ValueError: if it cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # sockets add the address to what the system says, names have errors of their own
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ValueError(
            f"cannot listen on {host}, port {port}: {reason}: choose another --port (0 takes a free one) or --host"
        ) from error
