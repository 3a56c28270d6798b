"""What is said when the page cannot be served."""

import socket
import sys

import pytest

from pamm.cli import USAGE_ERROR, main


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--weights", "nowhere"], "no weights 'nowhere'"),
        (["--host", "256.0.0.1"], "cannot listen on 256.0.0.1"),
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
