"""Large photos and many visitors: the server stays alive, within its bound of memory, and answers."""

import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from page_server import NEWS, join, outcome, predict, running

VISITORS = 200
ROOM = 1200
"""Megabytes that the server may take beyond what it has at rest; docs/how-to/serve.md says so."""


@pytest.fixture(scope="module")
def server():
    with running("--queue", "40") as found:
        yield found


@pytest.fixture(scope="module")
def at_rest(server):
    return server.megabytes()


def encoded(pixels, kind, **options):
    buffer = io.BytesIO()
    mode = "RGB" if pixels.shape[2] == 3 else "CMYK"
    picture = Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes())
    picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "channels", "options"),
    [
        ("JPEG", 3, {"quality": 60}),
        ("PNG", 3, {"compress_level": 1}),
        ("JPEG", 4, {"quality": 60, "progressive": True}),
    ],
)
def test_a_photo_of_80_megapixels(server, at_rest, kind, channels, options):
    rows = np.linspace(0, 255, 8000).astype(np.uint8)
    photo = encoded(np.broadcast_to(rows[:, None, None], (8000, 10_000, channels)), kind, **options)
    with httpx.Client(base_url=server.address, timeout=90) as client:
        taken = client.post("/photos", content=photo).json()
        assert taken["original"] == [8000, 10_000]
        assert (taken["height"], taken["width"], taken["reduced"]) == (819, 1024, True)
        join(client, [taken["photo"], "pamm-tiny-scenes"], f"large-{kind}-{channels}").raise_for_status()
        found = outcome(client, f"large-{kind}-{channels}")["output"]["data"][0]
        assert client.get(f"/results/{found['result']}/depth.png").status_code == 200
    assert server.peak_megabytes() < at_rest + ROOM


def test_two_hundred_visitors_at_once(server, at_rest):
    rng = np.random.default_rng(0)
    photos = [encoded(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), "JPEG") for _ in range(4)]
    start = threading.Barrier(VISITORS)

    def visit(number):
        with httpx.Client(base_url=server.address, timeout=120) as client:
            start.wait()
            taken = client.post("/photos", content=photos[number % len(photos)])
            assert taken.status_code == 200
            joined = join(client, [taken.json()["photo"], "pamm-tiny-scenes"], f"visitor-{number}")
            if joined.status_code == 503:
                assert "full" in joined.json()["detail"].lower()
                return "turned away"
            joined.raise_for_status()
            message = outcome(client, f"visitor-{number}")
            assert message["success"], message
            return "served"

    with ThreadPoolExecutor(VISITORS) as pool:
        told = list(pool.map(visit, range(VISITORS)))
    assert set(told) <= {"served", "turned away"}
    assert told.count("served") >= 40
    assert server.peak_megabytes() < at_rest + ROOM
    with httpx.Client(base_url=server.address, timeout=60) as client:
        assert predict(client, photos[0], "afterwards")["maps"]


def test_it_ends_quietly_when_interrupted(server):
    with httpx.Client(base_url=server.address, timeout=60) as client:
        taken = client.post("/photos", content=encoded(np.zeros((48, 64, 3), np.uint8), "PNG")).json()["photo"]
        for _ in range(20):
            join(client, [taken, "pamm-tiny-scenes"], "waiting").raise_for_status()
        # a visitor who leaves in the middle of sending
        host, port = urlsplit(server.address).netloc.split(":")
        with socket.create_connection((host, int(port))) as leaving:
            leaving.sendall(f"POST /photos HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\nabc".encode())
        with client.stream("GET", NEWS, params={"session_hash": "waiting"}):
            assert server.stop() == 130
    assert server.process.stdout.read().strip() == "interrupted"
