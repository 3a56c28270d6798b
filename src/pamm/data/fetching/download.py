"""Downloads that go on where they stopped.

A download lies in ``NAME.part`` until it is used. ``NAME.part.json`` beside it holds what is known of it: the address,
the server's mark of this very file, and its length. With a mark, and from a server that gives parts of files, only the
rest is fetched; else the download starts over.
"""

import hashlib
import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

from pamm.data.fetching.sources import Source
from pamm.data.fetching.unpack import LIMITS, ArchiveError, refuse_page
from pamm.data.files import WriteError, atomic_write
from pamm.records import build

Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 16
_HEAD = 512
"""Bytes among which a web page shows."""
_PASSING = (
    *(HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR),
    *(HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT),
)
"""Answers that may be others in a moment."""
_HANDLERS: tuple[type[urllib.request.BaseHandler], ...] = (
    *(urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler),
    *(urllib.request.HTTPRedirectHandler, urllib.request.HTTPErrorProcessor, urllib.request.HTTPDefaultErrorHandler),
    urllib.request.UnknownHandler,
)
"""Nothing but http and https, wherever a server sends one to."""


class SourceError(ValueError):
    """A source did not give what it should; another may."""


class _CutError(Exception):
    """A transfer stopped early; another attempt may bring the rest."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of a download."""

    url: str
    """Where it comes from."""
    mark: str | None = None
    """The server's ETag or date for the file; None if it gives neither, and then nothing can be added to a part."""
    total: int | None = None
    """Bytes of the whole file, if the server said."""
    whole: bool = False
    """Whether all has come."""


def download(
    source: Source,
    part: Path,
    *,
    timeout: float = 30.0,
    pauses: Sequence[float] = (1.0, 2.0, 4.0),
    progress: Progress | None = None,
) -> None:
    """Fetch a file from a server, or the rest of it, and check it.

    A failure leaves what has come, so that the next call goes on there.

    Args:
        source: the address, and what is known of the file.
        part: file to write.
        timeout: seconds without a byte after which the connection counts as lost.
        pauses: seconds to wait before each further attempt; as many attempts may bring nothing new in a row.
        progress: called with the bytes that are there, and all of them if that is known.

    Raises:
        SourceError: if the server does not give the file, or another one than the source says.
        ArchiveError: if the server gives a web page.
        WriteError: if the file cannot be written.
    """
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    opener.add_handler(urllib.request.HTTPCookieProcessor(CookieJar()))  # share links want theirs back
    furthest, idle = _length(part), 0
    while not _recall(part, source.url).whole:
        try:
            _attempt(opener, source, part, timeout, progress)
        except _CutError as error:
            reached = _length(part)
            idle = 0 if reached > furthest else idle + 1
            furthest = max(furthest, reached)
            if idle > len(pauses):
                raise SourceError(f"{error} ({idle} attempts in a row brought nothing new)") from error
            time.sleep(pauses[max(idle, 1) - 1] if pauses else 0)
        except ArchiveError:
            discard(part)
            raise
    try:
        check(source, part)
    except SourceError:
        discard(part)
        raise


def check(source: Source, path: Path) -> None:
    """Compare a file with the size and the checksums that a source gives.

    Raises:
        SourceError: if the file differs or cannot be read.
    """
    try:
        if source.size is not None and path.stat().st_size != source.size:
            raise _other_size(path.stat().st_size, source.size)
        for kind, wanted in (("sha256", source.sha256), ("md5", source.md5)):
            if wanted is not None:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, partial(hashlib.new, kind, usedforsecurity=False)).hexdigest()
                if found != wanted.lower():
                    raise SourceError(f"its {kind} is {found}, the source says {wanted}: it is damaged or another file")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def discard(part: Path) -> None:
    """Remove a download, and what is known of it."""
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _attempt(
    opener: urllib.request.OpenerDirector, source: Source, part: Path, timeout: float, progress: Progress | None
) -> None:
    """Ask for what is missing, once, and add it to the file."""
    known, start = _recall(part, source.url), _length(part)
    if known.mark is None or (known.total is not None and start > known.total):
        start = 0
    if start and start == known.total:
        return _remember(part, replace(known, whole=True))
    request = urllib.request.Request(quote(source.url, safe=":/?#[]@!$&'()*+,;=%~"))
    request.add_header("User-Agent", "pamm")
    request.add_header("Accept-Encoding", "identity")
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", known.mark or "")
    with _open(opener, request, timeout, part) as response:
        fresh = _Known(url=source.url, mark=_mark(response), total=_total(response))
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            changed = fresh.mark not in (None, known.mark) or fresh.total not in (None, known.total)
            if not start or given is None or int(given[1]) != start or changed:
                discard(part)
                raise _CutError("gave another part of the file than was asked for")
            fresh = replace(known, whole=False)
        elif response.status == HTTPStatus.OK:
            start = 0
        else:
            raise SourceError(f"answered {response.status} {response.reason}")
        if source.size is not None and fresh.total not in (None, source.size):
            raise _other_size(fresh.total, source.size)
        _write(response, part, start, fresh, progress)


