"""The model card."""

import math
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from pamm.engine.evaluate import EvalResult
from pamm.engine.results.card import is_unedited, write_card
from pamm.engine.results.runs import Run, read_scores
from pamm.engine.scored_weights import read_all_scores
from pamm.models import PAMMConfig
from pamm.tasks import TASKS
from run_toys import run, task_result, write
from toys import ALBEDO, MICRO


def config(*tasks):
    return PAMMConfig(tasks=tasks or tuple(TASKS.values()), **MICRO)


def test_the_hub_reads_what_was_scored():
    card = ModelCard(write_card(config(), name="me/rooms", runs=[run(depth=("RMSE", 0.51237), semseg=("mIoU", 50.0))]))
    depth, semseg = card.data.eval_results
    assert (depth.task_type, depth.task_name) == ("depth-estimation", "Depth")
    assert (depth.metric_type, depth.metric_value) == ("rmse", 0.5124)
    assert (depth.dataset_type, depth.dataset_split) == ("nyud", "val")
    assert semseg.task_type == "image-segmentation"
    assert card.data.pipeline_tag == "image-segmentation"
    assert {"depth-estimation", "surface-normals", "human-parts"} <= set(card.data.tags)
    assert card.data.license is None


def test_each_data_set_has_a_table():
    runs = [run(data="nyud", depth=("RMSE", 0.5)), run(data="rooms", images=3, depth=("RMSE", 0.25))]
    text = write_card(config(), name="me/rooms", runs=runs)
    assert "nyud val, 654 images" in text
    assert "rooms val, 3 images" in text
    assert "| Depth | RMSE [m] ↓ | 0.2500 | 0.5000 |" in text


def test_what_is_no_number_is_not_told_to_the_hub():
    result = EvalResult({"depth": replace(task_result("RMSE", math.nan), constant=math.nan)}, images=1, seconds=1.0)
    text = write_card(config(), name="me/rooms", runs=[Run("nan", result)])
    assert "| Depth | RMSE [m] ↓ | – | – |" in text
    assert ModelCard(text).data.eval_results is None


def test_one_map_of_ones_own_and_no_scores():
    card = ModelCard(write_card(config(ALBEDO), name="albedo", license="cc-by-4.0"))
    assert "predicts one map." in card.content
    assert "3 values" in card.content
    assert "None were given." in card.content
    assert card.data.pipeline_tag == "image-to-image"


def test_readers_install_the_package_from_its_repository():
    # the name on PyPI is another project's
    text = write_card(config(), name="me/rooms")
    assert "\npip install .\n" in text
    assert "pip install pamm" not in text


def test_names_do_not_break_the_card():
    task = replace(TASKS["semseg"], channels=2, class_names=("a|b", "<b>"), colours=(), title="*Rooms* | `x`")
    text = write_card(config(task), name="me/rooms")
    row = next(line for line in text.splitlines() if "a\\|b" in line)
    assert row.replace("\\|", "").count("|") == 4
    assert "\\<b>" in row


def test_long_lists_of_classes_are_left_to_the_config():
    assert "40 classes |" in write_card(config(TASKS["semseg"]), name="me/rooms")


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text + "\nmore\n", lambda text: text[:-3], lambda _: "# Mine\n"]
)
def test_an_edit_is_seen(change):
    text = write_card(config(), name="me/rooms")
    assert is_unedited(text)
    assert not is_unedited(change(text))


def test_how_it_was_trained_is_told_once():
    trained = run(depth=("RMSE", 0.5))
    facts = replace(trained.result.run, trained="10 of 20 steps")
    runs = [run(depth=("RMSE", 0.4)), replace(trained, result=replace(trained.result, run=facts))]
    assert write_card(config(), name="me/rooms", runs=runs).count("10 of 20 steps") == 1


def test_scores_of_a_mix_and_later_ones_of_the_same_images(tmp_path):
    one, other = run("a", data="nyud", depth=("RMSE", 0.5)), run("b", data="rooms", depth=("RMSE", 0.7))
    mix = tmp_path / "mix.json"
    parts = ", ".join(f'"{part.name}": {write(tmp_path / part.name, part).read_text()}' for part in (one, other))
    mix.write_text(f'{{"sets": {{{parts}}}}}')
    assert [found.data for found in read_scores(mix)] == [one.data, other.data]
    later = write(tmp_path / "later.json", run("c", data="nyud", depth=("RMSE", 0.1)))
    merged = read_all_scores([mix, later], config())
    assert [found.result.tasks["depth"].value for found in merged] == [0.1, 0.7]
