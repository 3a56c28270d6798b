"""What is said when the page cannot be served."""

import socket
import sys

import pytest

from pamm.cli import USAGE_ERROR, main
from pamm.page.serve import addresses, open_socket, own_names


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--weights", "nowhere"], "no weights 'nowhere'"),
        (["--host", "256.0.0.1"], "cannot listen on 256.0.0.1"),
        (["--host", "a..b"], "cannot listen on a..b: no name of a machine"),
        (["--host", ""], "host is empty: give an address"),
        (["--weights"], "--weights names none"),
        (["--longest", "1"], "longest is 1: give a number from 64 to 2048"),
        (["--device", "abacus"], "no device 'abacus' here"),
    ],
)
def test_a_wrong_option_is_explained(options, words, capsys):
    assert main(["serve", "--port", "0", *options]) == USAGE_ERROR
    assert words in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == USAGE_ERROR
    assert f"port {port}: Address already in use: choose another --port" in capsys.readouterr().err


def test_without_gradio_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "pamm.page.app", raising=False)
    assert main(["serve", "--port", "0"]) == USAGE_ERROR
    assert "the page needs gradio: pip install 'pamm[page]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", {"localhost", "127.0.0.1"}),
        ("127.0.0.2", {"localhost", "127.0.0.2"}),
        ("LOCALHOST", {"localhost", "127.0.0.1"}),
        ("0.0.0.0", None),
    ],
)
def test_requests_must_name_a_machine_that_serves_itself_alone(host, names):
    with open_socket(host, 0) as listening:
        found = own_names(listening, host)
        assert found == names or found == {"localhost", "::1"}


def test_addresses_are_those_that_can_be_opened():
    with open_socket("127.0.0.2", 0) as listening:
        assert addresses(listening, "127.0.0.2") == [f"http://127.0.0.2:{listening.getsockname()[1]}"]
    with open_socket("0.0.0.0", 0) as listening:
        here, elsewhere = addresses(listening, "0.0.0.0")
        assert here == f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "0.0.0.0" not in elsewhere
