"""What the page takes: memory with a photo of 80 megapixels, time for many visitors; and a picture of it.

    python benchmarks/page.py                                # the numbers
    python benchmarks/page.py --picture docs/images/page.jpg # the picture, with the system's Chromium

Needs the extras `page` and `dev`.
"""

import argparse
import io
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from page_server import PageServer, predict, running

VISITORS = 200
console = Console(width=120, highlight=False)


def encoded(pixels: np.ndarray, kind: str) -> bytes:
    """Pixels as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def measure(server: PageServer) -> None:
    """Print memory and times."""
    rest = server.megabytes()
    console.print(f"at rest: {rest} MB")
    client = httpx.Client(base_url=server.address, timeout=300)
    room = client.get("/examples/0").content
    start = time.perf_counter()
    for number in range(10):
        predict(client, room, f"one-{number}")
    console.print(f"a photo of 600×480 pixels: {(time.perf_counter() - start) / 10:.2f} s from sending it to its maps")

    def visit(number: int) -> None:
        with httpx.Client(base_url=server.address, timeout=300) as visitor:
            predict(visitor, small, f"visitor-{number}")

    small = encoded(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8), "JPEG")
    start = time.perf_counter()
    with ThreadPoolExecutor(VISITORS) as pool:
        list(pool.map(visit, range(VISITORS)))
    console.print(f"{VISITORS} visitors at once: all served in {time.perf_counter() - start:.0f} s")
    console.print(f"most memory so far: {server.peak_megabytes()} MB, {server.peak_megabytes() - rest} above rest")
    shades = np.linspace(0, 255, 8000).astype(np.uint8)
    for kind in ("JPEG", "PNG"):
        large = encoded(np.broadcast_to(shades[:, None, None], (8000, 10_000, 3)), kind)
        start = time.perf_counter()
        predict(client, large, f"large-{kind}")
        seconds, peak = time.perf_counter() - start, server.peak_megabytes()
        console.print(
            f"a {kind} of 10 000×8 000 pixels: {seconds:.1f} s; most memory so far {peak} MB, {peak - rest} above rest"
        )


def draw(server: PageServer, path: Path) -> None:
    """Take a picture of the page with its maps."""
    from playwright.sync_api import sync_playwright

    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        page.goto(server.address)
        page.locator("#examples button").first.click()
        page.wait_for_selector("#space:not([hidden])")
        page.wait_for_selector("#work", state="hidden")
        page.locator("[data-task=depth] .stage").focus()
        for key in ("Shift+ArrowRight",) * 4 + ("ArrowUp",):
            page.keyboard.press(key)
        canvas = page.locator("#canvas")
        for key in ("ArrowRight",) * 3 + ("ArrowDown",):
            canvas.press(key)
        page.locator("header.top").hover()
        page.locator("[data-task=depth] .stage").focus()
        page.wait_for_timeout(500)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        picture.convert("RGB").save(path, quality=88, optimize=True)
        browser.close()


def main() -> None:
    """Start a server, and do what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="file to write a picture of the page to")
    picture = parser.parse_args().picture
    with running("--queue", "256") as server:
        if picture is None:
            measure(server)
        else:
            draw(server, picture)


if __name__ == "__main__":
    main()
