"""What stands before every route: who may ask, for what, and how much they may send.

Gradio answers many more addresses than the page needs: files by path, files by address, uploads, its own pages. Only
the two of its queue are let through, and of what is sent to the queue only two words reach it.
"""

import asyncio
import json
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pamm.page.turns import EACH, Turns

MOUNT = "/gradio"
"""Where Gradio's routes lie."""
JOIN = f"{MOUNT}/gradio_api/queue/join"
"""Where the page queues for a prediction."""
NEWS = f"{MOUNT}/gradio_api/queue/data"
"""Where the page hears what became of it."""

_LONGEST_CALL = 4096
_LONGEST_WORD = 200
_CALL_SECONDS = 20
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware around the whole page."""

    def __init__(self, app: ASGIApp, *, names: Collection[str] | None, turns: Turns) -> None:
        """Stand before an application.

        Args:
            app: the application.
            names: names and addresses of this machine, if it alone is served, else None. Requests must call it by one
                of them, so that no other site can make a browser here take this server for its own.
            turns: the photos that wait for the network.
        """
        self.app = app
        self.names = names
        self.turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with an error."""
        if scope["type"] != "http":
            # the page has no websockets
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None and scope["path"] == JOIN:
            body = await _call(Request(scope, receive))
            if body is None:
                refusal = (422, "a prediction wants the name of a photo and of weights")
            elif scope["client"] and not self.turns.take(scope["client"][0]):
                refusal = (429, f"{EACH} photos from your address are waiting already: try again once they are done")
            else:
                scope, receive = _with_body(scope, body), _once(body)
        if refusal is None and scope["path"] == NEWS:
            await self._stream(scope, receive, _with_headers(send))
        elif refusal is None:
            await self.app(scope, receive, _with_headers(send))
        else:
            status, words = refusal
            await JSONResponse({"detail": words}, status)(scope, receive, _with_headers(send))

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the news on. For a visitor it does not know Gradio breaks off the answer, which is no error of ours."""
        try:
            await self.app(scope, receive, send)
        except (HTTPException, RuntimeError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason why a request is not passed on, if there is one."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.names is not None and _machine(f"//{host}", with_port=False) not in self.names:
            return 421, "this server serves its own machine alone: start it with --host to let others in"
        origin = headers.get("origin")
        if origin is not None and _machine(origin) != host:
            return 403, "another site may not use this server"
        path, method = scope["path"], scope["method"]
        if (path == MOUNT or path.startswith(f"{MOUNT}/")) and (method, path) not in (("POST", JOIN), ("GET", NEWS)):
            return 404, "there is nothing here"
        return None


def _machine(address: str, *, with_port: bool = True) -> str | None:
    """The machine that an address names, or None if it names none."""
    try:
        parts = urlsplit(address)
        return (parts.netloc if with_port else parts.hostname) or None
    except ValueError:
        return None


async def _call(request: Request) -> bytes | None:
    """What is passed on of a call to the queue: names of a photo and of weights, and whom to answer.

    Gradio would fetch what an address in the data names, and look at files that paths name; words are just words.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > _LONGEST_CALL:
                    return None
    except (ClientDisconnect, TimeoutError):
        return None
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, Mapping) or not isinstance(plain.get("data"), list):
        return None
    words = [*plain["data"], plain.get("session_hash")]
    if len(words) != 3 or not all(isinstance(word, str) and 0 < len(word) <= _LONGEST_WORD for word in words):
        return None
    return json.dumps({"data": words[:2], "fn_index": 0, "session_hash": words[2]}).encode()


def _with_body(scope: Scope, body: bytes) -> Scope:
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"content-length", b"content-type", b"transfer-encoding")
    ]
    added = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return {**scope, "headers": kept + added}


def _once(body: bytes) -> Receive:
    """A body that is received whole, and then the end of the connection."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _with_headers(send: Send) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_on
