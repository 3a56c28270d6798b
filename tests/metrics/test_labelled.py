"""Means over the images that have labels."""

import torch

from pamm.metrics import LabelledMean
from pamm.tasks import TASKS


def label(*present):
    maps = torch.full((len(present), 1, 2, 2), TASKS["semseg"].ignore, dtype=torch.int64)
    for index, there in enumerate(present):
        maps[index, 0, 0, 0] = 3 if there else maps[index, 0, 0, 0]
    return maps


def test_batches_count_by_their_labelled_images():
    mean = LabelledMean(TASKS["semseg"])
    mean.update(torch.tensor(4.0), label(True, True))
    mean.update(torch.tensor(1.0), label(False, True))
    mean.update(torch.tensor(torch.nan), label(False, False))
    value, images = mean.compute()
    assert (value.item(), images.item()) == (3.0, 3)


def test_no_image_is_no_nan():
    mean = LabelledMean(TASKS["semseg"])
    mean.update(torch.tensor(0.0), label(False))
    assert mean.compute() == (0, 0)


def test_a_loss_that_is_none_stays_none():
    mean = LabelledMean(TASKS["semseg"])
    mean.update(torch.tensor(torch.nan), label(True))
    assert torch.isnan(mean.compute().value)
