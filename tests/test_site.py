"""The documentation site: it builds without a warning, is whole, and asks nobody for anything."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pamm.cli import build_parser
from pamm.cli.registry import COMMANDS
from pamm.engine.config import OptimConfig
from pamm.models import PRESETS, PAMMConfig

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FETCHED = {"script": "src", "link": "href", "img": "src", "source": "src", "iframe": "src"}
"""What a browser fetches by itself."""


class Page(HTMLParser):
    """The words of a built page, what it fetches, the ids of its parts, and where it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.words, self.fetched, self.ids, self.links = "", [], set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        # a link to the page itself, for search engines, is not fetched
        if tag in FETCHED and FETCHED[tag] in values and values.get("rel") != "canonical":
            self.fetched.append(values[FETCHED[tag]])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        self.ids.add(values.get("id"))

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def test_every_page_is_built_and_fetches_nothing_from_elsewhere(site):
    for source in DOCS.rglob("*.md"):
        page = Page(site / source.relative_to(DOCS).with_suffix(".html"))
        assert not [address for address in page.fetched if re.match(r"(https?:)?//", address)], source
        assert "<!-- insert" not in page.words


def test_links_of_built_pages_lead_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link) or path.name == "404.html":
                continue
            found = (path.parent / target).resolve() if target else path
            found = found / "index.html" if found.is_dir() else found
            assert found.exists(), f"{path.relative_to(site)} links to {link}"
            assert not anchor or found not in pages or anchor in pages[found].ids, f"{path.relative_to(site)}: {link}"


def test_addresses_of_others_are_well_formed():
    for source in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for address in re.findall(r"\]\((\w+:[^)]*)\)", source.read_text()):
            assert re.fullmatch(r"https://[\w.-]+\.[a-z]+(/[^\s<>\"]*)?", address), f"{source.name}: {address}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_listed(site, command):
    words = " ".join(Page(site / "reference/commands.html").words.split())
    assert f"pamm {command}" in words
    parser = build_parser([command])
    for word in command.split():
        (commands,) = (action for action in parser._actions if isinstance(action.choices, dict))
        parser = commands.choices[word]
    options = {
        option.removeprefix("--")
        for option in re.findall(r"^  (--[\w.]+)", parser.format_help(), re.MULTILINE)
        if not option.endswith(".help")
    }
    # a group's file, such as --data, is no option with a default
    options -= {option.split(".")[0] for option in options if "." in option} | {"config", "print_config"}
    assert options or command == "demo"
    listed = Page(site / "reference/settings.html").words if command == "train" else words
    assert [option for option in sorted(options) if option not in listed] == []


def test_presets_are_listed_with_their_sizes(site):
    words = Page(site / "reference/presets.html").words
    assert [name for name in PRESETS if name not in words] == []


def test_files_of_the_repository_are_shown(site):
    page = Page(site / "repository/configs/mixed/train.yaml.html")
    assert "preset: pamm_small" in page.words
    assert "../../repository" not in page.words


def test_every_picture_is_used():
    texts = [
        path.read_text() for path in (*DOCS.rglob("*.md"), ROOT / "README.md", *ROOT.glob("src/pamm/weights/*/*.md"))
    ]
    unused = [path.name for path in (DOCS / "images").iterdir() if not any(path.name in text for text in texts)]
    assert unused == []


def test_diagrams_are_those_that_the_script_draws(tmp_path):
    subprocess.run([sys.executable, DOCS / "diagrams/model.py", "--out", tmp_path], check=True)
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert drawn == {path.name: path.read_text() for path in (DOCS / "images").glob("model_*.svg")}


def test_defaults_in_the_table_of_differences():
    text = (DOCS / "explanation/released.md").read_text()
    rows = [line.split("|")[-2] for line in text.splitlines() if line.startswith("| ") and line.count("|") == 5]
    named = [re.match(r' `(\w+)=(?:"(\w+)"|(\w+))`', row) for row in rows]
    found = {match[1]: match[2] or match[3] for match in named if match}
    defaults = PAMMConfig()
    assert found == {name: str(getattr(defaults, name)) for name in found}
    assert len(found) >= 8
    assert "--optim.load_balancing 0" in text
    assert OptimConfig().load_balancing == 0
