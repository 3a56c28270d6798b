"""Tensors of samples with any labels missing, and their randomness."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from pamm.data.dataset import ReadableSamples, SampleError, TransformedDataset, Unreadable, collate_readable
from pamm.data.images import ImageError
from pamm.data.sample import Sample, to_tensors
from pamm.data.transforms import TestTransform, TrainTransform
from pamm.tasks import TASKS, get_tasks

TASK_LIST = get_tasks(TASKS)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Six:
    """Sample i has only the label of task i."""

    tasks = TASK_LIST

    def __len__(self):
        return len(TASK_LIST)

    def __getitem__(self, index):
        task = TASK_LIST[index]
        shape = (20, 30) if task.label_channels == 1 else (20, 30, task.label_channels)
        kind = np.uint8 if task.classes else np.float32
        image = np.random.default_rng(index).integers(0, 256, (20, 30, 3)).astype(np.uint8)
        return Sample(image, {task.name: np.ones(shape, kind)}, str(index))


class TwoBad(Six):
    """Six of which the third cannot be read and the fifth is too large."""

    def __getitem__(self, index):
        if index == 2:
            raise ImageError("c.png: damaged or cut short: copy it again")
        return Sample(np.zeros((99, 9, 3), np.uint8), {}, "e.png") if index == 4 else super().__getitem__(index)


def dataset(seed=0, train=True, base=None):
    transform = TrainTransform((24, 24), TASK_LIST) if train else TestTransform((24, 32), TASK_LIST)
    return TransformedDataset(base or Six(), transform, TASK_LIST, MEAN, STD, seed=seed)


def test_image_is_normalised_and_zero_in_the_padding():
    item = dataset(train=False)[0]
    raw = Six()[0].image
    wanted = (torch.from_numpy(raw) / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    torch.testing.assert_close(item["image"][:, 2:-2, 1:-1], wanted.permute(2, 0, 1).float(), rtol=0, atol=1e-5)
    assert (item["image"][:, :2] == 0).all()
    assert (item["image"][:, :, -1] == 0).all()


@pytest.mark.parametrize("index", range(6))
def test_missing_tasks_are_filled_so_that_nothing_counts(index):
    item = dataset(train=False)[index]
    assert list(item["labels"]) == [task.name for task in TASK_LIST]
    for number, task in enumerate(TASK_LIST):
        label = item["labels"][task.name]
        assert label.dtype == task.label_dtype
        assert label.shape == (task.label_channels, 24, 32)
        assert task.valid(label).sum() == (20 * 30 if number == index else 0)


def test_partial_labels_collate():
    batch = next(iter(DataLoader(dataset(), batch_size=6)))
    assert batch["image"].shape == (6, 3, 24, 24)
    assert batch["labels"]["normals"].shape == (6, 3, 24, 24)
    assert batch["name"] == list("012345")


def test_labels_that_cannot_be_written_become_tensors():
    depth = np.ones((4, 5), np.float32)
    depth.flags.writeable = False
    tensors = to_tensors(Sample(np.zeros((4, 5, 3), np.uint8), {"depth": depth}), TASK_LIST, mean=MEAN, std=STD)
    tensors["labels"]["depth"] += 1
    assert (depth == 1).all()


def test_a_label_of_another_size_is_refused():
    sample = Sample(np.zeros((4, 5, 3), np.uint8), {"depth": np.ones((4, 4), np.float32)}, "odd")
    with pytest.raises(ValueError, match=r"odd: the depth label is \(1, 4, 4\).*\(1, 4, 5\) fits"):
        to_tensors(sample, TASK_LIST, mean=MEAN, std=STD)


def test_randomness_follows_from_seed_and_number():
    one, two = dataset(), dataset()
    assert torch.equal(one[3]["image"], two[3]["image"])
    assert one[3 + 6]["name"] == "3"
    assert not torch.equal(one[3 + 6]["image"], one[3]["image"])
    assert torch.equal(one[3 + 6]["image"], two[3 + 6]["image"])
    assert not torch.equal(dataset(seed=1)[3]["image"], dataset()[3]["image"])


def test_iterating_ends_after_one_pass():
    assert [item["name"] for item in dataset()] == list("012345")


def test_a_negative_number_is_refused():
    with pytest.raises(IndexError):
        dataset()[-1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_sample_stops_a_loader_with_one_line(workers):
    loader = DataLoader(dataset(base=TwoBad()), batch_size=2, num_workers=workers)
    with pytest.raises(SampleError) as caught:
        list(loader)
    assert str(caught.value) == "c.png: damaged or cut short: copy it again"


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_samples_are_left_out_and_listed(workers):
    samples = ReadableSamples(dataset(train=False, base=TwoBad()))
    assert len(samples) == 6
    loader = DataLoader(samples, batch_size=3, num_workers=workers, collate_fn=collate_readable)
    (first, bad), (second, large) = loader
    assert [batch["name"] for batch in first] == [["0", "1"]]
    assert bad == [Unreadable("sample 2", "c.png: damaged or cut short: copy it again")]
    assert [batch["name"] for batch in second] == [["3", "5"]]
    assert [item.name for item in large] == ["sample 4"]
    assert large[0].message.startswith("e.png: the image is 99×9, the canvas 24×32")


def test_samples_of_one_size_are_stacked():
    items = [{"image": torch.zeros(3, 4, width), "name": str(width)} for width in (5, 6, 5)]
    batches, failed = collate_readable(items)
    assert [(len(batch["image"]), batch["name"]) for batch in batches] == [(2, ["5", "5"]), (1, ["6"])]
    assert failed == []
