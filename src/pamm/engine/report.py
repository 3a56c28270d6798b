"""A page that shows what a network can do: scores, and pictures with truth beside prediction.

One HTML file with everything inside it: no scripts, nothing fetched, readable in light and dark, on wide screens
and on phones.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path

from PIL import Image

from pamm.data.files import atomic_write
from pamm.engine.colours import Legend, Map, Pixels, colour_map, css, legend, thumbnail, value_span
from pamm.engine.evaluate import EvalResult
from pamm.engine.prediction import Prediction
from pamm.tasks import Task

_NUMBERS = ("No map", "One map", "Two maps", "Three maps", "Four maps", "Five maps", "Six maps")
_SIDE = 560


@dataclass(frozen=True)
class Example:
    """One photo to show."""

    name: str
    """What it is, in a few words."""
    prediction: Prediction
    """The photo and the predicted maps."""
    truth: Mapping[str, Map] = field(default_factory=dict)
    """Labelled maps by task name, as far as there are any."""


def write_report(
    folder: str | Path,
    *,
    tasks: Sequence[Task],
    result: EvalResult,
    scenes: Sequence[Example],
    photos: Sequence[Example],
    facts: Mapping[str, str],
) -> Path:
    """Write ``index.html``.

    Args:
        folder: where to write, made if need be.
        tasks: the maps the network predicts.
        result: its scores on images it never saw.
        scenes: some of those images, with the labels they have.
        photos: photos without labels.
        facts: how the page was made, by name: command, versions, times.

    Returns:
        The file.

    Raises:
        ValueError: if the folder cannot be written to.
    """
    path = Path(folder) / "index.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page(tasks, result, scenes, photos, facts), encoding="utf-8")
    return path


def page(
    tasks: Sequence[Task],
    result: EvalResult,
    scenes: Sequence[Example],
    photos: Sequence[Example],
    facts: Mapping[str, str],
) -> str:
    """The text of the page; see :func:`write_report` for the arguments."""
    names = [task.title.lower() for task in tasks]
    count = _NUMBERS[len(tasks)] if len(tasks) < len(_NUMBERS) else f"{len(tasks)} maps"
    heading = f"{count} from one photo"
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    body = [
        f"<header><h1>{escape(heading)}</h1>",
        "<p class='lead'>PAMM, the Parameter Aware Mamba Model, looks at a photo once and says for every pixel: "
        f"{escape(listed)}. Nothing on this page was seen in training.</p></header>",
        "<main>",
        "<section><h2>Scores</h2>",
        f"<p>On {result.images} held-out images, beside the best prediction that is the same for every pixel of every "
        "image. ↑ more is better, ↓ less is better.</p>",
        _score_table(tasks, result),
        "</section>",
        _section(
            "Scenes", "The first of the held-out images, not picked by hand: truth above, prediction below.", scenes
        ),
        _section(
            "Photos", "Photos of a kind the network was not trained for; nobody has labelled them.", photos, "large"
        ),
        "<section><h2>How this page was made</h2><dl>",
        *(f"<dt>{escape(name)}</dt><dd>{_fact(text)}</dd>" for name, text in facts.items()),
        "</dl></section></main>",
    ]
    style = (files("pamm.engine") / "report.css").read_text(encoding="utf-8")
    return (
        "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='color-scheme' content='light dark'>\n"
        f"<title>{escape(heading)}: PAMM</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, body))
        + "\n</body>\n</html>\n"
    )


def _score_table(tasks: Sequence[Task], result: EvalResult) -> str:
    rows = []
    for task in tasks:
        found = result.tasks.get(task.name)
        if found is None:
            continue
        unit = f" [{found.unit}]" if found.unit else ""
        score = f"{found.headline.replace('_', ' ')}{unit} {'↑' if found.higher_is_better else '↓'}"
        rows.append(
            f"<tr><th scope='row'>{escape(task.title)}</th><td>{escape(score)}</td>"
            f"<td class='ours'>{found.value:.2f}</td><td>{found.constant:.2f}</td>"
            f"<td class='gain'>{_gain(found.value, found.constant, higher_is_better=found.higher_is_better)}</td></tr>"
        )
    columns = ("Task", "Score", "This network", "Best constant", "Times better")
    header = "".join(f"<th scope='col'>{column}</th>" for column in columns)
    return (
        f"<div class='wide' tabindex='0' role='region' aria-label='Scores'><table><thead><tr>{header}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _gain(value: float, constant: float, *, higher_is_better: bool) -> str:
    better, base = (value, constant) if higher_is_better else (constant, value)
    if not (better > 0 and base > 0):
        return "–"
    return f"{better / base:.1f}×"


def _section(heading: str, words: str, examples: Sequence[Example], size: str = "small") -> str:
    if not examples:
        return ""
    cards = "\n".join(_card(example) for example in examples)
    return f"<section class='{size}'><h2>{heading}</h2>\n<p>{words}</p>\n{cards}\n</section>"


def _card(example: Example) -> str:
    prediction = example.prediction
    tiles = [_figure("Photo", [("", _image(prediction.image, f"Photo: {example.name}", lossless=False))])]
    for task in prediction.tasks:
        maps = {
            words: thumbnail(source[task.name], _SIDE)
            for words, source in (("truth", example.truth), ("prediction", prediction.maps))
            if task.name in source
        }
        span = value_span(task, *maps.values())
        pictures = []
        for words, array in maps.items():
            text = f"{task.title} of {example.name}, {words}"
            image = _image(colour_map(task, array, span=span), text, lossless=task.classes > 0)
            pictures.append((words if len(maps) > 1 else "", image))
        tiles.append(_figure(task.title, pictures, legend(task, *maps.values(), span=span, most=6)))
    return f"<article class='card'><h3>{escape(example.name)}</h3><div class='tiles'>{''.join(tiles)}</div></article>"


def _figure(heading: str, pictures: Sequence[tuple[str, str]], note: Legend | None = None) -> str:
    parts = [f"<figcaption>{escape(heading)}</figcaption>"]
    for words, image in pictures:
        parts.append(f"<span class='kind'>{escape(words)}</span>{image}" if words else image)
    return f"<figure>{''.join(parts)}{_legend(note) if note else ''}</figure>\n"


def _legend(note: Legend) -> str:
    if note.bar:
        colours = ", ".join(css(colour) for colour in note.bar)
        ticks = "".join(f"<span>{escape(tick)}</span>" for tick in note.ticks)
        return (
            f"<div class='bar' style='background: linear-gradient(to right, {colours})'></div>"
            f"<div class='ticks'>{ticks}</div>"
        )
    items = "".join(
        f"<li><span class='swatch' style='background: {css(colour)}'></span>{escape(name)}</li>"
        for colour, name in note.swatches
    )
    return f"<ul class='legend'>{items}</ul>" if items else ""


def _image(pixels: Pixels, text: str, *, lossless: bool) -> str:
    """An ``img`` element that holds its picture."""
    picture = Image.fromarray(pixels)
    if max(picture.size) > _SIDE:
        picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, format="PNG", optimize=True)
    else:
        picture.save(buffer, format="JPEG", quality=88, subsampling=0)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f"<img alt='{escape(text)}' width='{picture.width}' height='{picture.height}' "
        f"src='data:image/{'png' if lossless else 'jpeg'};base64,{data}'>"
    )


def _fact(text: str) -> str:
    return f"<code>{escape(text[1:-1])}</code>" if text.startswith("`") and text.endswith("`") else escape(text)
