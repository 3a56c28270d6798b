"""Tables from the command line: `pamm eval` beside published rows, `pamm compare`."""

import json

import pytest
import torch
import yaml

import pamm
from benchmark_trees import write_nyud, write_pascal
from cli_checks import fails
from pamm.benchmarks import BENCHMARKS
from pamm.cli import main
from pamm.data.scenes import SCENES_TASKS
from pamm.engine.results.published import PUBLISHED, PublishedRow, PublishedSet, ScoreColumn
from pamm.engine.weights import save_weights
from run_toys import run, write
from toys import MICRO

PLACE = "--data scenes --data.length 2 --data.height 32 --data.width 48 --workers 0 --device cpu".split()
TASKS = ["depth", "normals"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Untrained weights of a micro network of two tasks."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    tasks = [task for task in SCENES_TASKS if task.name in TASKS]
    save_weights(pamm.create_model("pamm_tiny", tasks=tasks, **MICRO), folder)
    return str(folder)


@pytest.fixture(scope="module")
def scores(weights, tmp_path_factory):
    """Its scores, and the same as of two single-task networks, 25 % worse."""
    folder = tmp_path_factory.mktemp("scores")
    assert main(["eval", "--weights", weights, *PLACE, "--json", str(folder / "ours.json"), "--name", "ours"]) == 0
    plain = json.loads((folder / "ours.json").read_text())
    for name, task in plain["tasks"].items():
        worse = {key: None if value is None else 1.25 * value for key, value in task["scores"].items()}
        single = plain | {"tasks": {name: task | {"scores": worse}}, "run": plain["run"] | {"name": f"only {name}"}}
        (folder / f"{name}.json").write_text(json.dumps(single))
    return folder


@pytest.fixture
def published(monkeypatch):
    """Something is published for scenes."""
    columns = (ScoreColumn("depth", "RMSE", "depth RMSE", "m", False, 4),)
    rows = (PublishedRow("Rival", "Swin-L", (0.0001,), "its README"),)
    monkeypatch.setitem(PUBLISHED, "scenes", PublishedSet("Scenes", "val", 2, columns, rows))


def test_scores_say_what_they_are_of(scores, weights):
    plain = json.loads((scores / "ours.json").read_text())
    model = pamm.load(weights).model
    assert plain["run"].pop("multiply_adds") > 0
    assert plain["run"] == {
        "name": "ours",
        "weights": weights,
        "encoder": "ViT 32×4",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "data": "scenes",
        "split": "",
        "source": "series 0, 2 scenes of 32×48 pixels",
        "trained": "",
    }
    for task in plain["tasks"].values():
        assert task["value"] == task["scores"][task["headline"]]


def test_eval_beside_published_rows(scores, weights, published, tmp_path, capsys):
    files = [tmp_path / f"table{suffix}" for suffix in (".md", ".tex", ".json")]
    args = ["eval", "--weights", weights, *PLACE, "--name", "mine"]
    assert main([*args, "--table", str(files[0]), f"--table={files[1]}", "--table", str(files[2])]) == 0
    text = capsys.readouterr().out
    assert "Rival" in text
    assert "mine" in text
    assert "| Rival | Swin-L | **0.0001** | its README |" in files[0].read_text()
    assert r"Rival & Swin-L & \textbf{0.0001} \\ % its README" in files[1].read_text()
    (table,) = json.loads(files[2].read_text())["tables"]
    depth = json.loads((scores / "ours.json").read_text())["tasks"]["depth"]["value"]
    assert [line["method"] for line in table["rows"]] == ["Rival", "mine"]
    assert table["rows"][1]["depth RMSE"] == pytest.approx(depth)


def test_eval_with_single_task_networks(scores, weights, tmp_path, capsys):
    singles = [str(scores / f"{task}.json") for task in TASKS]
    out = tmp_path / "table.json"
    assert main(["eval", "--baselines", *singles, "--weights", weights, *PLACE, "--table", str(out)]) == 0
    # errors fall from 125 to 100
    assert "+20.00" in capsys.readouterr().out
    (table,) = json.loads(out.read_text())["tables"]
    assert [line["Δ"] for line in table["rows"]] == [None, pytest.approx(20, abs=1e-3)]


def test_eval_refuses_before_it_works(scores, weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pamm.cli.commands.evaluate", lambda *_, **__: pytest.fail("it has begun"))
    args = ["eval", "--weights", weights, *PLACE]
    assert "no baseline of normals" in fails(capsys, *args, "--baselines", scores / "depth.json")
    assert "holds scores of 2 tasks" in fails(capsys, *args, "--baselines", scores / "ours.json")
    assert "no format of tables" in fails(capsys, *args, "--table", tmp_path / "table.pdf")
    singles = [scores / f"{task}.json" for task in TASKS]
    text = fails(capsys, *args, "--data.seed", 1, "--baselines", *singles)
    assert "scenes (series 0, 2 scenes of 32×48 pixels), 2 images" in text
    assert "scenes (series 1, 2 scenes of 32×48 pixels), 2 images" in text


@pytest.mark.parametrize("tasks", [["depth"], ["[depth]"], ["depth", "--tasks", "depth"]])
def test_lists_of_words(tasks, scores, tmp_path):
    out = tmp_path / "table.json"
    args = ["compare", str(scores / "ours.json"), str(scores / "ours.json"), "--table", str(out)]
    assert main([*args, "--tasks", *tasks, "--names", "1", "PAMM (ours), new: it"]) == 0
    (table, _) = json.loads(out.read_text())["tables"]
    assert [line["method"] for line in table["rows"]] == ["1", "PAMM (ours), new: it"]
    assert "depth RMSE" in table["rows"][0]
    assert "normals mErr" not in table["rows"][0]


def test_lists_of_words_replace_those_of_a_file(scores, tmp_path):
    config, out = tmp_path / "config.yaml", tmp_path / "table.json"
    config.write_text("tasks: [normals]")
    args = ["compare", "--config", str(config), *[str(scores / "ours.json")] * 2, "--table", str(out), "--tasks"]
    for words, found in ((["depth"], {"depth RMSE"}), (["null"], {"depth RMSE", "normals mErr"})):
        assert main([*args, *words]) == 0
        row = json.loads(out.read_text())["tables"][0]["rows"][0]
        assert row.keys() & {"depth RMSE", "normals mErr"} == found


def test_eval_with_a_baseline_of_0(scores, weights, tmp_path, capsys):
    plain = json.loads((scores / "depth.json").read_text())
    plain["tasks"]["depth"]["scores"]["RMSE"] = 0.0
    zero, out = tmp_path / "zero.json", tmp_path / "table.json"
    zero.write_text(json.dumps(plain))
    args = ["eval", "--weights", weights, *PLACE, "--baselines", str(zero), str(scores / "normals.json")]
    assert main([*args, "--table", str(out)]) == 0
    (table,) = json.loads(out.read_text())["tables"]
    assert table["rows"][-1]["Δ"] == pytest.approx(20, abs=1e-3)
    assert any(f"depth of {zero} is 0" in note for note in table["notes"])


def test_eval_with_baselines_that_lack_a_photo(scores, weights, tmp_path):
    singles = []
    for task in TASKS:
        plain = json.loads((scores / f"{task}.json").read_text())
        singles.append(tmp_path / f"{task}.json")
        singles[-1].write_text(json.dumps(plain | {"images": 1, "failed": {"sample 1": "not a picture"}}))
    out = tmp_path / "table.json"
    args = ["eval", "--weights", weights, *PLACE, "--baselines", *map(str, singles), "--table", str(out)]
    assert main(args) == 0
    (table,) = json.loads(out.read_text())["tables"]
    assert any("only depth: scenes" in note and "1 images and 1 that cannot be read" in note for note in table["notes"])


def test_compare(scores, tmp_path, capsys):
    out = tmp_path / "table.md"
    args = ["compare", str(scores / "depth.json"), str(scores / "ours.json")]
    assert main([*args, "--table", str(out), "--names", "[a, b]"]) == 0
    assert "+20.00" in capsys.readouterr().out
    assert "| depth RMSE [m] ↓ | b |" in out.read_text()
    assert main([args[0], args[2], "--baselines", *(str(scores / f"{task}.json") for task in TASKS)]) == 0
    assert "only" not in capsys.readouterr().out


def test_a_file_after_a_table_is_not_another_table(scores, tmp_path):
    files = [str(scores / "depth.json"), str(scores / "ours.json")]
    before = [(scores / "depth.json").read_text(), (scores / "ours.json").read_text()]
    assert main(["compare", "--table", str(tmp_path / "table.json"), *files]) == 0
    assert [(scores / "depth.json").read_text(), (scores / "ours.json").read_text()] == before


def test_lists_of_files_in_a_config(scores, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"table": [str(tmp_path / "one.md"), str(tmp_path / "two.tex")]}))
    files = [str(scores / "depth.json"), str(scores / "ours.json")]
    assert main(["compare", "--config", str(config), *files]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "one.md", "two.tex"}
    (tmp_path / "one.md").unlink()
    assert main(["compare", "--config", str(config), *files, "--table", str(tmp_path / "three, four.md")]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "three, four.md", "two.tex"}


