"""Connections that are held and not used are cut off."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest
from starlette.responses import Response

from pamm.page import http_server

LARGE = Response(bytes(20_000_000))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    for name, value in (("_CONNECTIONS", 4), ("_IDLE_SECONDS", 0.5), ("_SEND_SECONDS", 0.5)):
        monkeypatch.setattr(http_server, name, value)


@contextmanager
def serving(app):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = http_server.http_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname(), server.server_state.connections
        finally:
            server.should_exit = True
            thread.join()


def ask(address, text=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
    connection = socket.create_connection(address, timeout=10)
    connection.sendall(text)
    return connection


def emptied(connections, seconds=5):
    end = time.monotonic() + seconds
    while connections and time.monotonic() < end:
        time.sleep(0.05)
    return not connections


def test_those_who_ask_for_nothing_make_room():
    with serving(Response(b"here")) as (address, connections):
        # the first is answered, and begins to ask again
        idle = [ask(address)]
        assert idle[0].recv(100).startswith(b"HTTP/1.1 200")
        idle += [ask(address, text) for text in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n")]
        idle[0].sendall(b"GET")
        assert emptied(connections)
        with ask(address) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 200")
        for connection in idle:
            connection.close()


def test_those_who_do_not_read_are_cut_off():
    with serving(LARGE) as (address, connections):
        with ask(address):
            while not connections:
                time.sleep(0.01)
            assert emptied(connections)


def test_those_who_read_get_all_of_it(monkeypatch):
    monkeypatch.setattr(http_server, "_SEND_SECONDS", 30)
    with (
        serving(LARGE) as (address, _),
        ask(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as reader,
    ):
        assert sum(map(len, iter(lambda: reader.recv(2**20), b""))) > 20_000_000
