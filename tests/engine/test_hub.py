"""Weights to the hub and back: folders, and a hub on this machine."""

import json
import os
import subprocess
import sys

import pytest
import torch
from huggingface_hub import ModelCard, ModelHubMixin

import pamm
from hub_toys import TOKEN, running_hub
from pamm.engine.hub import HubError
from pamm.engine.results.card import is_unedited
from pamm.engine.weights import find_weights
from pamm.models import create_model, fuse
from pamm.models.adapters import add_adapters
from run_toys import run, write
from toys import MICRO

FILES = ["README.md", "config.json", "model.safetensors"]
SCORES = run("ours", data="nyud", depth=("RMSE", 0.5), edge=("AP", 40.0))


def network():
    return create_model("pamm_tiny", tasks=["depth", "edge"], **MICRO)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def same_maps(first, second) -> bool:
    image = torch.rand(3, 32, 48)
    return bool((first(image).depth == second(image).depth).all())


def test_saved_and_loaded_in_the_words_of_the_hub(tmp_path):
    predictor = pamm.Predictor(network())
    assert isinstance(predictor, ModelHubMixin)
    assert predictor.save_pretrained(tmp_path / "weights") is None
    assert names(tmp_path / "weights") == FILES
    again = pamm.Predictor.from_pretrained(tmp_path / "weights", resize=False)
    assert not again.resize
    assert same_maps(predictor, again)


def test_a_fused_predictor_is_loaded_and_not_saved(tmp_path):
    pamm.Predictor(network()).save_pretrained(tmp_path / "weights")
    predictor = pamm.Predictor.from_pretrained(tmp_path / "weights", fused=True)
    assert predictor.model.fused
    with pytest.raises(ValueError, match="fused network has no weights of its own"):
        predictor.save_pretrained(tmp_path / "fused")
    assert not (tmp_path / "fused").exists() or not names(tmp_path / "fused")


def test_adapters_are_merged(tmp_path):
    model = network()
    add_adapters(model.encoder, rank=2, alpha=4, frozen_blocks=0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    pamm.Predictor(model).save_pretrained(tmp_path)
    loaded = pamm.Predictor.from_pretrained(tmp_path).model
    image = torch.rand(1, 3, 32, 48)
    for name, output in model.eval()(image).items():
        torch.testing.assert_close(output, loaded(image)[name])


def test_scores_go_into_card_and_folder(tmp_path):
    scores = write(tmp_path / "out.json", SCORES)
    folder = tmp_path / "weights"
    pamm.Predictor(network()).save_pretrained(folder, scores=[scores], license="mit", repo_id="someone/rooms")
    assert names(folder) == [*FILES, "scores.json"]
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.library_name) == ("mit", "pamm")
    assert card.data.model_name == "someone/rooms"
    assert "| Depth | RMSE [m] ↓ | 0.5000 | 0.5000 |" in card.content
    assert json.loads((folder / "scores.json").read_text()) == json.loads(scores.read_text())


def test_scores_of_other_weights_do_not_stay_beside_new_ones(tmp_path):
    scores = write(tmp_path / "out.json", SCORES)
    predictor = pamm.Predictor(network())
    predictor.save_pretrained(tmp_path / "weights", scores=[scores])
    predictor.save_pretrained(tmp_path / "weights")
    assert names(tmp_path / "weights") == FILES


def test_an_edited_card_stays(tmp_path):
    predictor = pamm.Predictor(network())
    predictor.save_pretrained(tmp_path, license="mit")
    predictor.save_pretrained(tmp_path, license="apache-2.0")
    card = tmp_path / "README.md"
    assert "apache-2.0" in card.read_text()
    assert is_unedited(card.read_text())
    edited = card.read_text().replace("## Limits", "## Known limits")
    card.write_text(edited)
    predictor.save_pretrained(tmp_path, license="mit")
    assert card.read_text() == edited


def test_a_card_that_is_no_text_stays(tmp_path):
    (tmp_path / "README.md").write_bytes(b"\n")
    pamm.Predictor(network()).save_pretrained(tmp_path)
    assert is_unedited((tmp_path / "README.md").read_text())
    (tmp_path / "README.md").write_bytes(b"caf\xe9")
    pamm.Predictor(network()).save_pretrained(tmp_path)
    assert (tmp_path / "README.md").read_bytes() == b"caf\xe9"


@pytest.mark.parametrize("name", ["config.json", "scores.json"])
def test_files_of_something_else_stay(tmp_path, name):
    (tmp_path / name).write_text('{"model_type": "vit"}')
    with pytest.raises(ValueError, match=rf"{name}: .*so it stays"):
        pamm.Predictor(network()).save_pretrained(tmp_path)
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == '{"model_type": "vit"}'


def test_weights_are_called_like_their_folder(tmp_path, monkeypatch):
    (tmp_path / "me/rooms").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "me/rooms")
    pamm.Predictor(network()).save_pretrained(".")
    assert ModelCard.load("README.md").data.model_name == "me/rooms"


def test_options_that_are_none_are_no_trouble_of_the_hub(tmp_path):
    predictor = pamm.Predictor(network())
    with pytest.raises(TypeError, match="licence"):
        predictor.save_pretrained(tmp_path / "weights", licence="mit")
    with pytest.raises(TypeError, match="licence"):
        predictor.push_to_hub("someone/rooms", licence="mit")
    assert not (tmp_path / "weights").exists()