@pytest.mark.parametrize(("data", "write_tree"), [("nyud", write_nyud), ("pascal_context", write_pascal)])
def test_benchmarks_beside_their_published_rows(data, write_tree, tmp_path, capsys):
    save_weights(pamm.create_model("pamm_tiny", tasks=BENCHMARKS[data].tasks, **MICRO), tmp_path / "weights")
    root, out, table = write_tree(tmp_path / "tree"), tmp_path / "scores.json", tmp_path / "table.json"
    args = ["eval", "--weights", str(tmp_path / "weights"), "--data", data, "--data.root", str(root), "--workers", "0"]
    assert main([*args, "--json", str(out), "--table", str(table), "--name", "micro"]) == 0
    assert "TaskPrompter" in capsys.readouterr().out
    scores = json.loads(out.read_text())
    assert scores["run"]["data"] == data
    assert scores["run"]["split"] == "val"
    (plain,) = json.loads(table.read_text())["tables"]
    assert [line["method"] for line in plain["rows"]] == [*(row.method for row in PUBLISHED[data].rows), "micro"]
    for column in PUBLISHED[data].columns:
        assert scores["tasks"][column.task]["headline"] == column.score
        assert plain["rows"][-1][column.title] == scores["tasks"][column.task]["value"]
    assert any("not comparable" in note for note in plain["notes"])
    assert main([*args, "--data.split", "train", "--table", str(table)]) == 0
    assert [line["method"] for line in json.loads(table.read_text())["tables"][0]["rows"]] == [
        f"{tmp_path.name}/weights"
    ]


def test_mistakes(scores, tmp_path, capsys):
    ours = scores / "ours.json"
    assert "give two or more" in fails(capsys, "compare", ours)
    assert "missing.json" in fails(capsys, "compare", ours, tmp_path / "missing.json")
    text = tmp_path / "text.json"
    text.write_text("[red]none")
    assert "text.json: not a JSON file" in fails(capsys, "compare", ours, text)
    assert "did you mean 'depth'" in fails(capsys, "compare", ours, ours, "--tasks", "[dept]")
    other = write(tmp_path / "other.json", run(data="scenes", depth=("RMSE", 0.5)))
    assert "--mixed_data" in fails(capsys, "compare", ours, other)
    assert main(["compare", str(ours), str(other), "--mixed_data"]) == 0
