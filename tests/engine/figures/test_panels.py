"""Panels: what is drawn where, and who may be compared."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from folder_toys import put
from pamm.data.sample import Sample
from pamm.engine.colours import colour_map, value_span
from pamm.engine.figures import Comparison, compare, network_source, open_source, panel_figure, read_photos
from pamm.engine.figures.comparison import choose_samples, chosen_tasks, images_of, tasks_of
from pamm.engine.prediction import Prediction
from pamm.engine.weights import save_weights
from pamm.tasks import TASKS
from toys import ALBEDO, Rectangles

ALL = (*TASKS.values(), ALBEDO)
DEPTH = TASKS["depth"]


def pictures(figure):
    """Arrays of the tiles of a figure, row by row, those of legends left out."""
    tiles = [axes for axes in figure.axes if axes.axison]
    tiles.sort(key=lambda axes: (-round(axes.get_position().y0, 3), axes.get_position().x0))
    return [np.asarray(axes.images[0].get_array()) for axes in tiles]


def test_one_task_has_a_row_for_each_image(comparisons):
    figure = panel_figure(comparisons[:2], [DEPTH], dpi=60)
    shown = pictures(figure)
    assert len(shown) == 6
    for row, one in zip((shown[:3], shown[3:]), comparisons, strict=False):
        truth, predicted = one.truth["depth"], one.predictions["Ours"]["depth"]
        span = value_span(DEPTH, truth, predicted)
        wanted = [one.image, *(colour_map(DEPTH, array, span=span) for array in (truth, predicted))]
        assert all(np.array_equal(got, want) for got, want in zip(row, wanted, strict=True))
    low, high = value_span(DEPTH, comparisons[0].truth["depth"], comparisons[0].predictions["Ours"]["depth"])
    ticks = [text.get_text() for axes in figure.axes for text in axes.texts][:3]
    assert [float(tick.removesuffix(" m")) for tick in ticks] == pytest.approx([low, (low + high) / 2, high], abs=0.06)


def test_several_tasks_have_a_column_each(comparisons):
    figure = panel_figure(comparisons, ALL, width=9.0, dpi=60)
    # the third image has no truth of the last task
    assert len(pictures(figure)) == 3 * (1 + 2 * len(ALL)) - 1
    texts = [text.get_text() for text in figure.texts]
    assert (texts.count("Truth"), texts.count("Ours")) == (3, 3)


def test_more_who_predict_than_tasks(comparisons):
    one = comparisons[0]
    several = dataclasses.replace(one, predictions={name: one.predictions["Ours"] for name in "ABC"})
    figure = panel_figure([several, one], ALL[:2], dpi=60)
    texts = [text.get_text() for text in figure.texts]
    assert texts[:6] == ["Image", "Truth", "A", "B", "C", "Ours"]
    assert texts.count("Depth") == 2
    assert len(pictures(figure)) == 2 * 2 + 2 * 4 + 2 * 1


def test_nothing_leaves_the_figure_or_overlaps(comparisons):
    for tasks, width in ((ALL, 9.0), (ALL[:1], 3.3), (ALL[:4], 6.9)):
        figure = panel_figure(comparisons[:1], tasks, width=width, dpi=60)
        boxes = [axes.get_position() for axes in figure.axes]
        assert all(box.x0 >= 0 and box.y0 >= -1e-9 and box.x1 <= 1 + 1e-9 and box.y1 <= 1 for box in boxes)
        for number, box in enumerate(boxes):
            for other in boxes[:number]:
                wide = min(box.x1, other.x1) - max(box.x0, other.x0)
                tall = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert not (wide > 1e-6 and tall > 1e-6)


def test_photos_have_no_truth(predictor, tmp_path):
    path = tmp_path / "a.b.png"
    Image.fromarray(np.full((32, 48, 3), 90, np.uint8)).save(path)
    found = compare(read_photos([path]), {"Ours": network_source(predictor)}, ALL[:1])
    assert (found[0].name, found[0].truth) == ("a.b", {})
    assert len(pictures(panel_figure(found, ALL[:1], dpi=60))) == 2


def test_large_pictures_are_made_smaller_and_small_ones_are_not():
    photo = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    classes = np.random.default_rng(0).integers(0, 40, (300, 400)).astype(np.uint8)
    big = Comparison("big", photo, {"semseg": classes}, {})
    for dpi, most in ((50, 150), (300, 400)):
        photo_shown, map_shown = pictures(panel_figure([big], [TASKS["semseg"]], dpi=dpi))
        assert 0.9 * most < max(photo_shown.shape) == max(map_shown.shape) <= most
        colours = {tuple(colour) for colour in map_shown.reshape(-1, 3)}
        assert colours <= set(TASKS["semseg"].colours)


def test_mistakes(comparisons):
    with pytest.raises(ValueError, match="do not fit into 1 inches"):
        panel_figure(comparisons, ALL, width=1.0)
    with pytest.raises(ValueError, match="no map to draw"):
        panel_figure([], ALL)
    one = comparisons[0]
    for name in ("Image", "Truth", "Ours: error"):
        with pytest.raises(ValueError, match=f"'{name}' is a heading of figures"):
            compare([Rectangles(ALL)[0]], {name: lambda sample, tasks: {}}, ALL)
    with pytest.raises(ValueError, match=r"the depth map of B has shape \(2, 2\), the image is 32×48"):
        dataclasses.replace(one, predictions={"B": {"depth": np.zeros((2, 2), np.float32)}})


def test_maps_of_someone_else(predictor, tmp_path):
    sample = dataclasses.replace(Rectangles(ALL)[0], name="room.1")
    ours = predictor(sample.image)
    Prediction(ours.image, ours.maps, ours.tasks).save(tmp_path / "saved/room.1")
    found = open_source(str(tmp_path / "saved"))(sample, ALL)
    assert list(found) == [task.name for task in ALL]
    assert all(np.array_equal(found[name], ours.maps[name]) for name in found)
    (tmp_path / "stored/depth").mkdir(parents=True)
    millimetres = (1000 * sample.labels["depth"]).astype(np.uint16)
    Image.fromarray(millimetres).save(tmp_path / "stored/depth/room.1.png")
    found = open_source(str(tmp_path / "stored"), scale={"depth": 0.001})(sample, ALL)
    np.testing.assert_allclose(found["depth"], sample.labels["depth"], rtol=1e-6)
    assert list(found) == ["depth"]
    with pytest.raises(ValueError, match="no map of other there"):
        open_source(str(tmp_path / "stored"))(Sample(sample.image, name="other"), ALL)
    with pytest.raises(ValueError, match="no weights"):
        open_source(str(tmp_path / "missing"))


def test_a_folder_is_looked_through_once(tmp_path):
    sample = dataclasses.replace(Rectangles(ALL)[0], name="a")
    for name in "ab":
        put(tmp_path / f"depth/{name}.npy", sample.labels["depth"])
    source = open_source(str(tmp_path))
    source(sample, [DEPTH])
    # a second map of one image, which looking through the folder would refuse
    put(tmp_path / "depth/b.png", np.zeros((32, 48), np.uint8))
    assert list(source(dataclasses.replace(sample, name="b"), [DEPTH])) == ["depth"]


def test_weights_of_someone_else(predictor, tmp_path):
    save_weights(predictor.model, tmp_path / "weights")
    sample = Rectangles(ALL)[0]
    found = open_source(str(tmp_path / "weights"))(sample, ALL[1:2])
    assert list(found) == ["depth"]
    np.testing.assert_allclose(found["depth"], predictor(sample.image).depth, rtol=1e-5)


def test_choice_of_images():
    data = Rectangles()
    assert [sample.name for sample in choose_samples(data, ["4", "0"])] == ["rectangle 4", "rectangle 0"]
    assert len(choose_samples(data, [])) == 3
    assert len(choose_samples(data, [], usual=None)) == 6
    data.ids = tuple(f"room{number}" for number in range(6))
    assert [sample.name for sample in choose_samples(data, ["room5", "1"])] == ["rectangle 5", "rectangle 1"]
    with pytest.raises(ValueError, match="no image in the data 'rom5': did you mean 'room5'"):
        choose_samples(data, ["rom5"])
    with pytest.raises(ValueError, match="give numbers from 0 to 5"):
        choose_samples(data, ["6"])


def test_images_are_read_when_they_are_wanted():
    class Counted(Rectangles):
        read = 0

        def __getitem__(self, index):
            self.read += 1
            return super().__getitem__(index)

    data = Counted()
    images = images_of(choose_samples(data, usual=None))
    assert (len(images), data.read) == (6, 0)
    assert np.array_equal(images[-1], Rectangles()[5].image)
    assert data.read == 1
    assert len(images[1:3]) == 2
    with pytest.raises(IndexError):
        images[6]


def test_choice_of_tasks(predictor):
    assert [task.name for task in chosen_tasks(ALL, ["edge", "depth"])] == ["edge", "depth"]
    assert chosen_tasks(ALL, None) == ALL
    with pytest.raises(ValueError, match="no task here 'deph': did you mean 'depth'"):
        chosen_tasks(ALL, ["deph"])
    with pytest.raises(ValueError, match="named twice"):
        chosen_tasks(ALL, ["edge", "edge"])
    stricter = dataclasses.replace(DEPTH, valid_range=(0.0, 2.0))
    assert tasks_of(predictor, Rectangles([stricter]), None) == (stricter,)
