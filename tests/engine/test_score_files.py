"""Scores of maps that any network left in files."""

import json

import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from benchmark_trees import write_nyud
from cli_checks import fails
from folder_toys import put
from pamm.cli import main
from pamm.data.folder import FolderDataset
from pamm.data.nyud import NYUDDataset
from pamm.engine.boundaries.folders import score_folders
from pamm.engine.evaluate import evaluate
from pamm.engine.figures.map_folder import MapFolder
from pamm.engine.predict_files import predict_files
from pamm.engine.predictor import Predictor
from pamm.engine.score_files import read_prediction, score_files
from pamm.metrics.boundary import PROTOCOLS
from pamm.models import create_model
from pamm.tasks import TASKS
from toys import MICRO, Rectangles

IDS = ["0", "1", "2"]
# saliency of a probability of exactly 0.2, as the grey level 51, which is one of the thresholds
LEVEL = 51


@pytest.fixture
def rooms(tmp_path):
    """Three labelled photos of the size of the micro network, the last without human parts."""
    data = Rectangles(length=3)
    for name, sample in zip(IDS, data, strict=False):
        put(tmp_path / f"photos/{name}.png", sample.image)
        for task, label in sample.labels.items():
            put(tmp_path / f"{task}/{name}{'.npy' if label.dtype == np.float32 else '.png'}", label)
    labels = {task.name: {"path": f"{task.name}/{{id}}.{'png' if task.classes else 'npy'}"} for task in data.tasks}
    (tmp_path / "rooms.yaml").write_text(
        yaml.safe_dump({"images": "photos/{id}.png", "labels": labels}, sort_keys=False)
    )
    return tmp_path


@pytest.fixture
def dataset(rooms):
    return FolderDataset(rooms / "rooms.yaml")


@pytest.fixture
def truth(rooms, dataset):
    """The labels as predictions of a perfect network, in several formats."""
    for name, sample in zip(IDS, dataset, strict=False):
        labels = sample.labels
        put(rooms / f"theirs/semseg/{name}.png", labels["semseg"])
        put(rooms / f"theirs/depth/{name}.png", (1000 * labels["depth"]).astype(np.uint16))
        put(rooms / f"theirs/normals/{name}.npy", 3 * labels["normals"])
        put(rooms / f"theirs/edge/{name}.png", 255 * labels["edge"])
        put(rooms / f"theirs/saliency/{name}.npy", labels["saliency"].astype(np.float32))
    return rooms / "theirs"


def test_maps_that_predict_wrote_score_like_the_network(rooms, dataset):
    torch.manual_seed(0)
    model = create_model("pamm_tiny", tasks=dataset.tasks, **MICRO)
    predict_files(Predictor(model), [rooms / f"photos/{name}.png" for name in IDS], rooms / "maps")
    seen = []
    stored = score_files(rooms / "maps", dataset, progress=lambda *at: seen.append(at))
    direct = evaluate(model, dataset)
    assert seen[-1] == (3, 3)
    assert stored.images == 3
    assert list(stored.tasks) == list(direct.tasks) == list(TASKS)
    for name, result in direct.tasks.items():
        assert stored.tasks[name].scores == pytest.approx(result.scores, rel=1e-4, nan_ok=True), name
        assert stored.tasks[name].constant == pytest.approx(result.constant)


def test_a_folder_for_each_task(truth, dataset):
    result = score_files(truth, dataset, scale={"depth": 0.001})
    assert list(result.tasks) == ["semseg", "depth", "normals", "edge", "saliency"]
    values = {name: task.value for name, task in result.tasks.items()}
    assert values == pytest.approx({"semseg": 5, "depth": 0, "normals": 0, "edge": 100, "saliency": 100}, abs=1e-3)


def test_a_grey_level_counts_at_the_threshold_that_it_is(truth, dataset):
    for name, sample in zip(IDS, dataset, strict=False):
        (truth / f"saliency/{name}.npy").unlink()
        put(truth / f"saliency/{name}.png", LEVEL * sample.labels["saliency"])
    # at the lowest threshold of the published protocol all pixels are positive; the next is 0.2007
    scores = score_files(truth, dataset, scale={"depth": 0.001}).tasks["saliency"].scores
    assert scores["maxF_plain"] == 100
    assert scores["maxF"] < 100


