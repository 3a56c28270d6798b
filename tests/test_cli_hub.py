"""The commands of the hub; pushing itself is in tests/engine/test_hub.py."""

import re
import shlex

import pytest
from huggingface_hub import ModelCard

from cli_checks import fails
from pamm.cli import build_parser, main
from pamm.cli.registry import COMMANDS, wanted_command
from pamm.cli.spelling import spell_out
from pamm.engine.weights import save_weights
from pamm.models import create_model
from run_toys import run, write
from toys import MICRO


@pytest.fixture
def weights(tmp_path):
    return save_weights(create_model("pamm_tiny", tasks=["depth", "edge"], **MICRO), tmp_path / "weights")


def test_scores_that_lie_with_the_weights_are_in_the_card_with_those_given(weights, tmp_path, capsys):
    write(weights / "scores.json", run(data="rooms", depth=("RMSE", 0.7)))
    given = write(tmp_path / "test.json", run(data="nyud", depth=("RMSE", 0.5)))
    out = tmp_path / "release"
    options = ["--weights", weights, "--scores", given, "--name", "me/rooms", "--license", "mit", "-o", out]
    assert main(["hub", "save", *map(str, options)]) == 0
    assert "README.md" in capsys.readouterr().out
    card = ModelCard.load(out / "README.md")
    assert [result.dataset_type for result in card.data.eval_results] == ["rooms", "nyud"]
    again = tmp_path / "again"
    assert main(["hub", "save", "--weights", str(out), "--name", "me/rooms", "--license", "mit", "-o", str(again)]) == 0
    assert (again / "README.md").read_bytes() == (out / "README.md").read_bytes()


def test_an_edited_card_goes_as_it_is(weights, tmp_path, capsys):
    (weights / "README.md").write_text("# Mine\n")
    assert main(["hub", "save", "--weights", str(weights), "-o", str(tmp_path / "release")]) == 0
    assert (tmp_path / "release/README.md").read_text() == "# Mine\n"
    said = fails(capsys, "hub", "push", "--weights", weights, "--to", "me/rooms", "--license", "mit")
    assert "README.md was written or edited by somebody" in said


def test_two_edited_cards_are_one_too_many(weights, tmp_path, capsys):
    out = tmp_path / "release"
    (weights / "README.md").write_text("# Mine\n")
    assert main(["hub", "save", "--weights", str(weights), "-o", str(out)]) == 0
    assert main(["hub", "save", "--weights", str(weights), "-o", str(out)]) == 0
    (out / "README.md").write_text("# Theirs\n")
    assert "were both edited, and differ" in fails(capsys, "hub", "save", "--weights", weights, "-o", out)
    assert (out / "README.md").read_text() == "# Theirs\n"


def test_mistakes(weights, tmp_path, capsys):
    assert "no.json: No such file" in fails(
        capsys, "hub", "save", "--weights", weights, "-o", tmp_path, "--scores", tmp_path / "no.json"
    )
    assert "no weights" in fails(capsys, "hub", "push", "--weights", tmp_path / "nowhere", "--to", "me/rooms")


def test_what_the_docs_say_of_the_hub_are_commands(root):
    lines = re.findall(r"^\$ pamm (.+)$", (root / "docs/how-to/hub.md").read_text(), re.MULTILINE)
    assert any(line.startswith("hub push") for line in lines)
    for line in lines:
        args = shlex.split(line)
        title = wanted_command(args)
        build_parser([title]).parse_args(spell_out(args, COMMANDS[title].options()))
