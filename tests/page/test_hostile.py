"""Visitors who want what is not theirs get errors, and the server goes on."""

import http.server
import io
import json
import socket
import struct
import threading
import time
import zlib
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from page_server import JOIN, NEWS, join, outcome, predict


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.address, timeout=60) as found:
        yield found


@pytest.fixture(autouse=True)
def _still_answering(request):
    yield
    server = request.getfixturevalue("server")
    assert server.process.poll() is None
    assert httpx.get(server.address).status_code == 200


def picture(size=(60, 40), *, kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size).save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio/gradio_api/file=/etc/passwd",
        "/gradio/file=/etc/passwd",
        "/gradio/gradio_api/file/etc/passwd",
        "/gradio/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio/gradio_api/queue/../file=/etc/passwd",
        "/gradio//gradio_api/file=/etc/passwd",
        "/static/..%2f..%2fapp.py",
        "/static/%2fetc%2fpasswd",
        "/static/../app.py",
        "/photos/..%2f..%2fetc%2fpasswd",
        "/results/x/../../etc/passwd",
        "/examples/99999",
        "/gradio/",
        "/gradio/config",
        "/gradio/gradio_api/info",
        "/gradio/monitoring",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_file_can_be_read(server, path):
    # as it is, without the tidying of an HTTP library
    host, port = urlsplit(server.address).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split()[1] in (b"400", b"404", b"410", b"422")
    assert b"root:" not in answer
    assert b"import" not in answer


def test_nothing_can_be_put_where_gradio_looks(client):
    assert client.post("/gradio/gradio_api/upload", files={"files": ("../../x", b"x")}).status_code == 404
    assert client.post("/gradio/gradio_api/component_server", json={}).status_code == 404
    assert client.post("/gradio/gradio_api/run/predict", json={"data": ["x", "y"]}).status_code == 404
    assert client.post("/gradio/gradio_api/call/predict", json={"data": ["x", "y"]}).status_code == 404


def test_no_address_is_fetched_and_no_path_followed(client):
    asked = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

        do_HEAD = do_GET

    with http.server.HTTPServer(("127.0.0.1", 0), Trap) as trap:
        threading.Thread(target=trap.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{trap.server_port}/x.png"
        meta = {"_type": "gradio.FileData"}
        for hostile in (
            {"path": "/etc/passwd", "meta": meta},
            {"path": url, "url": url, "meta": meta},
            {"path": "/etc/passwd", "url": f"file:///etc/passwd#{url}", "meta": meta},
            [{"path": "/etc/passwd", "meta": meta}],
            None,
            7,
        ):
            for data in ([hostile, "pamm-tiny-scenes"], ["photo", hostile], [hostile]):
                assert join(client, data, "hostile").status_code == 422
        time.sleep(0.3)
        trap.shutdown()
    assert asked == []


@pytest.mark.parametrize("photo", ["/etc/passwd", "../../etc/passwd", "http://127.0.0.1:1/x", "\x00", "x" * 200])
def test_names_that_are_no_names_are_just_not_there(client, photo):
    join(client, [photo, "pamm-tiny-scenes"], "stranger").raise_for_status()
    message = outcome(client, "stranger")
    assert not message["success"]
    assert "not kept any more" in message["output"]["error"]


def test_weights_are_chosen_from_those_the_page_was_started_with(client):
    photo = client.post("/photos", content=picture()).json()["photo"]
    for weights in ("/etc", "bert-base/uncased", "../pamm-tiny-scenes"):
        join(client, [photo, weights], "chooser").raise_for_status()
        assert "there is no set of weights" in outcome(client, "chooser")["output"]["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 4000,
        b'{"data": ["a", "b"]}',
        b'{"data": "ab", "session_hash": "x"}',
        b'{"data": ["a", "b"], "session_hash": {"x": 1}}',
        b'{"data": ["a", "b"], "session_hash": "x", "more": "' + b"x" * 5000 + b'"}',
        b"\xff\xfe",
    ],
)
def test_calls_that_are_none_are_refused(client, body):
    assert client.post(JOIN, content=body).status_code == 422


