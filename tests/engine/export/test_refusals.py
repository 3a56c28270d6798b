"""What cannot be exported is refused in one line, and nothing is left behind."""

import pytest
import torch

from cli_checks import fails
from pamm.engine.export import export as module
from pamm.engine.export.compare import compare
from pamm.engine.export.export import export
from pamm.engine.export.network import OLDEST_TORCH
from pamm.models import create_model
from toys import MICRO

needs_torch = pytest.mark.skipif(torch.__version__ < OLDEST_TORCH, reason="this torch cannot trace it")


@pytest.fixture
def micro():
    return create_model("pamm_tiny", **MICRO, skipped_stages=3).eval()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": "x.bin"}, "name it .pt2 or .onnx"),
        ({"out": "x.pt2", "precision": "int8"}, "must be 'float32' for a torch program"),
        ({"out": "x.onnx", "fast": True}, "leave it out"),
        ({"out": "x.onnx", "image_size": (33, 48)}, "must be multiples of the patch size 8"),
        ({"out": "x.onnx", "image_size": (32.0, 48)}, "must be two whole numbers"),
        ({"out": "x.onnx", "image_size": (32,)}, "must be two whole numbers"),
        ({"out": "x.onnx", "image_size": 32}, "must be two whole numbers"),
        ({"out": "x.onnx", "image_size": (1_000_000, 1_000_000)}, "must be at most 32768, 4096 patches"),
        ({"out": ".", "format": "onnx"}, "is a folder"),
        ({"out": "x.pt2", "format": "onnx"}, r"name it \.onnx"),
        ({"out": "x.onnx", "format": "torch"}, r"name it \.pt2"),
        ({"out": "x.onnx", "precision": "fp8"}, "there is no precision 'fp8'.*fp16"),
        ({"out": "x", "format": "tflite"}, "there is no format 'tflite'"),
    ],
)
def test_options_that_do_not_fit(micro, tmp_path, changes, message):
    out = tmp_path / changes.pop("out")
    with pytest.raises(ValueError, match=message):
        export(micro, out, **changes)
    assert not list(tmp_path.iterdir())


@needs_torch
def test_a_curve_for_one_size_is_refused_for_any_size(tmp_path):
    model = create_model("pamm_tiny", **MICRO, scan_kind="gilbert")
    with pytest.raises(ValueError, match=r"'gilbert' is drawn cell after cell.*give an image_size"):
        export(model, tmp_path / "x.onnx")


@needs_torch
def test_numbers_that_differ_keep_the_older_file(micro, tmp_path, monkeypatch):
    out = tmp_path / "x.pt2"
    out.write_text("older")
    monkeypatch.setattr(module, "TOLERANCE", 0.0)
    with pytest.raises(ValueError, match="of its largest value from the network, more than 0e"):
        export(micro, out, image_size=(32, 48))
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt2"]
    assert out.read_text() == "older"


@pytest.mark.parametrize("decode", [False, True])
def test_not_a_number_is_a_difference(micro, decode):
    def run(image):
        shape = (len(image), *image.shape[2:])
        maps = {task.name: torch.full((shape[0], task.channels, *shape[1:]), torch.nan) for task in micro.config.tasks}
        return {task.name: task.decode(maps[task.name]) for task in micro.config.tasks} if decode else maps

    _, found = compare(run, micro, image_size=(32, 48), decode=decode)
    assert found["depth"].relative == found["normals"].relative == float("inf")


@needs_torch
def test_a_network_without_finite_outputs_is_refused(micro, tmp_path):
    with torch.no_grad():
        next(micro.heads.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="the network's own outputs are not finite: semseg"):
        export(micro, tmp_path / "x.pt2", image_size=(32, 48))
    assert not list(tmp_path.iterdir())


def test_infinity_is_a_difference(micro):
    def run(image):
        with torch.no_grad():
            return {name: raw + torch.inf for name, raw in micro(image).items()}

    _, found = compare(run, micro, image_size=(32, 48), decode=False)
    assert {difference.relative for difference in found.values()} == {float("inf")}


def test_a_place_that_cannot_be_written_fails_before_the_network_is_traced(micro, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "trace", lambda *_: pytest.fail("it was traced"))
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ValueError, match=r"cannot write .*: make room, or choose a folder"):
        export(micro, tmp_path / "file" / "x.pt2")


def test_command_line(capsys, tmp_path):
    assert "no weights 'nothing'" in fails(capsys, "export", "-o", tmp_path / "x.onnx", "--weights", "nothing")