def test_a_fault_of_the_program_is_none_of_the_hub(monkeypatch):
    monkeypatch.setattr("pamm.engine.hub.HfApi", lambda **_: None)
    with pytest.raises(AttributeError):
        pamm.Predictor(network()).push_to_hub("someone/rooms")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scores": ["nowhere.json"]}, r"nowhere\.json: No such file"),
        ({"scores": [__file__]}, "not a JSON file"),
        ({"config": {"d_state": 2}}, "has its own"),
        ({"repo_id": "me/rooms/all"}, "'me/rooms/all' is no name on the hub"),
        ({"license": "MIT License"}, "license is 'MIT License', must be the hub's short name"),
    ],
)
def test_bad_options_leave_nothing_behind(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        pamm.Predictor(network()).save_pretrained(tmp_path / "weights", **options)
    assert not (tmp_path / "weights").exists()


def test_scores_of_another_network_are_refused(tmp_path):
    scores = write(tmp_path / "out.json", run("other", semseg=("mIoU", 50.0)))
    with pytest.raises(ValueError, match=r"out\.json: holds scores of semseg, the network predicts depth, edge"):
        pamm.Predictor(network()).save_pretrained(tmp_path / "weights", scores=[scores])


def test_what_is_shipped_has_its_scores_in_the_card():
    folder = find_weights("pamm-tiny-scenes")
    scores = json.loads((folder / "scores.json").read_text())
    shown = {
        result.metric_name: result.metric_value for result in ModelCard.load(folder / "README.md").data.eval_results
    }
    assert len(shown) == len(scores["tasks"])
    for task in scores["tasks"].values():
        assert any(task["headline"] in name and value == round(task["value"], 4) for name, value in shown.items())


def test_nothing_is_asked_of_the_hub_for_a_fused_network(monkeypatch):
    monkeypatch.setattr("pamm.engine.hub.HfApi", lambda **_: pytest.fail("the hub was asked"))
    with pytest.raises(ValueError, match="fused") as caught:
        pamm.Predictor(fuse(network().eval())).push_to_hub("someone/rooms")
    assert not isinstance(caught.value, HubError)


def test_two_revisions_are_one_too_many():
    with pytest.raises(ValueError, match="names one revision and 'b' is another"):
        pamm.Predictor.from_pretrained("someone/rooms@a", revision="b")


SESSION = """
import sys
import pamm
from pamm.cli import main

folder, scores = sys.argv[1:]
assert main(["hub", "push", "--weights", folder, "--to", "someone/rooms", "--scores", scores, "--license", "mit"]) == 0
print("loaded", len(list(pamm.load("someone/rooms@main").model.parameters())))
assert main(["hub", "save", "--weights", "someone/rooms", "-o", folder + "/copy"]) == 0
push = ["hub", "push", "--weights", folder, "--to", "someone/rooms"]
assert main([*push, "--branch", "new"]) == 0
assert main(push) == 0
predictor = pamm.load("someone/rooms")
predictor.push_to_hub("someone/rooms", card="# Theirs")
predictor.push_to_hub("someone/rooms", card="# Theirs")
pamm.Predictor.from_pretrained("someone/rooms", local_files_only=True)
failing = [
    push,
    ["hub", "save", "--weights", "someone/rooms@v9", "-o", "nowhere"],
    ["hub", "save", "--weights", "someone/else", "-o", "nowhere"],
    ["hub", "push", "--weights", folder, "--to", "someone/rooms/twice"],
]
for args in failing:
    assert main(args) == 2
try:
    pamm.Predictor.from_pretrained(folder).push_to_hub("someone/new", token="hf_bad")
except ValueError as error:
    print(error, file=sys.stderr)
"""
"""What a user does with a hub, in a process of its own: the library reads its address once."""


def test_to_the_hub_and_back(tmp_path):
    folder = tmp_path / "weights"
    pamm.Predictor(network()).save_pretrained(folder)
    scores = write(tmp_path / "out.json", SCORES)
    with running_hub() as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, "-c", SESSION, str(folder), str(scores)],
            env=os.environ | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    first, pushed, _, again, *_, theirs = hub.repos["someone/rooms"].values()
    assert {"main", "new"} == {branch for _, branch in hub.branches}
    assert is_unedited(again["README.md"].decode())
    assert theirs["README.md"] == b"# Theirs"
    assert sorted(set(pushed) - set(first)) == [*FILES, "scores.json"]
    assert pushed["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    card = pushed["README.md"].decode()
    assert 'pamm.load("someone/rooms")' in card
    assert "| Boundaries | AP [%] ↑ | 40.00 | 0.50 |" in card
    assert f"Pushed: {hub.url}/someone/rooms/commit/" in done.stdout
    assert names(folder / "copy") == [*FILES, "scores.json"]
    assert "| Boundaries | AP [%] ↑ | 40.00 | 0.50 |" in (folder / "copy/README.md").read_text()
    errors = [line for line in done.stderr.splitlines() if "error: " in line or "did not take" in line]
    wanted = (
        "somebody edited README.md of 'someone/rooms'",
        "someone/rooms@v9",
        "someone/else",
        "someone/rooms/twice",
        "someone/new",
    )
    assert len(errors) == len(wanted)
    for line, name in zip(errors, wanted, strict=True):
        assert name in line
    assert "Traceback" not in done.stderr
    assert list(hub.repos) == ["someone/rooms"]
