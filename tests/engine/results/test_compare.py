"""Runs side by side."""

import json
import math
from dataclasses import replace

import pytest

from pamm.engine.evaluate import EvalResult
from pamm.engine.results.compare import compare
from pamm.engine.results.runs import read_baselines, read_run, read_runs
from run_toys import run, write

BASE = run("base", semseg=("mIoU", 50.0), depth=("RMSE", 0.5), edge=("AP", 40.0))
OTHER = run("other", semseg=("mIoU", 55.0), depth=("RMSE", 0.6))


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_against_the_first():
    scores, gains = compare([BASE, OTHER])
    assert scores.to_markdown() == (
        """nyud val, 654 images

| method | encoder | semseg mIoU [%] ↑ | depth RMSE [m] ↓ | edge AP [%] ↑ | Δ [%] ↑ \
| parameters [M] | multiply-adds [G] |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
| base | ViT-L | <ins>50.00</ins> | **0.5000** | 40.00 | – | 2.00 | 3.00 |
| other | ViT-L | **55.00** | <ins>0.6000</ins> | – | −5.00 | 2.00 | 3.00 |

Δ: mean relative gain over base in semseg, depth; positive is better.
"""
    )
    assert texts(gains) == [
        ["semseg mIoU [%] ↑", "other", "50.00", "55.00", "+5.00", "+10.00"],
        ["depth RMSE [m] ↓", "other", "0.5000", "0.6000", "+0.1000", "−20.00"],
    ]


def test_against_single_task_networks():
    singles = {"semseg": run("s", semseg=("mIoU", 44.0)), "depth": run("d", depth=("RMSE", 1.0))}
    scores, gains = compare([BASE, OTHER], baselines=singles)
    # semseg 6/44 and 11/44, depth 50 and 40
    assert [row[5].text for row in scores.rows] == ["–", "+31.82", "+32.50"]
    assert [cell.text for cell in scores.rows[0]][:4] == ["single-task baselines", "ViT-L", "44.00", "1.0000"]
    assert [cell.text for cell in scores.rows[0]][6:] == ["4.00", "6.00"]
    assert [row[1].text for row in gains.rows] == ["base", "other", "base", "other"]
    assert len(gains.groups) == 2
    assert len(compare([OTHER], baselines=singles)[0].rows) == 2


def test_delta_is_over_the_tasks_of_all_runs():
    third = run("third", depth=("RMSE", 0.25))
    scores, gains = compare([BASE, OTHER, third])
    assert [row[5].text for row in scores.rows] == ["–", "−20.00", "+50.00"]
    assert [row[1].text for row in gains.rows] == ["other", "third"]


def test_chosen_tasks():
    scores, gains = compare([BASE, OTHER], tasks=["depth"])
    assert [column.name for column in scores.columns[2:4]] == ["depth RMSE", "Δ"]
    assert len(gains.rows) == 1


def test_scores_that_are_not_finite():
    scores, gains = compare([BASE, run("bad", semseg=("mIoU", math.nan), depth=("RMSE", 0.5))])
    assert [cell.text for cell in scores.rows[1]][2:6] == ["nan", "0.5000", "–", "nan"]
    assert [cell.text for cell in gains.rows[0]][3:] == ["nan", "nan", "nan"]
    json.dumps(scores.to_dict(), allow_nan=False)


def test_a_base_of_0_is_left_out_of_the_mean():
    zero = run("z", semseg=("mIoU", 0.0), depth=("RMSE", 0.5))
    scores, gains = compare([zero, OTHER])
    assert [row[4].text for row in scores.rows] == ["–", "−20.00"]
    assert [row[-1].text for row in gains.rows] == ["–", "−20.00"]
    assert scores.notes == (
        "Δ: mean relative gain over z in depth; positive is better.",
        "semseg of z is 0: no gain is relative to it, Δ leaves the task out.",
    )
    only, _ = compare([zero, OTHER], tasks=["semseg"])
    assert "Δ" not in [column.name for column in only.columns]
    assert len(only.notes) == 1


def test_unreadable_photos_are_noted():
    short = run("short", images=653, depth=("RMSE", 0.25))
    part = replace(short, result=replace(short.result, failed={"sample 3": "not a picture"}))
    scores, _ = compare([BASE, part])
    assert scores.notes[1:] == (
        "base: nyud val, 654 images.",
        "short: nyud val, 653 images and 1 that cannot be read.",
    )


