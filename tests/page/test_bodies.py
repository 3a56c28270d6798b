"""Uploads are bounded one by one and together, and slow ones hold nobody up."""

import asyncio

import pytest
from fastapi import HTTPException, Request

from pamm.page import bodies
from pamm.page.bodies import HeldResponse, Uploads


def request(*parts, pause=0.0):
    waiting = list(parts)

    async def receive():
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    return Request({"type": "http", "headers": []}, receive)


def test_what_is_received_counts_until_it_is_forgotten():
    async def run():
        uploads, first, second = Uploads(most=100, room=150), bytearray(), bytearray()
        await uploads.receive(request(b"x" * 60, b"y" * 40), first)
        assert first == b"x" * 60 + b"y" * 40
        with pytest.raises(HTTPException, match="too many photos") as caught:
            await uploads.receive(request(b"x" * 40, b"y" * 40), second)
        assert caught.value.status_code == 503
        assert uploads.taken == 140
        uploads.free(second)
        uploads.free(first)
        assert uploads.taken == 0
        with pytest.raises(HTTPException, match="larger than"):
            await uploads.receive(request(b"x" * 60, b"y" * 60), bytearray())

    asyncio.run(run())


def test_slow_uploads_are_dropped(monkeypatch):
    monkeypatch.setattr(bodies, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "_SLOWEST", 1000)

    async def run():
        uploads = Uploads(most=10_000, room=10_000)
        await uploads.receive(request(*[b"x" * 200] * 5, pause=0.1), bytearray())
        with pytest.raises(HTTPException, match="took too long") as caught:
            await uploads.receive(request(*[b"x"] * 5, pause=0.1), bytearray())
        assert caught.value.status_code == 408

    asyncio.run(run())


def test_an_answer_holds_its_place_until_it_is_sent():
    async def run():
        places, read = asyncio.Semaphore(1), asyncio.Event()
        await places.acquire()

        async def send(message):
            if message["type"] == "http.response.body" and not message["more_body"]:
                await read.wait()

        answer = HeldResponse(b"maps", places, media_type="application/zip", headers={})
        sending = asyncio.create_task(answer({"type": "http"}, None, send))
        await asyncio.sleep(0.01)
        assert places.locked()
        read.set()
        await sending
        assert not places.locked()

    asyncio.run(run())
