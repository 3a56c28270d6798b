"""The page in a real browser: what a visitor does, sees and hears."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from browsing import playwright, redrawn, show

TASKS = ["semseg", "depth", "normals", "edge", "saliency", "human_parts"]


def values(page):
    return page.locator(".card:visible .value").all_inner_texts()


def test_from_a_photo_to_six_maps(visit, photo):
    page = visit()
    assert page.locator(".card h3").all_inner_texts()[1] == "Depth"
    show(page, photo)
    assert [card.get_attribute("data-task") for card in page.locator(".card").all()] == TASKS
    assert "451 × 300 pixels" in page.locator("#facts").inner_text()
    for name in TASKS:
        card = page.locator(f"[data-task={name}]")
        picture = card.locator(".over")
        assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [451, 300]
        assert picture.get_attribute("alt").startswith(card.locator("h3").inner_text())
        assert card.locator(".legend").inner_text()
    assert "maps are here" in page.locator("#status").inner_text()


def test_each_map_blends_with_the_photo_and_all_do(visit, photo):
    page = visit()
    show(page, photo)
    depth, edge = page.locator("[data-task=depth]"), page.locator("[data-task=edge]")
    depth.get_by_label("Blend of Depth with the photo").fill("25")
    opacity = "image => getComputedStyle(image).opacity"
    assert depth.locator(".over").evaluate(opacity) == "0.25"
    assert edge.locator(".over").evaluate(opacity) == "1"
    page.get_by_label("Blend of all maps with the photo").fill("50")
    assert {one.evaluate(opacity) for one in page.locator(".over").all()} == {"0.5"}
    depth.get_by_label("Blend of Depth with the photo").fill("25")
    show(page, photo)
    assert (depth.locator(".over").evaluate(opacity), edge.locator(".over").evaluate(opacity)) == ("0.25", "0.5")


def test_pointing_says_what_every_map_sees(visit, photo, server):
    page = visit()
    show(page, photo)
    stage = page.locator("[data-task=semseg] .stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    stage.hover(position={"x": 0.25 * box["width"], "y": 0.75 * box["height"]})
    shown = values(page)
    assert len(shown) == 6
    assert re.fullmatch(r"\d+\.\d\d m", shown[1].strip())
    # the words of a class map name a class of its legend
    assert shown[0].strip() in page.locator("[data-task=semseg] .legend").inner_text()
    page.locator("header.top").hover()
    assert all(text.strip() in ("", "–") for text in values(page))


def test_the_depth_that_is_said_is_the_depth_that_is_packed(visit, photo, tmp_path):
    page = visit()
    show(page, photo)
    stage = page.locator("[data-task=depth] .stage")
    stage.focus()
    page.keyboard.press("Home")
    said = float(page.locator("[data-task=depth] .value").inner_text().split()[0])
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download .zip").click()
    assert waiting.value.suggested_filename == "my photo-maps.zip"
    waiting.value.save_as(tmp_path / "maps.zip")
    with zipfile.ZipFile(tmp_path / "maps.zip") as archive:
        assert set(archive.namelist()) == {
            "values.npz",
            "overview.png",
            "photo.jpg",
            *(f"{name}.png" for name in TASKS),
        }
        packed = np.load(io.BytesIO(archive.read("values.npz")))
    assert packed["depth"].shape == (300, 451)
    assert said == pytest.approx(float(packed["depth"][150, 225]), abs=0.011)


def test_only_the_chosen_maps_are_shown_and_packed(visit, photo, tmp_path):
    page = visit()
    show(page, photo)
    for title in ("Semantic segmentation", "Saliency"):
        page.get_by_role("checkbox", name=title).uncheck()
    assert page.locator(".card:visible").count() == 4
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download .zip").click()
    waiting.value.save_as(tmp_path / "maps.zip")
    with zipfile.ZipFile(tmp_path / "maps.zip") as archive:
        assert {"semseg.png", "saliency.png"}.isdisjoint(archive.namelist())
        assert "depth.png" in archive.namelist()


def test_the_keyboard_is_enough(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#examples button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#space:not([hidden])")
    page.locator("[data-task=depth] .stage").focus()
    page.keyboard.press("Shift+ArrowLeft")
    playwright.expect(page.locator("#spoken")).to_contain_text("Depth: ")
    before = page.locator("#maps").evaluate("maps => maps.style.getPropertyValue('--x')")
    assert before == "45%"
    page.keyboard.press("Escape")
    assert "pointed" not in page.locator("#maps").get_attribute("class")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, [tabindex="0"]')]
            .filter((part) => part.checkVisibility() && !part.labels?.length && !part.textContent.trim()
                && !part.ariaLabel && !part.querySelector('img[alt]:not([alt=""])')).map((part) => part.outerHTML)"""
    )
    assert unnamed == []