def _open(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout: float, part: Path
) -> HTTPResponse:
    try:
        response: HTTPResponse = opener.open(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            discard(part)
        again = error.code in (*_PASSING, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        raise (_CutError if again else SourceError)(f"answered {error.code} {error.reason}") from error
    except (OSError, HTTPException) as error:
        raise _CutError(f"cannot be reached: {getattr(error, 'reason', None) or error or 'no answer'}") from error
    return response


def _write(response: HTTPResponse, part: Path, start: int, known: _Known, progress: Progress | None) -> None:
    """Add what a server sends to a file that has so many bytes already."""
    at, head = start, b""
    most = LIMITS.size if known.total is None else min(known.total, LIMITS.size)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(part.parent).free
        if known.total is not None and known.total - start > free + (0 if start else _length(part)):
            raise WriteError(f"cannot write {part}: it needs {known.total - start} bytes, {free} are free: make room")
        with part.open("ab" if start else "wb") as file:
            _remember(part, known)
            while at <= most and (chunk := _read(response)):
                if not start and at < _HEAD:
                    head += chunk
                    refuse_page(head)
                at += len(chunk)
                file.write(chunk)
                if progress is not None:
                    progress(at, known.total)
    except OSError as error:
        raise WriteError(f"cannot write {part}: {error.strerror}: make room, or choose another folder") from error
    if at > most:
        discard(part)
        raise SourceError(f"sends more than {most} bytes, which should be all: take another source")
    if known.total is not None and at < known.total:
        raise _CutError(f"stopped after {at} of {known.total} bytes")
    _remember(part, replace(known, whole=True))


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)  # what read() has gathered is lost with the connection
    except (OSError, HTTPException) as error:
        raise _CutError(f"the connection was lost: {error or type(error).__name__}") from error


def _mark(response: HTTPResponse) -> str | None:
    """What tells this very file from another under the same address; weak ETags do not."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _total(response: HTTPResponse) -> int | None:
    # beside pieces, the length of the whole counts for nothing
    if response.chunked and response.status == HTTPStatus.OK:
        return None
    name = "Content-Range" if response.status == HTTPStatus.PARTIAL_CONTENT else "Content-Length"
    digits = response.headers.get(name, "").rpartition("/")[2].strip()
    return int(digits) if digits.isdecimal() else None


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _remember(part: Path, known: _Known) -> None:
    with atomic_write(_notes(part)) as path:
        path.write_text(json.dumps(asdict(known)), encoding="utf-8")


def _recall(part: Path, url: str) -> _Known:
    """What is known of a download; nothing but its address if it is of another one, or the notes are not to be read."""
    try:
        plain: Any = json.loads(_notes(part).read_text(encoding="utf-8"))
        known = build(_Known, plain, str(part))
    except (OSError, ValueError):
        return _Known(url=url)
    fits = known.url == url and part.is_file() and (not known.whole or known.total in (None, _length(part)))
    return known if fits else _Known(url=url)


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _other_size(found: int | None, wanted: int) -> SourceError:
    return SourceError(f"it has {found} bytes, the source says {wanted}: it is damaged or another file")
