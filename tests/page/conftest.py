"""One server for all tests of the page that need no other."""

import pytest

pytest.importorskip("gradio", reason="the extra `page` is not installed")

from page_server import running


@pytest.fixture(scope="session")
def server():
    with running() as found:
        yield found
