"""Starting the page, and ending it."""

import ipaddress
import os
import socket
from collections.abc import Callable, Sequence

from pamm.page.settings import PageSettings


def serve(settings: PageSettings, *, ready: Callable[[Sequence[str]], None]) -> None:
    """Serve the page until the process is interrupted.

    Args:
        settings: where, with which weights, and how much is taken.
        ready: told the addresses once the page can be opened: for this machine, and for others if they are let in.

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
        server = http_server(build_app(settings, names=own_names(listening, settings.host)))
        ready(addresses(listening, settings.host))
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
    except UnicodeError as error:
        raise ValueError(f"cannot listen on {host}: no name of a machine is spelt like that: choose another") from error
    except OSError as error:
        # sockets add the address to what the system says, names have errors of their own
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise ValueError(
            f"cannot listen on {host}, port {port}: {reason}: choose another --port (0 takes a free one) or --host"
        ) from error


def own_names(listening: socket.socket, host: str) -> frozenset[str] | None:
    """What a request may call this machine if no other can reach the socket, or None if others can.

    Args:
        listening: the socket.
        host: what it was opened for.
    """
    bound = listening.getsockname()[0]
    return frozenset({"localhost", bound, host.lower()}) if ipaddress.ip_address(bound).is_loopback else None


def addresses(listening: socket.socket, host: str) -> list[str]:
    """Where the page is found: from this machine, and then from others if it is elsewhere for them.

    Args:
        listening: the socket.
        host: what it was opened for.
    """
    bound, port = listening.getsockname()[:2]
    if not ipaddress.ip_address(bound).is_unspecified:
        return [f"http://{_bracketed(host)}:{port}"]
    here = "127.0.0.1" if listening.family == socket.AF_INET else "::1"
    return [f"http://{_bracketed(name)}:{port}" for name in (here, _outer_address(listening.family))]


def _outer_address(family: int) -> str:
    """The address by which others reach this machine, or its name if it is in no network."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            # picks a route and sends nothing; these addresses are kept for documentation
            probe.connect(("192.0.2.1" if family == socket.AF_INET else "2001:db8::1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
