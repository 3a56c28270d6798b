"""Files of whole networks: their numbers, what they say about themselves, and a program that needs nothing else."""

import json
import os
import runpy
import subprocess
import sys
from itertools import product

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import ExifTags, Image
from skimage import data as photos
from skimage.io import imsave

import pamm
from pamm.cli import main
from pamm.data.images import read_image
from pamm.engine.export.export import METADATA_FILE, export
from pamm.engine.export.network import OLDEST_TORCH
from pamm.engine.export.onnx_file import lower_precision, run_onnx
from pamm.models import create_model, fuse
from pamm.tasks import Task
from toys import MICRO

pytestmark = pytest.mark.skipif(torch.__version__ < OLDEST_TORCH, reason="this torch cannot trace it")
SIZES = {"pamm_tiny": [(1, 128, 160), (2, 64, 48), (3, 40, 96)], "pamm_small": [(1, 96, 128), (2, 64, 48), (1, 32, 80)]}
"""Batches, heights and widths; none is as traced."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The weights that ship, exported from the command line."""
    file = tmp_path_factory.mktemp("export") / "tiny.onnx"
    assert main(["export", "-o", str(file)]) == 0
    return file


def largest_difference(run, model, size):
    """Of all outputs, the largest difference over the largest value."""
    config = model.eval().config
    image = torch.rand(size[0], 3, *size[1:])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (config.mean, config.std))
    with torch.no_grad():
        wanted = model((image - mean) / std)
    got = run(image)
    assert list(got) == list(wanted)
    return max(float((got[name] - raw).abs().max() / raw.abs().max()) for name, raw in wanted.items())


def test_onnx_of_pamm_tiny_gives_the_same_numbers_at_any_size(tiny):
    run, model = run_onnx(tiny), pamm.load("pamm-tiny-scenes").model
    for size in SIZES["pamm_tiny"]:
        assert largest_difference(run, model, size) < 1e-4, size


def test_onnx_of_pamm_small_gives_the_same_numbers_at_any_size(tmp_path):
    # what heads there are changes little in how a network is traced, and each takes time
    model = create_model("pamm_small", tasks=["semseg"], image_size=(96, 128)).eval()
    done = export(model, tmp_path / "small.onnx")
    assert max(found.relative for found in done.differences.values()) < 1e-4
    run = run_onnx(done.out)
    for size in SIZES["pamm_small"]:
        assert largest_difference(run, model, size) < 1e-4, size


def test_onnx_needs_no_operators_but_the_standard_ones(tiny):
    model = onnx.load(tiny)
    domains = {item.domain for item in model.opset_import if item.version}
    used = {node.domain for node in model.graph.node} | {node.domain for f in model.functions for node in f.node}
    assert used <= {"", "ai.onnx"}
    assert "" in domains
    onnx.checker.check_model(str(tiny))


def test_onnx_says_what_it_is_and_not_where_it_was_made(tiny):
    session = onnxruntime.InferenceSession(tiny)
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    config = pamm.load("pamm-tiny-scenes").model.config
    assert [Task(**task) for task in about["tasks"]] == list(config.tasks)
    assert (about["mean"], about["trained_size"], about["patch_size"]) == (list(config.mean), [128, 160], 8)
    assert about["pamm_version"] == pamm.__version__
    assert [value.shape for value in session.get_inputs()] == [["batch", 3, "height", "width"]]
    assert [value.name for value in session.get_outputs()] == [task.name for task in config.tasks]
    assert os.path.dirname(pamm.__file__).encode() not in tiny.read_bytes()