def test_what_else_a_call_says_never_reaches_the_queue(client):
    taken = client.post("/photos", content=picture()).json()["photo"]
    call = {
        "data": [taken, "pamm-tiny-scenes"],
        "session_hash": "extra",
        "fn_index": 99,
        "trigger_id": 4,
        "batched": True,
    }
    client.post(JOIN, json=call).raise_for_status()
    assert outcome(client, "extra")["success"]


def test_photos_that_are_none_are_explained(client):
    bomb = bytearray(picture(kind="PNG"))
    # a header that promises 60 000 × 60 000 pixels
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bytes(bomb[12:29])))
    cases = {
        "empty": b"",
        "not a picture": b"%PDF-1.4",
        "not a picture that": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "more": bytes(bomb),
        "damaged": picture((400, 300), quality=95)[:900],
    }
    for words, body in cases.items():
        answer = client.post("/photos", content=body)
        assert answer.status_code == 422
        assert words in answer.json()["detail"]
    too_many = client.post("/photos", content=picture((12_000, 9_000), kind="GIF", mode="1"))
    assert "12,000 × 9,000 pixels, more than the 100 million" in too_many.json()["detail"]


def test_files_that_are_too_large_are_cut_off(client, server):
    assert client.post("/photos", content=b"x" * 50_000_001).status_code == 413

    def drip():
        for _ in range(60):
            yield b"x" * 2**20

    # without a length in the header
    try:
        assert client.post("/photos", content=drip()).status_code == 413
    except httpx.WriteError:
        pass


def test_an_odd_photo_gets_its_maps(client):
    for number, (size, kind, options) in enumerate(
        [
            ((1, 1), "PNG", {}),
            ((3000, 1), "PNG", {}),
            ((2, 1500), "PNG", {"mode": "L"}),
            ((1500, 1200), "PNG", {"mode": "RGBA"}),
            ((1500, 1200), "PNG", {"mode": "P"}),
            ((1500, 1200), "PNG", {"mode": "1"}),
            ((1500, 1200), "PNG", {"mode": "I;16"}),
            ((1500, 1200), "TIFF", {"mode": "F"}),
            ((1500, 1200), "JPEG", {"mode": "CMYK"}),
        ]
    ):
        found = predict(client, picture(size, kind=kind, **options), f"odd-{number}")
        assert len(found["maps"]) == 6, (size, kind, options)


def test_other_sites_cannot_use_the_server(client, server):
    other = {"Origin": "http://example.org"}
    assert client.post("/photos", content=picture(), headers=other).status_code == 403
    # a name of another's that leads here
    assert client.get("/", headers={"Host": "example.org"}).status_code == 421
    assert client.post("/photos", content=picture(), headers={"Origin": server.address}).status_code == 200


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Host": ""}, {"Origin": "http://["}, {"Origin": "null"}])
def test_headers_that_make_no_sense_are_refused(client, headers):
    assert client.post("/photos", content=picture(), headers=headers).status_code in (400, 403, 421)


def test_headers_keep_strangers_out(client):
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_a_stream_of_news_that_is_not_there_ends(client):
    assert '"session_not_found":true' in client.get(NEWS, params={"session_hash": "nobody"}).text


def test_results_of_others_cannot_be_guessed(client):
    found = predict(client, picture(), "mine")["result"]
    assert len(found) >= 22
    assert client.get(f"/results/{found}/depth.png").status_code == 200
    assert client.get(f"/results/{found[:-1]}/depth.png").status_code == 410
    assert client.get(f"/results/{found}/nothing.png").status_code == 404
    assert client.get(f"/results/{found}/maps.zip?task=../x").status_code == 400
    assert json.loads(client.get("/results/x/maps.zip").content)["detail"].startswith("this result is not kept")
