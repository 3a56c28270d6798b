"""One network's row beside the published ones."""

import math
import re

import pytest

from pamm.engine.results.published import PUBLISHED
from pamm.engine.results.score_table import eval_table
from run_toys import run

OURS = {"semseg": ("mIoU", 61.0), "depth": ("RMSE", 0.45), "normals": ("mErr", 18.0), "edge": ("odsF", 79.0)}


def ours(table):
    return dict(zip((column.name for column in table.columns), (cell.text for cell in table.rows[-1]), strict=True))


def test_published_rows_are_those_of_the_spec(shared):
    text = (shared / "spec/datasets.md").read_text()
    lines = re.findall(r"^\| ([^,|]+), ([^|]+) \| ([\d./ –]+) \| ([\d./ –]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(lines) == 9
    for data, place, short in (("nyud", 2, "NYUD"), ("pascal_context", 3, "PASCAL")):
        wanted = []
        for line in lines:
            one = re.search(rf"([\w-]+) \({short}\)", line[1])
            encoder = one.group(1) if one else line[1]
            if line[place] != "–":
                wanted.append((line[0], encoder, tuple(map(float, line[place].split("/"))), line[4]))
        assert [(row.method, row.encoder, row.scores, row.source) for row in PUBLISHED[data].rows] == wanted
        assert all(len(row.scores) == len(PUBLISHED[data].columns) for row in PUBLISHED[data].rows)


def test_a_row_beside_the_published_ones():
    table = eval_table(run(**OURS))
    assert [column.heading for column in table.columns] == [
        "method",
        "encoder",
        "semseg mIoU [%] ↑",
        "depth RMSE [m] ↓",
        "normals mErr [°] ↓",
        "boundary odsF [%] ↑",
        "source",
    ]
    assert len(table.rows) == 10
    assert ours(table) == {
        "method": "ours",
        "encoder": "ViT-L",
        "semseg mIoU": "61.00",
        "depth RMSE": "0.4500",
        "normals mErr": "18.00",
        "boundary odsF": "79.00",
        "source": "pamm eval",
    }
    assert table.to_dict()["rows"][-1]["best"] == ["semseg mIoU", "depth RMSE"]
    assert table.to_dict()["rows"][-1]["second_best"] == ["boundary odsF"]
    assert [note for note in table.notes if "0.5 or more" in note] == list(table.notes)


def test_gain_over_single_task_networks():
    singles = {
        "semseg": run("s", semseg=("mIoU", 50.0)),
        "depth": run("d", depth=("RMSE", 0.5)),
        "normals": run("n", normals=("mErr", 20.0)),
        "edge": run("e", edge=("odsF", 79.0)),
        "saliency": run("unused", saliency=("maxF", 1.0)),
    }
    table = eval_table(run(**OURS), singles)
    # the mean of 22, 10, 10 and 0
    assert ours(table)["Δ"] == "+10.50"
    assert [cell.text for cell in table.rows[-2]] == [
        *("single-task baselines", "ViT-L", "50.00", "0.5000", "20.00", "79.00", "–", "pamm eval")
    ]
    assert "semseg, depth, normals, edge" in table.notes[0]


def test_other_scores_never_stand_in():
    table = eval_table(run(edge=("AP", 40.0), images=600))
    assert ours(table)["boundary odsF"] == "–"
    assert ours(table)["semseg mIoU"] == "–"
    assert any("edge is scored by AP, which is not odsF" in note for note in table.notes)
    assert any("600 images are scored, published scores are of 654" in note for note in table.notes)


@pytest.mark.parametrize("place", [{"data": "nyud", "split": "train"}, {"data": "folder", "split": "val"}])
def test_data_without_published_scores(place):
    table = eval_table(run(depth=("RMSE", 0.5), edge=("AP", math.nan), images=3, **place))
    assert table.title == f"{place['data']} {place['split']}, 3 images"
    assert [[cell.text for cell in row] for row in table.rows] == [["ours", "ViT-L", "0.5000", "nan", "2.00", "3.00"]]
    assert [column.name for column in table.columns[2:]] == ["depth RMSE", "edge AP", "parameters", "multiply-adds"]


@pytest.mark.parametrize(
    ("singles", "message"),
    [
        ({"depth": run(depth=("RMSE", 0.5))}, "no baseline of edge, only of depth"),
        ({"depth": run(depth=("RMSE", 0.5)), "edge": run(edge=("AP", 1.0))}, r"odsF \[%\].* by AP .*cannot be held"),
        (
            {"depth": run("d", depth=("RMSE", 0.5), split="train"), "edge": run(edge=("odsF", 1.0))},
            "d was scored on nyud train, 654 images, ours on nyud val, 654 images: score both on the same",
        ),
    ],
)
def test_baselines_that_do_not_fit(singles, message):
    with pytest.raises(ValueError, match=message):
        eval_table(run(depth=("RMSE", 0.5), edge=("odsF", 70.0)), singles)