WITHOUT = """
import runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("height", "width"), [(110, 150), (300, 451), (40, 60)])
def test_script_with_onnxruntime_and_numpy_alone_predicts_the_same_maps(tiny, tmp_path, root, height, width):
    photo = tmp_path / "photo.png"
    imsave(photo, photos.chelsea()[:height, :width], check_contrast=False)
    script = str(root / "examples/onnx_photo.py")
    without = "BLOCKED = 'pamm', 'torch', 'cv2', 'scipy', 'skimage', 'onnx'" + WITHOUT
    call = [sys.executable, "-c", without, script, str(tiny), str(photo), "-o", str(tmp_path / "maps.npz")]
    said = subprocess.run(call, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert "Depth: " in said
    got, wanted = np.load(tmp_path / "maps.npz"), pamm.load("pamm-tiny-scenes")(photo)
    assert set(got.files) == set(wanted.maps)
    for name, array in wanted.maps.items():
        assert got[name].shape == array.shape
        if array.dtype == np.int32:
            assert (got[name] == array).mean() > 0.995, name
        else:
            assert np.abs(got[name] - array).mean() < 2e-3 * np.abs(array).max(), name


def test_script_reads_photos_as_the_package_does(tmp_path, root):
    script = runpy.run_path(str(root / "examples/onnx_photo.py"))
    photo = photos.chelsea()[:40, :60]
    alpha = np.linspace(0, 255, photo[..., 0].size).astype(np.uint8).reshape(photo.shape[:2])
    pictures = {
        "transparent": Image.fromarray(np.dstack([photo, alpha])),
        "palette": Image.fromarray(photo).quantize(16),
        "deep": Image.fromarray(257 * photo[..., 0].astype(np.uint16) + alpha // 2),
        "grey": Image.fromarray(photo[..., 0]),
        "upright": Image.fromarray(photo),
    }
    pictures["palette"].info["transparency"] = 0
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    for name, picture in pictures.items():
        path = str(tmp_path / f"{name}.png")
        picture.save(path, **({"exif": turned} if name == "upright" else {}))
        np.testing.assert_array_equal(script["read_photo"](path), read_image(path), err_msg=name)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for reader, name in product(("read_photo", "read_network"), ("missing", "broken.png")):
        with pytest.raises(SystemExit, match=rf"^[^\n]*{name}: cannot be read [^\n]*: give an? [^\n]*$"):
            script[reader](str(tmp_path / name))


@pytest.mark.parametrize(("precision", "share", "worst"), [("fp16", 0.6, 0.02), ("int8", 0.9, 0.1)])
def test_lower_precision_is_smaller_and_nearly_the_same(tiny, tmp_path, precision, share, worst):
    file = tmp_path / "lower.onnx"
    file.write_bytes(tiny.read_bytes())
    lower_precision(file, precision)
    assert file.stat().st_size < share * tiny.stat().st_size
    model = pamm.load("pamm-tiny-scenes").model
    assert 0 < largest_difference(run_onnx(file), model, (1, 128, 160)) < worst
    session = onnxruntime.InferenceSession(file)
    assert json.loads(session.get_modelmeta().custom_metadata_map["precision"]) == precision


def test_a_second_file_of_weights_goes_with_the_file_it_belonged_to(tmp_path):
    model = create_model("pamm_tiny", **MICRO, skipped_stages=3, tasks=["depth"]).eval()
    (tmp_path / "x.onnx.data").write_text("older")
    export(model, tmp_path / "x.onnx", image_size=(32, 48))
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]


def test_the_network_stays_as_it_was(tmp_path):
    model = create_model("pamm_tiny", **MICRO, skipped_stages=3, tasks=["depth"]).train()
    model.encoder.eval()
    modes = [part.training for part in model.modules()]
    export(model, tmp_path / "x.pt2", image_size=(32, 48))
    assert [part.training for part in model.modules()] == modes
    model(torch.rand(2, 3, 32, 48))["depth"].mean().backward()


def test_a_fused_network_is_exported_as_it_is(tmp_path):
    model = fuse(create_model("pamm_tiny", **MICRO, skipped_stages=3, tasks=["depth"]))
    done = export(model, tmp_path / "x.pt2", image_size=(32, 48))
    assert done.differences["depth"].relative < 1e-5


def test_torch_program_runs_without_the_package(tmp_path, root):
    """Exported twice in one process, as maps; loaded and run in another that cannot import the package."""
    model = create_model("pamm_tiny", **MICRO, skipped_stages=3).eval()
    for name, size in (("first", (32, 48)), ("second", None)):
        export(model, tmp_path / f"{name}.pt2", decode=True, image_size=size)
    image = torch.rand(2, 3, 40, 64)
    np.save(tmp_path / "image.npy", image.numpy())
    script = tmp_path / "run.py"
    script.write_text(
        f"import json, numpy as np, torch\n"
        f"files = {{{METADATA_FILE!r}: ''}}\n"
        f"module = torch.export.load('second.pt2', extra_files=files).module()\n"
        f"found = module(torch.from_numpy(np.load('image.npy')))\n"
        f"assert json.loads(files[{METADATA_FILE!r}])['outputs'] == 'maps'\n"
        f"np.savez('found.npz', **{{name: map.numpy() for name, map in found.items()}})\n"
    )
    without = "BLOCKED = 'pamm',\n" + WITHOUT
    subprocess.run([sys.executable, "-c", without, str(script)], check=True, cwd=tmp_path)
    found = np.load(tmp_path / "found.npz")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.config.mean, model.config.std))
    with torch.no_grad():
        outputs = model((image - mean) / std)
    for task in model.config.tasks:
        wanted = task.decode(outputs[task.name]).numpy()
        assert found[task.name].shape == wanted.shape
        assert (np.abs(found[task.name] - wanted) < 1e-3).mean() > 0.999
