"""What is received and sent, within bounds of memory and time."""

import asyncio

from fastapi import HTTPException, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

_SECONDS = 120
"""How long an upload may take."""
_PATIENCE_SECONDS = 10
_SLOWEST = 10_000
"""Bytes a second that an upload must bring on average, once the first patience is used up."""


class Uploads:
    """Uploads on their way: each of bounded size, and all of them together."""

    def __init__(self, *, most: int, room: int) -> None:
        """Start with none.

        Args:
            most: largest upload, bytes.
            room: bytes of all that are received or read at a time; what comes on top of that is refused.
        """
        self.most, self.room = most, room
        self.taken = 0

    def check_length(self, request: Request) -> None:
        """Refuse an upload that says itself that it is too large.

        Raises:
            HTTPException: if it does.
        """
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self.most:
            raise self._too_large()

    async def receive(self, request: Request, body: bytearray) -> None:
        """Receive an upload.

        Args:
            request: whose body it is.
            body: where to put it. What is there afterwards, of broken uploads as well, counts until :meth:`free`.

        Raises:
            HTTPException: if it is too large, too slow or broken off, or there is no room.
        """
        start = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS) as patience:
                async for part in request.stream():
                    if len(body) + len(part) > self.most:
                        raise self._too_large()
                    if self.taken + len(part) > self.room:
                        raise HTTPException(503, "too many photos are being sent at the moment: try again in a minute")
                    body += part
                    self.taken += len(part)
                    patience.reschedule(start + min(_SECONDS, _PATIENCE_SECONDS + len(body) / _SLOWEST))
        except TimeoutError as error:
            raise HTTPException(408, "the upload took too long: try again, or choose a smaller file") from error
        except ClientDisconnect as error:
            raise HTTPException(400, "the upload broke off: try again") from error

    def free(self, body: bytearray) -> None:
        """Forget an upload."""
        self.taken -= len(body)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"the file is larger than {self.most / 1e6:g} MB: choose a smaller one")


class HeldResponse(Response):
    """An answer that holds one of a few places until it is sent, for its bytes are in memory as long."""

    def __init__(self, content: bytes, places: asyncio.Semaphore, *, media_type: str, headers: dict[str, str]) -> None:
        """Take over a place that was acquired before the content was made.

        Args:
            content: the body.
            places: what the place is given back to.
            media_type: type of the content.
            headers: more headers.
        """
        super().__init__(content, media_type=media_type, headers=headers)
        self.places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and wait until it is on its way."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
            # the server has a copy
            self.body = b""
            # the server takes this once the reader has read nearly all of it
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.places.release()
