"""The system's Chromium, for tests that are skipped where there is none, and fail there if PAMM_NEEDS_BROWSER is 1."""

import os
import shutil

import pytest

__all__ = ["CHROMIUM", "OPTIONS", "playwright", "redrawn", "show"]

NEEDED = os.environ.get("PAMM_NEEDS_BROWSER") == "1"


def _miss(reason):
    if NEEDED:
        raise RuntimeError(f"PAMM_NEEDS_BROWSER is 1, and {reason}")
    pytest.skip(reason, allow_module_level=True)


try:
    from playwright import sync_api as playwright
except ModuleNotFoundError:
    _miss("playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    _miss("there is no Chromium here")

OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --enable-unsafe-swiftshader --use-fake-ui-for-media-stream "
    "--use-fake-device-for-media-stream"
).split()


def show(page, photo):
    with page.expect_response("**/*.values"):
        page.set_input_files("#file", photo)
    page.wait_for_selector("#space:not([hidden])")
    page.wait_for_selector("#work", state="hidden")


def redrawn(page, canvas, before):
    """What is drawn once it is no longer what was there before."""
    for _ in range(100):
        if (now := canvas.screenshot()) != before:
            return now
        page.wait_for_timeout(100)
    raise AssertionError("nothing was drawn anew")
