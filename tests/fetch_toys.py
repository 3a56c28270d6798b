"""A small archive of a benchmark set, and a server on this machine that gives it, more or less well."""

import io
import re
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

LABELS = ("segmentation/0001.png", "depth/0001.npy", "normals/0001.png", "edge/0001.png")
FILES = {
    "NYUDv2/gt_sets/train.txt": b"0001\n",
    **{f"NYUDv2/{name}": name.encode() * 9 for name in LABELS},
    "NYUDv2/images/0001.png": np.random.default_rng(0).bytes(200_000),
}
"""Files of a set; random ones, so that the archive is longer than one read."""
SET = {name.removeprefix("NYUDv2/"): content for name, content in FILES.items()}
"""The same from the root of the set."""
VARIANT = {f"NYUD_MT/{name}": b"-" for name in ("gt_sets/train.txt", "images/0001.jpg", "edge/0001.npy")}
"""Files of another set of the same photos."""


def tar_bytes(files=FILES, mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


BODY = tar_bytes()


def zip_bytes(files=FILES):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass
class Page:
    """What a server gives under one address; each request takes the next entry of a list, as long as there is one."""

    body: bytes
    tags: list[str | None] = field(default_factory=lambda: ['"one"'])
    cuts: list[int | None] = field(default_factory=list)
    """Bytes of an answer after which the connection is lost."""
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    length: bool = True
    pieces: bool = False
    """Whether an answer comes in pieces, with a length that is a lie."""
    more: bytes = b""
    """Comes after the rest of a file that was asked for."""
    silence: threading.Event | None = None
    """Comes where an answer is cut, before the connection is lost."""
    location: str | None = None
    gate: threading.Event | None = None
    """Comes before the last byte of an answer."""
    asked: list[str | None] = field(default_factory=list)
    """The Range of each request so far."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        page = self.server.pages.get(self.path)
        if page is None:
            return self.send_error(404)
        page.asked.append(self.headers.get("Range"))
        if page.location:
            self.send_response(302)
            self.send_header("Location", page.location)
            return self.end_headers()
        tag = page.tags[0] if len(page.tags) == 1 else page.tags.pop(0)
        cut = page.cuts.pop(0) if page.cuts else None
        if page.statuses and (status := page.statuses.pop(0)) != 200:
            return self.send_error(status)
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and page.ranges and self.headers.get("If-Range") == tag:
            start = int(wanted[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
        else:
            self.send_response(200)
        if page.pieces:
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Content-Length", "5")
        elif page.length and not (start and page.more):
            self.send_header("Content-Length", str(len(page.body) - start))
        if tag:
            self.send_header("ETag", tag)
        self.send_header("Connection", "close")
        self.end_headers()
        if page.pieces:
            return self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(page.body), page.body))
        rest = page.body[start:][:cut] + (page.more if start else b"")
        self.wfile.write(rest[:-1])
        if page.gate is not None:
            page.gate.wait(10)
        self.wfile.write(rest[-1:])
        if cut is not None and page.silence is not None:
            page.silence.wait(10)
        return None

    def log_message(self, *args):
        pass


@contextmanager
def serve(pages: dict[str, Page]):
    """Give pages on 127.0.0.1, and the address that their paths follow."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.pages = pages
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
