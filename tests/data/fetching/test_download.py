"""Downloads go on where they stopped, start over where they must, and are never two files in one."""

import errno
import hashlib
import json
import os
import threading
from collections import namedtuple

import pytest

from fetch_toys import BODY, Page, serve
from pamm.data.fetching import download as module
from pamm.data.fetching.download import SourceError, download
from pamm.data.fetching.sources import Source
from pamm.data.fetching.unpack import ArchiveError
from pamm.data.files import WriteError

HALF = len(BODY) // 2


@pytest.fixture
def part(tmp_path):
    return tmp_path / "set.part"


def get(page: Page, part, **known) -> None:
    with serve({"/a": page}) as server:
        download(Source(url=f"{server}/a", **known), part, timeout=5, pauses=(0, 0))


def leave_half(server: str, page: Page, part) -> None:
    """A download that stopped half-way, as one does whose process was ended."""
    page.cuts[:] = [HALF, 0, 0, 0]
    with pytest.raises(SourceError, match=rf"stopped after {HALF} of {len(BODY)} bytes"):
        download(Source(url=f"{server}/a"), part, timeout=5, pauses=(0, 0))
    assert part.read_bytes() == BODY[:HALF]
    page.asked.clear()


def test_whole(part):
    seen = []
    with serve({"/a": Page(BODY)}) as server:
        source = Source(url=f"{server}/a", sha256=hashlib.sha256(BODY).hexdigest().upper(), size=len(BODY))
        download(source, part, progress=lambda done, total: seen.append((done, total)))
    assert part.read_bytes() == BODY
    assert len(seen) > 1
    assert seen[-1] == (len(BODY), len(BODY))


def test_what_is_whole_is_not_fetched_again(part):
    page = Page(BODY)
    with serve({"/a": page}) as server:
        for _ in range(2):
            download(Source(url=f"{server}/a"), part)
    assert page.asked == [None]


def test_goes_on_after_cuts(part):
    page = Page(BODY, cuts=[HALF, 1000, 10, 10, 10])  # each attempt brings something, so none counts as idle
    get(page, part)
    assert part.read_bytes() == BODY
    steps = (HALF, HALF + 1000, HALF + 1010, HALF + 1020, HALF + 1030)
    assert page.asked == [None, *(f"bytes={at}-" for at in steps)]


def test_goes_on_in_another_process(part):
    page = Page(BODY)
    with serve({"/a": page}) as server:
        leave_half(server, page, part)
        download(Source(url=f"{server}/a"), part)
    assert part.read_bytes() == BODY
    assert page.asked == [f"bytes={HALF}-"]


def test_a_file_that_came_whole_before_its_notes_said_so(part):
    page = Page(BODY)
    with serve({"/a": page}) as server:
        leave_half(server, page, part)
        part.write_bytes(BODY)
        download(Source(url=f"{server}/a"), part)
    assert page.asked == []


@pytest.mark.parametrize("change", [{"ranges": False}, {"tags": ['"two"']}, {"tags": [None]}])
def test_starts_over(change, part):
    """The server gives no parts, or the file is another one by now."""
    page = Page(BODY)
    other = BODY[::-1]
    with serve({"/a": page}) as server:
        leave_half(server, page, part)
        page.body = other
        vars(page).update(change)
        download(Source(url=f"{server}/a"), part)
    assert part.read_bytes() == other
    assert page.asked == [f"bytes={HALF}-"]


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_nothing_is_added_without_a_mark(tag, part):
    page = Page(BODY, tags=[tag], cuts=[HALF])
    get(page, part)
    assert part.read_bytes() == BODY
    assert page.asked == [None, None]


def test_an_answer_that_ignores_the_mark(part, monkeypatch):
    """A server that gives the rest of another file, though it was told which file is meant."""
    page = Page(BODY)
    other = bytes(len(BODY))
    with serve({"/a": page}) as server:
        leave_half(server, page, part)
        page.body, page.tags = other, ['"two"']
        monkeypatch.setattr(module.urllib.request.Request, "add_header", _without_a_mark)
        download(Source(url=f"{server}/a"), part, pauses=(0, 0))
    assert part.read_bytes() == other


def _without_a_mark(request, key, value):
    request.headers[key.capitalize()] = '"two"' if key == "If-Range" else value


@pytest.mark.parametrize("notes", ["", "[]", '{"url": 3}', '{"url": "http://other/", "mark": "\\"one\\"", "total": 9}'])
def test_notes_of_another_file(notes, part):
    page = Page(BODY)
    with serve({"/a": page}) as server:
        leave_half(server, page, part)
        part.with_name("set.part.json").write_text(notes)
        download(Source(url=f"{server}/a"), part)
    assert part.read_bytes() == BODY
    assert page.asked == [None]


