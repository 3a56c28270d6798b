"""The server of HTTP, with its bounds."""

import asyncio
import logging
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_CONNECTIONS = 1000
"""Connections at a time; the next are turned away."""
_IDLE_SECONDS = 20
"""How long a connection may be there without a whole header of a request."""
_SEND_SECONDS = 120
"""How long an answer may wait for whoever reads it."""
_LAST_SECONDS = 2
"""How long the last answers may take. Those who wait for a prediction would be waited for."""


class ImpatientProtocol(H11Protocol):
    """Cuts off those who hold a connection without asking for anything, or without reading the answer."""

    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self.loop.call_later(_IDLE_SECONDS, self._cut_if_idle, None)

    def on_response_complete(self) -> None:
        """Wait for the next request, whose first bytes end uvicorn's own waiting."""
        answered = self.cycle
        super().on_response_complete()
        self.loop.call_later(_IDLE_SECONDS, self._cut_if_idle, answered)

    def pause_writing(self) -> None:
        """Wait for the reader."""
        super().pause_writing()
        self._stalled = self.loop.call_later(_SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader has read."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()

    def _cut_if_idle(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is not last:
            return
        if self.flow.write_paused:
            # its answer is still being read
            self.loop.call_later(_IDLE_SECONDS, self._cut_if_idle, last)
        else:
            self.transport.abort()


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
        http=ImpatientProtocol,
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
