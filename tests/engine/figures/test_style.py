"""How figures are written."""

import os
import re
import subprocess
import sys
import zlib

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pamm.engine.figures import curve_figure, gate_figure, measure_gates, order_figure, panel_figure
from pamm.engine.figures.style import FORMATS, check_size, fitted, paper_style, save_figure, text_width
from pamm.tasks import TASKS

ALL = tuple(TASKS.values())

DRAW = """
import sys
from pamm.engine.figures import order_figure, save_figure

assert "transformers" not in sys.modules
for path in sys.argv[1:]:
    save_figure(order_figure(["hilbert"], rows=6, columns=8, directions=2), path, dpi=80)
"""


@paper_style()
def example():
    figure = Figure(figsize=(3.3, 1))
    figure.text(0.5, 0.5, "a run with $ signs: 12° ≥ é", ha="center")
    return figure


def test_other_processes_write_the_same_bytes(tmp_path):
    """With other hashes of words, and a user's own settings of matplotlib."""
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\nsvg.fonttype: path\n")
    for seed in "12":
        files = [str(tmp_path / f"{seed}{suffix}") for suffix in FORMATS]
        own = {"MATPLOTLIBRC": str(tmp_path)} if seed == "2" else {}
        environment = {**os.environ, "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed, **own}
        subprocess.run([sys.executable, "-c", DRAW, *files], env=environment, check=True, timeout=120)
    for suffix in FORMATS:
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"2{suffix}").read_bytes(), suffix


def test_words_stay_words(tmp_path):
    svg = save_figure(example(), tmp_path / "a.svg").read_text()
    assert "a run with $ signs: 12° ≥ é</text>" in svg
    pdf = save_figure(example(), tmp_path / "a.PDF").read_bytes()
    streams = [zlib.decompressobj().decompress(part) for part in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.S)]
    assert any(b"\0\1\0\0" == stream[:4] for stream in streams), "no TrueType font inside"
    assert b"/Type3" not in pdf
    assert not re.search(rb"CreationDate|/ModDate", pdf)


def test_size_is_that_of_the_figure(tmp_path):
    with Image.open(save_figure(example(), tmp_path / "a.png", dpi=100)) as picture:
        assert picture.size == (330, 100)


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_text("old")

    def fail(*_args, **_options):
        raise OSError(28, "No space left on device")

    figure = example()
    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(ValueError, match="No space left"):
        save_figure(figure, path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize("name", ["a.jpg", "a", "pdf"])
def test_other_formats_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"give a name that ends in \.pdf, \.svg, \.png"):
        save_figure(example(), tmp_path / name)
    (tmp_path / "b.pdf").mkdir()
    with pytest.raises(ValueError, match="it is a folder"):
        save_figure(example(), tmp_path / "b.pdf")


@pytest.mark.parametrize(
    ("width", "dpi"), [(0.0, 300), (-1.0, 300), (2000.0, 300), (float("nan"), 300), (6.9, 0), (6.9, -1), (6.9, 10**6)]
)
def test_sizes_out_of_bounds_are_refused(width, dpi, comparisons, predictor, tmp_path):
    gates = measure_gates(predictor, [comparisons[0].image])
    wrong = "width: got" if dpi == 300 else "dpi: got"
    for draw in (
        lambda: panel_figure(comparisons, ALL, width=width, dpi=dpi),
        lambda: order_figure(["z"], rows=2, columns=2, width=width, dpi=dpi),
        lambda: gate_figure(gates, width=width, dpi=dpi),
        lambda: curve_figure({}, width=width, dpi=dpi),
        lambda: save_figure(example(), tmp_path / "a.pdf", dpi=dpi) if dpi != 300 else check_size(width, dpi),
    ):
        with pytest.raises(ValueError, match=wrong):
            draw()


def test_pictures_that_would_fill_the_memory(tmp_path):
    poster = Figure(figsize=(40, 40))
    with pytest.raises(ValueError, match="more than 100,000,000 pixels at 300 to an inch"):
        save_figure(poster, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
    assert save_figure(poster, tmp_path / "a.pdf").exists()


def test_settings_are_given_back():
    before = dict(matplotlib.rcParams)
    example()
    assert dict(matplotlib.rcParams) == before


def test_text_is_made_to_fit():
    assert fitted("Depth", 2.0, size=8) == ("Depth", 8)
    wide = text_width("Semantic segmentation", 8)
    text, size = fitted("Semantic segmentation", 0.8 * wide, size=8)
    assert (text, size) == ("Semantic segmentation", pytest.approx(6.4))
    text, size = fitted("Semantic segmentation", 0.3 * wide, size=8)
    assert text.startswith("Sem")
    assert text.endswith("…")
    assert text_width(text, size) <= 0.3 * wide
    assert fitted("", 1.0)[0] == ""
