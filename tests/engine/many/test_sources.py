"""Files, folders and patterns to named photos and videos."""

import os
from pathlib import Path

import pytest

from pamm.engine.many.sources import RECORD, find_sources


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of photos as people have them."""
    for name in (
        "photos/b.jpg",
        "photos/a.PNG",
        "photos/trip/a.jpeg",
        "photos/trip/deep/clip.MP4",
        "photos/notes.txt",
        "photos/.hidden.jpg",
        "photos/.cache/a.jpg",
        "other/a.png",
        "empty/readme.md",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def named(*inputs, out=None):
    return {source.name: source.path.as_posix() for source in find_sources(inputs, out=out)}


def test_a_folder_keeps_its_structure(tree):
    found = find_sources(["photos"])
    assert [(source.name, source.path.as_posix(), source.is_video) for source in found] == [
        ("a", "photos/a.PNG", False),
        ("b", "photos/b.jpg", False),
        ("trip/a", "photos/trip/a.jpeg", False),
        ("trip/deep/clip", "photos/trip/deep/clip.MP4", True),
    ]
    assert named(tree / "photos") == {name: str(tree / path) for name, path in named("photos/").items()}


def test_several_folders_are_told_apart_by_their_names(tree):
    assert list(named("photos", "other")) == [
        "photos/a",
        "photos/b",
        "photos/trip/a",
        "photos/trip/deep/clip",
        "other/a",
    ]
    (tree / "more/other").mkdir(parents=True)
    (tree / "more/other/a.gif").touch()
    assert list(named("other", "more/other")) == ["other/a", "other/a-2"]


def test_files_are_taken_as_they_are_named(tree):
    assert named("photos/notes.txt", "photos/trip/a.jpeg", "missing.jpg") == {
        "notes": "photos/notes.txt",
        "a": "photos/trip/a.jpeg",
        "missing": "missing.jpg",
    }
    long = "x" * 300 + ".jpg"
    assert list(named(long).values()) == [long]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("photos/*", ["a", "b", "trip/a", "trip/deep/clip"]),
        ("photos/**", ["a", "b", "trip/a", "trip/deep/clip"]),
        ("photos/**/*", ["a", "b", "trip/a", "trip/deep/clip"]),
        ("photos/*.jpg", ["b"]),
        ("photos/**/*.jp*g", ["b", "trip/a"]),
        ("photos/tri?", ["trip/a", "trip/deep/clip"]),
        ("*/a.*", ["other/a", "photos/a"]),
    ],
)
def test_patterns(tree, pattern, names):
    assert list(named(pattern)) == names
    assert list(named(tree / pattern)) == names


def test_a_file_with_the_letters_of_a_pattern_is_a_file(tree):
    (tree / "shot[1].jpg").touch()
    (tree / "shot1.jpg").touch()
    assert named("shot[1].jpg") == {"shot[1]": "shot[1].jpg"}


def test_no_two_names_are_alike(tree):
    paths = ["x/cat.png", "y/cat.jpg", "cat-2.png", "Cat.png", "caf\u00e9.png", "cafe\u0301.png", "y/cat.gif"]
    found = list(named(*paths))
    assert found == ["cat", "cat-2", "cat-2-2", "Cat-3", "caf\u00e9", "cafe\u0301-2", "cat-4"]


def test_a_file_that_is_met_twice_is_taken_once(tree):
    assert list(named("photos/b.jpg", "photos", "photos/*.jpg", tree / "photos/b.jpg")) == [
        "b",
        "a",
        "trip/a",
        "trip/deep/clip",
    ]


def test_maps_that_were_written_are_no_photos(tree):
    (tree / "photos/maps/b").mkdir(parents=True)
    (tree / "photos/maps/b/depth.png").touch()
    before = named("photos", out="elsewhere")
    assert "maps/b/depth" in before
    assert "maps/b/depth" not in named("photos", out="photos/maps")
    (tree / "photos/maps/b" / RECORD).touch()
    assert "maps/b/depth" not in named("photos", out="elsewhere")


@pytest.mark.parametrize("pattern", ["**/*.png", "*/*.png", "*", "photos/**"])
def test_patterns_take_no_maps_that_were_written(tree, pattern):
    before = named("other/a.png", pattern)
    for folder in ("photos/maps/b", "maps/b"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
        (tree / folder / "depth.png").touch()
        (tree / folder / "depth.mp4").touch()
        (tree / folder / RECORD).touch()
    (tree / "maps/c.png").touch()
    assert named("other/a.png", pattern, out="maps") == before
    assert "c" in named("maps/*.png", out="maps"), "its own files, named as a folder's"


def test_one_input_need_not_be_in_a_list(tree):
    for one in ("photos/b.jpg", Path("photos/b.jpg")):
        assert [source.path for source in find_sources(one)] == [Path("photos/b.jpg")]
    assert len(find_sources("photos")) == 4


@pytest.mark.parametrize("inputs", ["photos", "phot?s", "photos/*"])
def test_a_folder_within_that_is_gone_does_not_stop_the_others(tree, inputs, monkeypatch):
    scan = os.scandir

    def vanished(place="."):
        if Path(place).name == "trip":
            raise PermissionError(13, "Permission denied")
        return scan(place)

    monkeypatch.setattr(os, "scandir", vanished)
    assert [source.path.as_posix() for source in find_sources(inputs)] == [
        "photos/a.PNG",
        "photos/b.jpg",
        "photos/trip",
    ]
    with pytest.raises(ValueError, match="trip: cannot be read: change its permissions"):
        find_sources(["photos/trip"])


def test_linked_folders_are_looked_into_once(tree):
    (tree / "other/link").symlink_to(tree / "photos/trip")
    (tree / "photos/trip/loop").symlink_to(tree / "other")
    assert list(named("other")) == ["a", "link/a", "link/deep/clip"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "no photo was given"),
        (["empty"], "empty: holds no photo and no video"),
        (["photos/*.webp"], r"photos/\*.webp: the pattern fits no photo and no video"),
        (["photos/*.txt"], r"photos/\*.txt: the pattern fits no photo and no video"),
        (["empt?"], r"empt\?: the pattern fits no photo and no video"),
    ],
)
def test_what_holds_no_photo(tree, inputs, message):
    with pytest.raises(ValueError, match=message):
        find_sources(inputs)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all folders")
def test_a_folder_that_may_not_be_read(tree):
    (tree / "other").chmod(0)
    with pytest.raises(ValueError, match="other: cannot be read"):
        find_sources(["other"])
    (tree / "other").chmod(0o755)


def test_names_stay_beneath_the_folder(tree):
    (tree / "photos/...jpg").touch()
    for name in named("photos", "..", Path("/x/..png")):
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts
