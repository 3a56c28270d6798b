"""The page."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from pamm.engine.colours import decoded
from pamm.engine.evaluate import EvalResult, TaskResult
from pamm.engine.prediction import Prediction
from pamm.engine.report import Example, write_report
from pamm.tasks import TASKS

ALL = tuple(TASKS.values())


class Page(HTMLParser):
    """Elements with their attributes, and whether every element is closed."""

    VOID = frozenset({"img", "meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def example(name, *, labelled):
    generator = torch.Generator().manual_seed(0)
    maps = {task.name: decoded(task, torch.randn(task.channels, 16, 20, generator=generator)) for task in ALL}
    prediction = Prediction(np.zeros((16, 20, 3), np.uint8), maps, ALL)
    return Example(name, prediction, maps if labelled else {})


def result(**changes):
    scores = {task.name: TaskResult("score", "%", True, {"score": 50.0}, 10.0) for task in ALL}
    return EvalResult(tasks=scores | changes, images=7, seconds=1.5)


@pytest.fixture
def text(tmp_path):
    path = write_report(
        tmp_path / "page",
        tasks=ALL,
        result=result(depth=TaskResult("rmse", "m", False, {"rmse": 0.5}, 2.0)),
        scenes=[example("scene 1", labelled=True)],
        photos=[example("a <photo> & more", labelled=False)],
        facts={"Command": "`pamm demo --out <x>`"},
    )
    assert path == tmp_path / "page" / "index.html"
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]
    return path.read_text(encoding="utf-8")


def test_page_is_whole_and_needs_nothing_else(text):
    page = Page(text)
    assert not page.open
    assert not page.all("script") + page.all("link")
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert not re.search(r"https?:|url\(|@import|src='(?!data:)", text)


def test_page_shows_every_task_with_words_for_every_picture(text):
    texts = [image["alt"] for image in Page(text).all("img")]
    for task in ALL:
        assert f"{task.title} of scene 1, truth" in texts
        assert f"{task.title} of scene 1, prediction" in texts
        assert f"{task.title} of a <photo> & more, prediction" in texts
        assert f"<th scope='row'>{task.title}</th>" in text
    assert len(texts) == 1 + 2 * len(ALL) + 1 + len(ALL)


def test_table_gives_value_constant_direction_and_gain(text):
    assert "rmse [m] ↓</td><td class='ours'>0.50</td><td>2.00</td><td class='gain'>4.0×" in text
    assert "score [%] ↑</td><td class='ours'>50.00</td><td>10.00</td><td class='gain'>5.0×" in text


def test_names_are_escaped(text):
    assert "a &lt;photo&gt; &amp; more" in text
    assert "<code>pamm demo --out &lt;x&gt;</code>" in text
    assert "<photo>" not in text


def test_page_follows_the_colour_scheme(text):
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_scores_without_a_meaningful_gain(tmp_path):
    path = write_report(
        tmp_path,
        tasks=ALL[:1],
        result=result(semseg=TaskResult("miou", "%", True, {"miou": 3.0}, 0.0)),
        scenes=[],
        photos=[],
        facts={},
    )
    text = path.read_text(encoding="utf-8")
    assert "<td class='gain'>–</td>" in text
    assert "One map from one photo" in text
    assert "<h2>Scenes</h2>" not in text