@pytest.mark.parametrize(
    ("runs", "settings", "message"),
    [
        ([BASE], {}, "got 1 scored networks: give two or more"),
        ([BASE, run("t", split="train", depth=("RMSE", 1.0))], {}, "t was scored on nyud train, 654 images, base on"),
        ([BASE, run("t", images=653, depth=("RMSE", 1.0))], {}, "nyud val, 653 images, base on nyud val, 654 images"),
        ([BASE, run("t", edge=("odsF", 70.0))], {}, r"t is scored by odsF \[%\].*, base by AP \[%\]"),
        ([BASE, run("t", normals=("mErr", 9.0))], {}, "no task is in all of the files"),
        ([BASE, OTHER], {"tasks": ["dept"]}, "no task in all of the files 'dept': did you mean 'depth'"),
        ([BASE], {"baselines": {"depth": OTHER}}, "no baseline of semseg, edge, only of depth"),
    ],
)
def test_what_cannot_be_compared(runs, settings, message):
    with pytest.raises(ValueError, match=message):
        compare(runs, **settings)


def test_other_data_on_request():
    scores, _ = compare([BASE, run("t", split="train", depth=("RMSE", 1.0))], mixed_data=True)
    assert scores.notes[1:] == ("base: nyud val, 654 images.", "t: nyud train, 654 images.")


def test_scores_survive_the_file(tmp_path):
    odd = run("odd", depth=("RMSE", math.nan), semseg=("mIoU", 50.0))
    read = read_run(write(tmp_path / "odd.json", odd))
    assert read.name == "odd"
    assert math.isnan(read.result.tasks["depth"].value)
    assert read.result.run == odd.result.run
    assert read.result.tasks["semseg"] == odd.result.tasks["semseg"]
    assert json.loads((tmp_path / "odd.json").read_text())["tasks"]["semseg"]["value"] == 50.0


def test_names(tmp_path):
    paths = [write(tmp_path / f"{stem}.json", BASE) for stem in "ab"]
    assert [one.name for one in read_runs(paths[:1])] == ["base"]
    assert [one.name for one in read_runs(paths)] == ["a", "b"]
    assert [one.name for one in read_runs([paths[0], paths[0]])] == [str(paths[0])] * 2
    assert [one.name for one in read_runs(paths, names=["x", "y"])] == ["x", "y"]
    with pytest.raises(ValueError, match="got 1 names for 2 files"):
        read_runs(paths, names=["x"])


def plain(**changes):
    return json.dumps(BASE.result.to_dict() | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a JSON file"),
        ("\ud800", "not a JSON file"),
        ("[" * 100_000, "not a JSON file"),
        ("[1]", r"got \[1\], wanted keys with values; wanted are scores as `pamm eval --json`"),
        ("{}", "'tasks' is missing"),
        (plain(tasks=3), "tasks: got 3"),
        (plain(tasks={"depth": 3}), "depth: got 3"),
        (plain(images="many"), "images: got 'many', wanted a whole number"),
        (plain(epoch=3), "no key 'epoch'"),
        (plain(run={}), "does not say what data was scored"),
        (
            plain(tasks={"depth": {"headline": "RMSE", "unit": "m", "higher_is_better": False, "scores": {}}}),
            "constant",
        ),
        (
            plain(
                tasks={"depth": {"headline": "x", "unit": "", "higher_is_better": True, "scores": {}, "constant": 1}}
            ),
            "task depth: 'x' is not among the scores",
        ),
    ],
)
def test_files_that_hold_something_else(text, message, tmp_path):
    path = tmp_path / "scores.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=rf"scores\.json.*{message}"):
        read_run(path)


def test_an_empty_set_of_tasks_is_no_base(tmp_path):
    empty = EvalResult({}, images=0, seconds=0.0, run=BASE.result.run)
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(empty.to_dict()))
    with pytest.raises(ValueError, match="no task is in all of the files"):
        compare([read_run(path), BASE], mixed_data=True)


def test_baselines_are_one_for_each_task(tmp_path):
    depth = write(tmp_path / "depth.json", run(depth=("RMSE", 0.5)))
    edge = write(tmp_path / "edge.json", run(edge=("AP", 0.5)))
    assert list(read_baselines([depth, edge])) == ["depth", "edge"]
    with pytest.raises(ValueError, match=r"depth.json and .*depth.json are both baselines of depth"):
        read_baselines([depth, edge, depth])
    with pytest.raises(ValueError, match=r"many.json: holds scores of 3 tasks \(semseg, depth, edge\)"):
        read_baselines([write(tmp_path / "many.json", BASE)])
