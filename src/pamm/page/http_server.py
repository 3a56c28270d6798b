"""The server of HTTP, with its bounds."""

import logging
import socket

import uvicorn
from starlette.types import ASGIApp

_CONNECTIONS = 1000
"""Connections at a time; the next are turned away."""
_IDLE_SECONDS = 20
_LAST_SECONDS = 2
"""How long the last answers may take. Those who wait for a prediction would be waited for."""


class QuietServer(uvicorn.Server):
    """Ends without complaints about those who are cut off."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, and finish those there are."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def http_server(app: ASGIApp) -> QuietServer:
    """A server for an application; it runs until it is interrupted."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    return QuietServer(config)
