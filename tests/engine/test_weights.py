"""Weights as files."""

import errno
import json
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pamm.engine import weights
from pamm.engine.weights import find_weights, list_shipped, load_weights, save_weights
from pamm.models import PAMM, create_model
from toys import MICRO


def network(**overrides) -> PAMM:
    return create_model("pamm_tiny", tasks=["depth", "edge"], **(MICRO | overrides)).eval()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[PAMM, Path]:
    model = network()
    return model, save_weights(model, tmp_path_factory.mktemp("weights") / "micro", card="# Micro\n")


def outputs(model: PAMM) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        return model(torch.linspace(-1, 1, 3 * 32 * 48).reshape(1, 3, 32, 48))


def test_loaded_network_gives_the_same_output_under_another_seed(saved):
    model, folder = saved
    torch.manual_seed(123)
    loaded = load_weights(folder)
    assert loaded.config == model.config
    assert not loaded.training
    for name, output in outputs(model).items():
        assert torch.equal(output, outputs(loaded)[name])


def test_folder_holds_the_three_files_and_no_other(saved):
    assert sorted(file.name for file in saved[1].iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_who_may_read_the_config_may_read_the_weights(saved):
    modes = {file.stat().st_mode for file in saved[1].iterdir()}
    assert len(modes) == 1


def test_half_precision_halves_the_file_and_loads_as_before(saved, tmp_path):
    model, folder = saved
    half = save_weights(model, tmp_path / "half", dtype=torch.float16)
    sizes = [(place / "model.safetensors").stat().st_size for place in (folder, half)]
    assert sizes[1] < 0.7 * sizes[0]
    loaded = load_weights(half)
    assert {value.dtype for value in loaded.parameters()} == {torch.float32}
    for name, output in outputs(model).items():
        torch.testing.assert_close(outputs(loaded)[name], output, rtol=0.02, atol=0.02)


def test_numbers_too_large_for_half_precision_are_refused(tmp_path):
    model = network()
    with torch.no_grad():
        next(model.parameters()).fill_(1e6)
    with pytest.raises(ValueError, match=r"too large for torch\.float16"):
        save_weights(model, tmp_path / "half", dtype=torch.float16)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("broken", ["save_file", "write_text"])
def test_a_full_disk_leaves_the_earlier_weights_alone(saved, tmp_path, monkeypatch, broken):
    folder = save_weights(saved[0], tmp_path / "kept")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    if broken == "save_file":

        def half_written(tensors, path, metadata):
            Path(path).write_bytes(b"half")
            full()

        monkeypatch.setattr(weights, "save_file", half_written)
    else:
        monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises((ValueError, OSError), match="No space left"):
        save_weights(network(d_state=3), folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_weights_of_another_config_are_refused_in_one_line(saved, tmp_path):
    folder = save_weights(saved[0], tmp_path / "mixed")
    other = save_weights(network(d_state=3, local_mixing="none"), tmp_path / "other")
    (other / "config.json").replace(folder / "config.json")
    with pytest.raises(
        ValueError, match=r"mixed: the weights are not those of its config: .*of another shape \("
    ) as caught:
        load_weights(folder)
    assert "\n" not in str(caught.value)
    assert "not in the network" in str(caught.value)
    assert len(str(caught.value)) < 1200


def test_missing_tensors_are_named(saved, tmp_path):
    folder = save_weights(saved[0], tmp_path / "gap")
    tensors = load_file(folder / "model.safetensors")
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=rf"1 missing \({gone}\)"):
        load_weights(folder)


def test_a_truncated_file_is_named(saved, tmp_path):
    folder = save_weights(saved[0], tmp_path / "cut")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut/model\.safetensors: not a whole safetensors file"):
        load_weights(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a readable JSON file"),
        ("[]", "holds a list"),
        ('{"d_sate": 2}', "d_state"),
        ('{"d_state": "two"}', "d_state"),
    ],
)
def test_a_bad_config_is_named(saved, tmp_path, text, message):
    folder = save_weights(saved[0], tmp_path / "bad")
    (folder / "config.json").write_text(text)
    with pytest.raises(ValueError, match=rf"config.json: .*{message}"):
        load_weights(folder)


def test_config_is_plain_json(saved):
    values = json.loads((saved[1] / "config.json").read_text())
    assert [task["name"] for task in values["tasks"]] == ["depth", "edge"]


def test_unknown_names_say_what_there_is(tmp_path):
    with pytest.raises(ValueError, match="no weights 'nothing-like-it': give a shipped name"):
        load_weights("nothing-like-it")
    with pytest.raises(ValueError, match="no weights"):
        load_weights(tmp_path / "nowhere/at/all")
    with pytest.raises(ValueError, match=r"no model.safetensors there"):
        load_weights(tmp_path)


def test_a_file_is_not_taken_for_a_hub_name(saved, monkeypatch):
    monkeypatch.chdir(saved[1].parent)
    with pytest.raises(ValueError, match=r"micro/config\.json is a file: give the folder"):
        load_weights("micro/config.json")


def test_hub_names_work_when_the_hub_does(saved, monkeypatch):
    monkeypatch.setattr(weights, "snapshot_download", lambda name, **_: str(saved[1]))
    assert find_weights("someone/some-weights") == saved[1]


def test_hub_names_say_so_offline(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no network\nmore")

    monkeypatch.setattr(weights, "snapshot_download", offline)
    with pytest.raises(ValueError, match=r"no folder 'someone/x' here, and the hub .*ConnectionError: no network\)"):
        load_weights("someone/x")


def test_folders_never_touch_the_network(saved, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    load_weights(saved[1])


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_weights_load_and_are_small(name):
    assert (find_weights(name) / "model.safetensors").stat().st_size <= 12e6
    assert load_weights(name).config.tasks