def test_boundaries_of_a_benchmark_by_its_protocol(tmp_path):
    write_nyud(tmp_path, size=(120, 160))
    dataset = NYUDDataset(tmp_path, split="val", scoring=True)
    for name in dataset.ids:
        line = np.zeros((120, 160), np.uint8)
        line[:, 80] = 255
        put(tmp_path / f"edge/{name}.png", line)
        put(tmp_path / f"maps/edge/{name}.png", cv2.GaussianBlur(line, (7, 7), 1.5))
    result = score_files(tmp_path / "maps", dataset).tasks["edge"]
    by_folder = score_folders(tmp_path / "maps/edge", tmp_path / "edge", PROTOCOLS["nyud"], ids=dataset.ids)
    assert result.headline == "odsF"
    assert result.value == pytest.approx(100 * by_folder.scores.odsF)
    assert result.constant < 50 < result.value


def test_workers_change_nothing(truth, dataset):
    one, two = (score_files(truth, dataset, workers=workers) for workers in (0, 2))
    assert one.tasks == two.tasks


def test_missing_predictions(truth, dataset):
    (truth / "edge/1.png").unlink()
    with pytest.raises(ValueError, match=r"theirs: 1 of 3 photos lack a prediction of edge: 1: add them, or score"):
        score_files(truth, dataset)
    assert score_files(truth, dataset, partial=True).images == 2
    for name in ("0", "2"):
        (truth / f"edge/{name}.png").rename(truth / f"edge/photo{name}.png")
    with pytest.raises(ValueError, match="3 of 3 photos lack a prediction of edge: 0, 1, 2: name predictions like"):
        score_files(truth, dataset, partial=True)


def test_folders_without_predictions(rooms, dataset):
    with pytest.raises(ValueError, match="nothing: no such folder: give the folder of the predictions"):
        score_files(rooms / "nothing", dataset)
    with pytest.raises(ValueError, match=r"photos: holds no map of semseg, .* such as semseg/NAME.png"):
        score_files(rooms / "photos", dataset)
    (rooms / "maps/0").mkdir(parents=True)
    (rooms / "maps/0/values.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"values.npz: not a picture or array that can be read"):
        score_files(rooms / "maps", dataset)


@pytest.fixture
def saved(rooms, dataset):
    """The labels of semseg, depth and edge as `pamm predict` would write them."""
    for name, sample in zip(IDS, dataset, strict=False):
        maps = {task: sample.labels[task] for task in ("semseg", "depth", "edge")}
        (rooms / "saved" / name).mkdir(parents=True)
        np.savez(rooms / f"saved/{name}/values.npz", **{**maps, "edge": maps["edge"].astype(np.float32)})
    return rooms / "saved"


def spoil(path, how):
    if how == "no archive":
        path.write_bytes(b"PK\x03\x04 no archive")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        with path.open("wb") as file:
            np.save(file, np.zeros((32, 48), np.float32))


@pytest.mark.parametrize("how", ["no archive", "empty", "cut", "array"])
@pytest.mark.parametrize("name", ["0", "1"])
def test_damaged_archives_do_not_stop_the_others(saved, dataset, name, how):
    spoil(saved / f"{name}/values.npz", how)
    result = score_files(saved, dataset)
    assert (result.images, list(result.failed), list(result.tasks)) == (2, [name], ["semseg", "depth", "edge"])
    assert f"{name}/values.npz: " in result.failed[name]


def test_an_array_in_the_name_of_an_archive_is_no_map_of_any_task(tmp_path):
    spoil(tmp_path / "values.npz", "array")
    for name in ("depth", "edge"):
        with pytest.raises(ValueError, match=r"values\.npz: one array without a name"):
            read_prediction(tmp_path / "values.npz", TASKS[name])


def test_tasks_are_those_of_all_archives(saved, dataset):
    with np.load(saved / "0/values.npz") as held:
        kept = {task: held[task] for task in ("semseg", "depth")}
    np.savez(saved / "0/values.npz", **kept)
    with pytest.raises(ValueError, match="1 of 3 photos lack a prediction of edge: 0: add them, or score the others"):
        score_files(saved, dataset)
    result = score_files(saved, dataset, partial=True)
    assert (result.images, list(result.tasks)) == (2, ["semseg", "depth", "edge"])


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ({"dept": 0.001}, "there is no predicted task 'dept': did you mean 'depth'"),
        ({"depth": 0.0}, "got 0 for depth: give a factor above 0"),
        ({"depth": -1.0}, "got -1 for depth: give a factor above 0"),
        ({"depth": float("nan")}, "got nan for depth: give a factor above 0"),
        ({"depth": float("inf")}, "got inf for depth: give a factor above 0"),
        ({"semseg": 2.0}, "semseg has no values in a unit"),
        ({"normals": 2.0}, "normals has no values in a unit"),
    ],
)
def test_scale_is_a_factor_of_values(truth, dataset, scale, message):
    with pytest.raises(ValueError, match=f"scale: {message}"):
        score_files(truth, dataset, scale=scale)
    with pytest.raises(ValueError, match=f"scale: {message}"):
        MapFolder(truth, scale=scale)(dataset[0], dataset.tasks)