def test_no_length(part):
    get(Page(BODY, length=False), part)
    assert part.read_bytes() == BODY
    assert json.loads(part.with_name("set.part.json").read_text())["whole"]


def test_a_length_that_is_a_lie(part):
    page = Page(BODY, pieces=True)
    get(page, part)
    assert part.read_bytes() == BODY
    assert page.asked == [None]


def test_more_than_was_said(part):
    page = Page(BODY, cuts=[HALF], more=b"more")
    with pytest.raises(SourceError, match=rf"sends more than {len(BODY)} bytes"):
        get(page, part)
    assert len(page.asked) == 2
    assert os.listdir(part.parent) == []


def test_a_slow_line_gets_on(part):
    """Each answer brings less than one read before the line falls silent, and what came is kept."""
    page = Page(BODY, cuts=[20_000] * 5, silence=threading.Event())
    with serve({"/a": page}) as server:
        download(Source(url=f"{server}/a"), part, timeout=0.1, pauses=(0, 0, 0))
        page.silence.set()
    assert part.read_bytes() == BODY


def test_busy_for_a_while(part):
    get(Page(BODY, statuses=[503, 429, 200]), part)
    assert part.read_bytes() == BODY


def test_attempts_end(part):
    page = Page(BODY, statuses=[500] * 99)
    with pytest.raises(SourceError, match=r"answered 500 .*3 attempts in a row"):
        get(page, part)
    assert len(page.asked) == 3


@pytest.mark.parametrize("status", [403, 404, 410])
def test_gone(status, part):
    page = Page(BODY, statuses=[status])
    with pytest.raises(SourceError, match=f"answered {status}"):
        get(page, part)
    assert len(page.asked) == 1
    assert not part.exists()


def test_a_server_that_falls_silent(part):
    page = Page(BODY, gate=threading.Event())
    with serve({"/a": page}) as server:
        with pytest.raises(SourceError, match="the connection was lost: timed out"):
            download(Source(url=f"{server}/a"), part, timeout=0.1, pauses=())
        page.gate.set()
        download(Source(url=f"{server}/a"), part)
    assert part.read_bytes() == BODY
    assert len(page.asked) > 1


def test_nobody_there(part):
    with serve({}) as server:
        pass
    with pytest.raises(SourceError, match=r"cannot be reached: .*refused"):
        download(Source(url=f"{server}/a"), part, pauses=())


def test_redirects(part):
    pages = {"/a": Page(BODY, cuts=[HALF])}
    with serve(pages) as server:
        pages["/old"] = Page(b"", location=f"{server}/a")
        download(Source(url=f"{server}/old"), part, pauses=(0,))
    assert part.read_bytes() == BODY
    assert pages["/a"].asked == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_redirects_to_elsewhere(location, part):
    with pytest.raises(SourceError):
        get(Page(b"", location=location), part)
    assert not part.exists()


def test_a_web_page(part):
    with pytest.raises(ArchiveError, match="is a web page"):
        get(Page(b"<!DOCTYPE html><html>Sorry"), part)
    assert os.listdir(part.parent) == []


@pytest.mark.parametrize("known", [{"sha256": "0" * 64}, {"md5": "0" * 32}])
def test_another_checksum(known, part):
    with pytest.raises(SourceError, match=f"its {next(iter(known))} is .*, the source says 000"):
        get(Page(BODY), part, **known)
    assert os.listdir(part.parent) == []


@pytest.mark.parametrize("length", [True, False])
def test_another_size(length, part):
    with pytest.raises(SourceError, match=f"it has {len(BODY)} bytes, the source says 7"):
        get(Page(BODY, length=length), part, size=7)
    assert os.listdir(part.parent) == []


def test_no_room(part, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(1000))
    with pytest.raises(WriteError, match=rf"needs {len(BODY)} bytes, 1000 are free"):
        get(Page(BODY), part)


def test_the_disk_fills(part, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "_remember", full)
    with pytest.raises(WriteError, match=r"^cannot write .*: No space left on device: make room"):
        get(Page(BODY), part)


def test_an_interruption_keeps_what_came(part):
    def interrupt(done, total):
        if done > HALF:
            raise KeyboardInterrupt

    page = Page(BODY)
    with serve({"/a": page}) as server:
        with pytest.raises(KeyboardInterrupt):
            download(Source(url=f"{server}/a"), part, progress=interrupt)
        at = part.stat().st_size
        download(Source(url=f"{server}/a"), part)
    assert part.read_bytes() == BODY
    assert page.asked == [None, f"bytes={at}-"]
