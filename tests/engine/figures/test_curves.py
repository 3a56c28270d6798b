"""Logs of runs, and the curves drawn of them."""

import csv
import warnings

import numpy as np
import pytest

from pamm.engine.figures import curve_figure, joined, read_log, save_figure
from pamm.engine.figures.curves import chosen_columns, smoothed
from pamm.engine.survival.log import CSVLog
from survival_toys import run


def write_log(folder, *, scale=1.0):
    """A log as training leaves it: training every step, validation every second."""
    log = CSVLog(folder, step=0)
    for step in range(4):
        log.log_metrics({"train/loss": scale * (8 - step), "train/loss/depth": 1.0, "epoch": 0}, step)
        if step % 2:
            scores = {"val/loss": scale * 5.0, "val/depth/RMSE": 0.5, "val/depth/abs_rel": 0.1, "val/sky_map/mIoU": 1.0}
            log.log_metrics(scores, step)
        log.save()
    return folder


def test_steps_are_counted_from_one(tmp_path):
    for place in ("", "log", "log/metrics.csv"):
        log = read_log(write_log(tmp_path / "run") / place)
        assert log["train/loss"].steps.tolist() == [1, 2, 3, 4]
        assert log["train/loss"].values.tolist() == [8, 7, 6, 5]
        assert log["val/depth/RMSE"].steps.tolist() == [2, 4]


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    path = write_log(tmp_path / "run") / "log/metrics.csv"
    with path.open("a") as file:
        file.write("3,0.")
    assert read_log(path)["train/loss"].steps.tolist() == [1, 2, 3, 4]


def test_runs_that_build_on_each_other(tmp_path):
    log = read_log(write_log(tmp_path / "run"))
    both = joined([log, {"val/loss": log["val/loss"]}])
    assert both["val/loss"].steps.tolist() == [2, 4, 6, 8]
    assert both["train/loss"].steps.tolist() == [1, 2, 3, 4]


def test_moving_average_by_hand():
    values = np.array([4.0, np.nan, 2.0])
    assert smoothed(values, 0.5).tolist() == pytest.approx([4, 4, (0.25 * 0 + 0.5 * 4 * 0.5 + 0.5 * 2) / 0.75])
    np.testing.assert_array_equal(smoothed(values, 0.0)[[0, 2]], [4, 2])
    assert np.isnan(smoothed(np.array([np.nan, 1.0]), 0.9)[0])
    for weight in (-0.1, 1.0):
        with pytest.raises(ValueError, match="at least 0 and below 1"):
            smoothed(values, weight)


def test_usual_columns_and_patterns(tmp_path):
    logs = {"a": read_log(write_log(tmp_path / "run"))}
    usual = ["train/loss", "val/loss", "val/sky_map/mIoU", "val/depth/RMSE"]
    assert sorted(chosen_columns(logs)) == sorted(usual)
    assert chosen_columns(logs, ["val/depth/*", "train/loss"]) == ["val/depth/RMSE", "val/depth/abs_rel", "train/loss"]
    with pytest.raises(ValueError, match="no column in the logs 'val/los': did you mean 'val/loss'"):
        chosen_columns(logs, ["val/los"])


def test_figure_shows_the_numbers(tmp_path):
    logs = {name: read_log(write_log(tmp_path / name, scale=scale)) for name, scale in (("one $", 1.0), ("two", 2.0))}
    figure = curve_figure(logs, smooth=0.5)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert sorted(titles) == ["Depth: RMSE [m] ↓", "Loss", "Sky map: mIoU"]
    loss = figure.axes[titles.index("Loss")]
    drawn = {}
    for line in loss.lines:
        drawn.setdefault(line.get_label(), []).append(line)
    assert [line.get_ydata().tolist() for line in drawn["val/loss"]] == [[5, 5], [10, 10]]
    for line, log in zip(drawn["train/loss"], logs.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), smoothed(log["train/loss"].values, 0.5))
    colours = [line.get_color() for line in drawn["val/loss"]]
    assert colours == [line.get_color() for line in drawn["train/loss"]]
    assert len(set(colours)) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["one $", "two", "training", "validation"]


def test_many_runs_are_told_apart(tmp_path):
    log = read_log(write_log(tmp_path / "run"))
    figure = curve_figure(
        {f"{number} {'long name ' * 9}": log for number in range(16)}, columns=["val/loss"], width=3.3
    )
    lines = figure.axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 16
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert all(name.endswith("…") for name in names)
    assert legend.get_window_extent().width <= figure.bbox.width


def test_log_of_a_real_run(tmp_path):
    run(tmp_path / "run", steps=3)
    figure = curve_figure({"run": read_log(tmp_path / "run")})
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert titles[0] == "Loss"
    assert {"Depth: RMSE [m] ↓", "Surface normals: mErr [°] ↓", "Boundaries: AP [%] ↑"} <= set(titles)
    assert len(titles) == 7


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match="no log there"):
        read_log(tmp_path)
    wrong = tmp_path / "wrong.csv"
    for text in ("a,b\n1,2\n", "step,val/loss\nx,2\n"):
        wrong.write_text(text)
        with pytest.raises(ValueError, match="no log of `pamm train`"):
            read_log(wrong)
    wrong.write_bytes(bytes(range(200, 256)) * 9)
    with pytest.raises(ValueError, match="no log of `pamm train`"):
        read_log(wrong)
    with wrong.open("w", newline="") as file:
        csv.writer(file).writerow(["step", "val/loss"])
    with pytest.raises(ValueError, match="nothing is logged"):
        read_log(wrong)
    with pytest.raises(ValueError, match="no run was given"):
        curve_figure({})
    logs = {"run": read_log(write_log(tmp_path / "run"))}
    for width in (0.3, 1.0):
        with pytest.raises(ValueError, match="a plot does not fit into"):
            curve_figure(logs, width=width)


def test_the_narrowest_plot_is_drawn_without_remarks(tmp_path):
    logs = {name: read_log(write_log(tmp_path / name)) for name in ("one", "two")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(curve_figure(logs, width=1.2), tmp_path / "narrow.pdf")