def test_a_bad_map_does_not_stop_the_others(truth, dataset):
    put(truth / "normals/1.npy", np.ones((20, 48, 3), np.float32))
    result = score_files(truth, dataset)
    assert result.images == 2
    assert "normals has 20×48 pixels, its label 32×48: store predictions at the photo's own" in result.failed["1"]


@pytest.mark.parametrize(
    ("task", "array", "message"),
    [
        ("semseg", np.full((4, 5), 40, np.uint8), "values 40 to 40, but the classes of semseg are 0 to 39"),
        ("semseg", np.zeros((4, 5), np.float32), "float32 are no numbers of classes: store whole numbers"),
        ("depth", np.full((4, 5), np.nan, np.float32), "depth holds values that are not finite"),
        ("depth", np.zeros((4, 5, 3), np.float32), "the map has 3 channels, depth has 1"),
        ("normals", np.zeros((4, 5), np.float32), "the map has 1 channels, normals has 3"),
        ("edge", np.full((4, 5), 7.5, np.float32), "store 8 or 16 bits, or fractions"),
    ],
)
def test_maps_that_do_not_fit(tmp_path, task, array, message):
    np.save(tmp_path / "map.npy", array)
    with pytest.raises(ValueError, match=rf"map\.npy: .*{message}"):
        read_prediction(tmp_path / "map.npy", TASKS[task])


def test_pictures_of_directions_and_palettes(tmp_path):
    put(tmp_path / "normals.png", np.full((2, 3, 3), (255, 0, 255), np.uint8))
    assert (read_prediction(tmp_path / "normals.png", TASKS["normals"]) == (1, -1, 1)).all()
    classes = Image.fromarray(np.full((2, 3), 7, np.uint8))
    classes.putpalette([200] * 768)
    classes.save(tmp_path / "classes.png")
    assert (read_prediction(tmp_path / "classes.png", TASKS["semseg"]) == 7).all()


def test_from_the_command_line(rooms, truth, capsys):
    data = ["--data", "folder", "--data.manifest", str(rooms / "rooms.yaml"), "--workers", "0"]
    files = [str(rooms / name) for name in ("ours.json", "table.md")]
    scaled = ["--scale", "{depth: 0.001}"]
    assert main(["score", str(truth), *data, *scaled, "--json", files[0], "--table", files[1]]) == 0
    assert "theirs" in (rooms / "table.md").read_text()
    plain = json.loads((rooms / "ours.json").read_text())
    assert plain["run"]["name"] == "theirs"
    assert plain["tasks"]["normals"]["value"] == pytest.approx(0, abs=1e-3)
    assert main(["compare", files[0], files[0]]) == 0
    (truth / "depth/1.png").write_bytes(b"no picture")
    assert main(["score", str(truth), *data]) == 2
    assert "depth/1.png" in capsys.readouterr().err
    assert "it is a folder" in fails(capsys, "score", rooms / "no maps", *data, "--json", rooms)
    assert "it is a folder" in fails(capsys, "score", rooms / "no maps", *data, "--table", rooms)
    assert "data 'scenes' has no files of which predictions could be" in fails(
        capsys, "score", truth, "--data", "scenes"
    )
