"""One server for all tests of the page that need no other, and a browser."""

import os

import pytest
from PIL import Image
from skimage import data as photos

if os.environ.get("PAMM_NEEDS_BROWSER") != "1":
    pytest.importorskip("gradio", reason="the extra `page` is not installed")

from page_server import running


@pytest.fixture(scope="session")
def server():
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    from browsing import CHROMIUM, OPTIONS, playwright

    with playwright.sync_playwright() as found:
        # the browser keeps its profile where it may write
        browser = found.chromium.launch(executable_path=CHROMIUM, args=OPTIONS, env={**os.environ})
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """Open the page; nothing may be fetched from elsewhere, and no script may fail."""
    contexts, asked, wrong = [], [], []

    def open_page(**options):
        context = browser.new_context(
            **{"reduced_motion": "reduce", "viewport": {"width": 1280, "height": 900}, **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
        page.goto(server.address)
        page.wait_for_selector("body.ready")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((server.address, "blob:"))] == []
    # a refused upload is an error to the console as well
    assert [text for text in wrong if "Failed to load resource" not in text] == []


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "my photo.jpg"
    Image.fromarray(photos.chelsea()).save(path)
    return path