def test_a_file_that_is_no_photo_is_explained_and_does_no_harm(visit, photo):
    page = visit()
    show(page, photo)
    page.set_input_files("#file", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"no photo"})
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "not a picture that can be read here" in alert.inner_text()
    assert page.locator(".over").count() == 6
    page.get_by_role("button", name="Dismiss").click()
    assert not alert.is_visible()
    show(page, photo)


def test_a_photo_can_be_pasted_dropped_and_taken(visit):
    page = visit()
    give = """async (kind) => {
        const blob = await (await fetch('/examples/3')).blob();
        const data = new DataTransfer();
        data.items.add(new File([blob], kind + '.jpg', { type: 'image/jpeg' }));
        const event = kind === 'paste' ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true })
            : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }"""
    for kind in ("paste", "drop"):
        page.evaluate(give, kind)
        page.wait_for_selector(f"#photo[alt='The photo: {kind}']")
    page.get_by_role("button", name="Use the camera").click()
    # what waits inside the page is code from text, which the page forbids
    while not page.locator("#video").evaluate("video => video.videoWidth"):
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Take the photo").click()
    page.wait_for_selector("#photo[alt='The photo: camera']")
    page.wait_for_selector("#space:not([hidden])")


def test_depth_is_seen_in_three_dimensions(visit, photo):
    page = visit()
    show(page, photo)
    playwright.expect(page.locator("#focal")).to_contain_text("Assumed, for the photo does not say")
    canvas = page.locator("#canvas")
    canvas.focus()
    first = redrawn(page, canvas, None)
    assert np.asarray(Image.open(io.BytesIO(first)).convert("L")).std() > 20
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    turned = redrawn(page, canvas, first)
    page.locator("#angle").fill("90")
    playwright.expect(page.locator("#focal")).to_contain_text("Assumed by you")
    redrawn(page, canvas, turned)
    page.get_by_label("Colours").select_option("Depth")
    page.get_by_role("radio", name="Points").check()
    assert page.locator("#view-angle").inner_text() == "90°"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(visit, scheme):
    page = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True, is_mobile=True)
    page.locator("#examples button").first.tap()
    page.wait_for_selector("#space:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    stage = page.locator("[data-task=depth] .stage")
    stage.tap()
    assert " m" in page.locator("[data-task=depth] .value").inner_text()
    page.locator("body").evaluate("body => body.classList.remove('working')")
    assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    const numbers = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data]; };
    const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (part) => { for (; part; part = part.parentElement) {
        const colour = numbers(getComputedStyle(part).backgroundColor); if (colour[3] === 255) return colour; }
        return [255, 255, 255]; };
    return [...document.body.querySelectorAll('*')].filter((part) => part.checkVisibility() && !part.disabled
        && [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim())).map((part) => {
            const [one, other] = [light(numbers(getComputedStyle(part).color)), light(behind(part))];
            const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            return contrast < 4.5 ? `${part.textContent.trim()}: ${contrast.toFixed(2)}` : ''; }).filter(Boolean);
}"""
"""Texts that do not stand out from what is behind them as WCAG AA wants it."""
