"""Lists of sources: what they may say, and every mistake in one line."""

from pathlib import Path

import pytest

from pamm.data.fetching.sources import SETS, Source, read_sources


def test_the_known_ones():
    for sources in SETS.values():
        assert len(sources) > 1
        assert all(source.url.startswith("https://") for source in sources)


def test_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert Source(url="https://example.org/a").local() is None
    assert Source(url="a b.tar").local(tmp_path) == tmp_path / "a b.tar"
    assert Source(url="~/a.tar").local(tmp_path) == Path("/home/me/a.tar")
    assert Source(url="file:///data/a%20b.tar").local() == Path("/data/a b.tar")
    assert Source(url="file://localhost/data").local() == Path("/data")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "ftp://example.org/a"}, "cannot fetch over ftp: give an address with http, https, file"),
        ({"url": ""}, "url is empty: give an address"),
        ({"url": " "}, "url is empty"),
        ({"url": "https:///a"}, "names no server"),
        ({"url": "file://data/a"}, "on another machine: write file:///"),
        ({"url": "a", "sha256": "12"}, "sha256 '12' is not 64 hexadecimal digits"),
        ({"url": "a", "md5": "g" * 32}, "is not 32 hexadecimal digits"),
        ({"url": "a", "size": 0}, "size is 0"),
    ],
)
def test_mistakes_in_a_source(fields, message):
    with pytest.raises(ValueError, match=message):
        Source(**fields)


def test_a_list(tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(
        f"nyud:\n  - url: https://example.org/a\n    sha256: {'a' * 64}\n    size: 3\n  - {{url: archives/a.tar}}\n"
    )
    first, second = read_sources(path, "nyud")
    assert first == Source(url="https://example.org/a", sha256="a" * 64, size=3)
    assert second.url == str(tmp_path / "archives/a.tar")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "wanted the names of sets"),
        ("nyud: https://example.org", "wanted the names of sets"),
        ("nyud: [", "not YAML"),
        ("nyu: [{url: a}]", "no set 'nyu': did you mean 'nyud'"),
        ("pascal_context: [{url: a}]", "holds no sources for nyud"),
        ("nyud: []", "holds no sources for nyud"),
        ("nyud: [a]", "nyud: source 1: got 'a', wanted keys"),
        ("nyud: [{url: a}, {ulr: a}]", "nyud: source 2: there is no key 'ulr': did you mean 'url'"),
        ("nyud: [{url: a, size: big}]", "size: got 'big', wanted a whole number"),
    ],
)
def test_mistakes_in_a_list(text, message, tmp_path):
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_sources(path, "nyud")
    assert str(path) in str(error.value)


def test_no_list(tmp_path):
    with pytest.raises(ValueError, match="give the path of a list"):
        read_sources(tmp_path / "none.yaml", "nyud")
