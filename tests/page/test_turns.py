"""Nobody fills the queue alone."""

import json

from starlette.responses import Response
from starlette.testclient import TestClient

from pamm.page import turns
from pamm.page.guard import JOIN, Guard
from pamm.page.turns import EACH, Turns

CALL = json.dumps({"data": ["photo", "weights"], "session_hash": "x"}).encode()


def test_each_address_has_its_turns(monkeypatch):
    waiting = Turns()
    guard = Guard(Response("queued"), names=None, turns=waiting)
    one, other, own = (TestClient(guard, client=(host, 1)) for host in ("10.0.0.1", "10.0.0.2", "127.0.0.1"))
    assert [one.post(JOIN, content=CALL).status_code for _ in range(EACH + 1)] == [200] * EACH + [429]
    assert other.post(JOIN, content=CALL).status_code == 200
    assert {own.post(JOIN, content=CALL).status_code for _ in range(EACH + 1)} == {200}
    waiting.give_back("10.0.0.1")
    assert [one.post(JOIN, content=CALL).status_code for _ in range(2)] == [200, 429]
    monkeypatch.setattr(turns, "_SECONDS", 0)
    assert one.post(JOIN, content=CALL).status_code == 200
