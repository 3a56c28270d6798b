"""Which archive a folder holds, whatever else lies there."""

import pytest

from benchmark_trees import WRITERS, write_nyud, write_nyud_mt, write_pascal
from pamm.data.layouts import WrongTreeError, find_root, find_tree, open_tree, recognise


@pytest.mark.parametrize("name", WRITERS)
def test_each_archive_is_itself(name, tmp_path):
    assert recognise(WRITERS[name](tmp_path / "there")).folder == name


@pytest.mark.parametrize("stray", ["images/thumb.jpg", "edge/0003.npy", "normals/0003.npy"])
@pytest.mark.parametrize("lost", [None, "images", "edge", "normals"])
def test_stray_files_change_nothing(stray, lost, tmp_path):
    tree = write_nyud(tmp_path / "there")
    if lost is not None:
        (tree / lost).rename(tmp_path / "elsewhere")
    (tree / stray).parent.mkdir(exist_ok=True)
    (tree / stray).touch()
    assert recognise(tree).dataset == "nyud"


def test_what_a_loader_reads_comes_first(tmp_path):
    write_nyud_mt(tmp_path / "NYUD_MT")
    assert find_tree(tmp_path)[1].dataset is None
    write_nyud(tmp_path / "NYUDv2")
    assert find_tree(tmp_path)[0] == tmp_path / "NYUDv2"


def test_several_that_loaders_read(tmp_path):
    write_nyud(tmp_path / "NYUDv2")
    write_pascal(tmp_path / "PASCALContext")
    with pytest.raises(WrongTreeError, match="holds NYUDv2 and PASCALContext: give one of them"):
        find_tree(tmp_path)
    assert open_tree(tmp_path, "pascal_context") == tmp_path / "PASCALContext"


@pytest.mark.parametrize("level", ["", "NYUDv2", "data/NYUDv2"])
def test_finds_the_root(level, tmp_path):
    (tmp_path / level / "gt_sets").mkdir(parents=True)
    (tmp_path / level / "images").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    write_nyud_mt(tmp_path / "NYUD_MT")
    assert find_root(tmp_path, "nyud") == tmp_path / level


def test_no_root(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(WrongTreeError, match="holds another data set, wanted NYUD-v2"):
        find_root(tmp_path, "nyud")
    write_pascal(tmp_path / "PASCALContext")
    with pytest.raises(WrongTreeError, match=r"holds PASCAL-Context .*, wanted NYUD-v2"):
        find_root(tmp_path, "nyud")
    for name in "ab":
        (tmp_path / name / "gt_sets").mkdir(parents=True)
    with pytest.raises(WrongTreeError, match=r"holds several folders with NYUD-v2 .*, a and b: give one"):
        find_root(tmp_path, "nyud")
    with pytest.raises(WrongTreeError, match="lacks images: it is not the whole set"):
        find_root(tmp_path / "a", "nyud")
