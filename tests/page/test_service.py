"""What the page does, without a server."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from pamm.engine.weights import save_weights
from pamm.models import create_model
from pamm.page.service import Service
from pamm.page.settings import PageSettings
from pamm.page.shelf import GoneError, Shelf
from pamm.page.shown import describe, show_map
from pamm.tasks import TASKS, Task
from toys import ALBEDO, MICRO


def photo(size=(96, 64)):
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mine/best"
    save_weights(create_model("pamm_tiny", tasks=["depth", ALBEDO], **MICRO), folder)
    return Service(PageSettings(weights=("pamm-tiny-scenes", str(folder)), device="cpu"))


def read_values(shown):
    facts = shown.facts["values"]
    stored = np.frombuffer(gzip.decompress(shown.values), dtype=f"<{np.dtype(facts['type']).str[1:]}")
    numbers = stored.reshape(facts["rows"], facts["columns"], facts["channels"])
    return numbers * facts["scale"] + facts["offset"]


def test_a_network_of_other_tasks_gets_its_maps(service):
    assert list(service.predictors) == ["pamm-tiny-scenes", "mine/best"]
    taken = service.take(photo())
    steps = []
    found = service.predict(taken["photo"], "mine/best", lambda *said: steps.append(said))
    assert [facts["name"] for facts in found["maps"]] == ["depth", "albedo"]
    assert [facts["distance"] for facts in found["maps"]] == [True, False]
    assert [step[:2] for step in steps] == [(0, 3), (1, 3), (2, 3)]
    result = service.results.get(found["result"])
    for name, shown in result.shown.items():
        values = read_values(shown).squeeze()
        np.testing.assert_allclose(values, result.prediction.maps[name], atol=shown.facts["values"]["scale"])
        assert Image.open(io.BytesIO(shown.picture)).size == (96, 64)


def test_an_archive_of_some_tasks(service):
    found = service.predict(service.take(photo())["photo"], "pamm-tiny-scenes", lambda *said: None)
    with zipfile.ZipFile(io.BytesIO(service.archive(found["result"], ["edge", "depth"]))) as archive:
        assert sorted(archive.namelist()) == ["depth.png", "edge.png", "overview.png", "photo.jpg", "values.npz"]
        values = np.load(io.BytesIO(archive.read("values.npz")))
    np.testing.assert_array_equal(values["depth"], service.results.get(found["result"]).prediction.depth)
    with pytest.raises(ValueError, match="did you mean 'depth'"):
        service.archive(found["result"], ["dept"])


def test_weights_of_one_name_are_told_apart():
    with pytest.raises(ValueError, match="two of the weights are called pamm-tiny-scenes"):
        Service(PageSettings(weights=("pamm-tiny-scenes", "pamm-tiny-scenes"), device="cpu"))


@pytest.mark.parametrize(
    ("field", "value"), [("port", 70_000), ("max_megabytes", 0.0), ("longest", 100_000), ("queue", 0)]
)
def test_settings_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        PageSettings(**{field: value})


def test_a_shelf_makes_room_by_what_was_not_used_for_longest():
    shelf = Shelf("thing", room=100)
    first, second = shelf.put("a", 40), shelf.put("b", 40)
    assert shelf.get(first) == "a"
    third = shelf.put("c", 40)
    assert shelf.get(first) == "a"
    assert shelf.get(third) == "c"
    with pytest.raises(GoneError, match="this thing is not kept any more"):
        shelf.get(second)
    assert shelf.taken == 80
    large = shelf.put("d", 1000)
    assert shelf.get(large) == "d"
    assert len(shelf) == 1


@pytest.mark.parametrize(
    ("task", "array", "words"),
    [
        (
            TASKS["depth"],
            np.array([[1.0, 2.0], [3.0, 4.0]], np.float32),
            "Depth: from 1.03 to 3.97 m, half of it below 2.50",
        ),
        (TASKS["edge"], np.array([[0.9, 0.1], [0.1, 0.1]], np.float32), "Boundaries: boundary in 25 % of the picture"),
        (TASKS["human_parts"], np.array([[0, 0], [0, 1]], np.int32), "Human parts: background 75 %, head 25 %"),
        (TASKS["depth"], np.zeros((2, 2), np.float32), "Depth: no values"),
    ],
)
def test_maps_are_put_into_words(task, array, words):
    assert describe(task, array) == words


def test_values_survive_the_way_to_the_browser():
    many = Task(name="many", channels=400, kind="classes", loss="cross_entropy", score="miou")
    rng = np.random.default_rng(0)
    for task, array in (
        (many, rng.integers(0, 400, (30, 40)).astype(np.int32)),
        (TASKS["depth"], rng.uniform(0.5, 9, (30, 40)).astype(np.float32)),
        (TASKS["saliency"], rng.uniform(0, 1, (30, 40)).astype(np.float32)),
        (TASKS["normals"], rng.uniform(-1, 1, (30, 40, 3)).astype(np.float32)),
    ):
        shown = show_map(task, array)
        np.testing.assert_allclose(read_values(shown).squeeze(), array, atol=shown.facts["values"]["scale"])


def test_a_value_that_is_none_is_marked():
    depth = np.array([[1.0, np.nan]], np.float32)
    facts = show_map(TASKS["depth"], depth).facts["values"]
    stored = np.frombuffer(gzip.decompress(show_map(TASKS["depth"], depth).values), dtype="<u2")
    assert stored[1] == 65535
    assert stored[0] * facts["scale"] + facts["offset"] == pytest.approx(1)
