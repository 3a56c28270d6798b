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
        ({"out": ".", "format": "onnx"}, "is a folder"),
        ({"out": "x", "format": "tflite"}, "there is no format 'tflite'"),
    ],
)
def test_options_that_do_not_fit(micro, tmp_path, changes, message):
    out = tmp_path / changes.pop("out")
    with pytest.raises(ValueError, match=message):
        export(micro, out, **changes)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.__version__ < OLDEST_TORCH, reason="this torch cannot trace it")
def test_a_curve_for_one_size_is_refused_for_any_size(tmp_path):
    model = create_model("pamm_tiny", **MICRO, scan_kind="gilbert")
    with pytest.raises(ValueError, match=r"'gilbert' is drawn cell after cell.*give an image_size"):
        export(model, tmp_path / "x.onnx")


@pytest.mark.skipif(torch.__version__ < OLDEST_TORCH, reason="this torch cannot trace it")
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


def test_command_line(capsys, tmp_path):
    assert "no weights 'nothing'" in fails(capsys, "export", "-o", tmp_path / "x.onnx", "--weights", "nothing")
