"""From photos to maps: the network together with all that must happen before and after it.

Photos of any size go in. Those much larger or smaller than what the network was trained on are resized to about
as many pixels, in their own aspect; sides are padded to multiples of the patch. The network's raw values are
cropped back and brought to the photo's size before they become classes, metres and directions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pamm.data.images import ImageLike, read_image
from pamm.data.sample import Sample, to_tensors
from pamm.data.transforms import CentrePad
from pamm.engine.colours import Map, Pixels, decoded
from pamm.engine.devices import Precision, arithmetic, fastest_precision, pick_device
from pamm.engine.hub import HubPredictor
from pamm.engine.prediction import Prediction
from pamm.engine.weights import load_weights
from pamm.models import PAMM, fuse
from pamm.tasks import Task

_LONGEST = 8
"""A side is resized to at most this many sides of a square of the training size: bounds the cost of thin photos."""
_STRIP = 1 << 23
"""Number of raw values enlarged at a time: bounds the memory of large photos."""


@dataclass(frozen=True)
class _Input:
    """One photo on its way through the network."""

    photo: Pixels
    tensor: Tensor
    """(3, h, w), normalised and padded."""
    rows: slice
    """Rows of the tensor that show the photo."""
    columns: slice
    """Columns of the tensor that show the photo."""


class Predictor(HubPredictor):
    """A network that takes photos instead of tensors."""

    def __init__(self, model: PAMM, *, resize: bool = True, precision: Precision = "float32") -> None:
        """Take the network.

        Args:
            model: the network; its device is used, and predicting puts it into evaluation mode.
            resize: whether photos are brought to about the size the network was trained at, as its weights expect.
                Otherwise each goes in at its own size, which shows finer detail if the weights can cope with it;
                time and memory grow with the photo.
            precision: ``float32``; ``bf16``, where products take numbers of 8 bits' precision; or ``auto`` for the one
                of them that is faster on the network's device, which is tried out now.
        """
        self.model = model
        self.resize = resize
        self.precision: Precision = fastest_precision(model) if precision == "auto" else precision

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The maps it predicts."""
        return self.model.config.tasks

    def to(self, device: str | torch.device) -> Self:
        """Move the network to a device (see :func:`pamm.engine.devices.pick_device`)."""
        self.model.to(pick_device(device))
        return self

    def __call__(self, image: ImageLike) -> Prediction:
        """Predict the maps of one photo.

        Args:
            image: a path, a PIL image, an array (H, W, 3) or a tensor (3, H, W); see
                :func:`pamm.data.images.read_image`.

        Raises:
            ValueError: if it is not a readable image.
        """
        return self.predict_batch([image])[0]

    @torch.inference_mode()
    def predict_batch(self, images: Sequence[ImageLike], *, batch_size: int = 8) -> list[Prediction]:
        """Predict the maps of several photos, those of one size together.

        Args:
            images: photos as in :meth:`__call__`, of any sizes.
            batch_size: number of photos the network sees at a time, at most.

        Returns:
            One prediction a photo, in their order.

        Raises:
            ValueError: if one of them is not a readable image.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, must be at least 1")
        inputs = [self._prepare(read_image(image)) for image in images]
        by_size: dict[torch.Size, list[int]] = {}
        for index, item in enumerate(inputs):
            by_size.setdefault(item.tensor.shape, []).append(index)
        found: dict[int, Prediction] = {}
        device = next(self.model.parameters()).device
        self.model.eval()
        for indices in by_size.values():
            for start in range(0, len(indices), batch_size):
                chunk = indices[start : start + batch_size]
                with arithmetic(self.precision, device):
                    outputs = self.model(torch.stack([inputs[index].tensor for index in chunk]).to(device))
                for place, index in enumerate(chunk):
                    one = {name: output[place] for name, output in outputs.items()}
                    found[index] = self._finish(inputs[index], one)
        return [found[index] for index in range(len(inputs))]

    def _prepare(self, photo: Pixels) -> _Input:
        config = self.model.config
        size, canvas = network_size(
            photo.shape[0], photo.shape[1], trained=config.image_size, patch=config.patch_size, resize=self.resize
        )
        padded = CentrePad((), canvas)(Sample(_resized(photo, *size)))
        top, bottom, left, right = padded.padding
        return _Input(
            photo,
            to_tensors(padded, (), mean=config.mean, std=config.std)["image"],
            slice(top, canvas[0] - bottom),
            slice(left, canvas[1] - right),
        )

    def _finish(self, item: _Input, outputs: dict[str, Tensor]) -> Prediction:
        height, width = item.photo.shape[:2]
        maps = {
            task.name: enlarged(task, outputs[task.name][:, item.rows, item.columns].float(), height, width)
            for task in self.tasks
        }
        return Prediction(item.photo, maps, self.tasks)


def load(
    name_or_folder: str | Path,
    *,
    device: str | torch.device = "cpu",
    resize: bool = True,
    precision: Precision = "float32",
    fused: bool = False,
) -> Predictor:
    """Load a predictor.

    Args:
        name_or_folder: a shipped name (``pamm-tiny-scenes``), a folder that
            :func:`pamm.engine.weights.save_weights` wrote, or a hub name (``organisation/name``, or
            ``organisation/name@revision``). What else can be said to the hub: :meth:`Predictor.from_pretrained`.
        device: where to predict, by name; ``auto`` takes the fastest there is (see
            :func:`pamm.engine.devices.pick_device`).
        resize: whether photos are brought to about the size the network was trained at; see :class:`Predictor`.
        precision: numbers that products take; see :class:`Predictor`.
        fused: whether the network is made for predicting only, see :func:`pamm.models.fuse`.

    Raises:
        ValueError: if there are no such weights, they do not fit their config, or there is no such device or precision.
    """
    model = load_weights(name_or_folder, map_location=pick_device(device))
    return Predictor(fuse(model) if fused else model, resize=resize, precision=precision)


def network_size(
    height: int, width: int, *, trained: tuple[int, int], patch: int, resize: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size at which a photo goes into the network.

    Args:
        height: rows of the photo.
        width: columns of the photo.
        trained: rows and columns the network was trained at.
        patch: both sides of the network's input are multiples of it.
        resize: whether the photo may be resized. A photo that fits into ``trained`` and fills at least half of it
            keeps its size and is padded to ``trained``, as in evaluation.

    Returns:
        Rows and columns of the resized photo, and of the input it is padded to.
    """
    area = trained[0] * trained[1]
    if resize and height <= trained[0] and width <= trained[1] and 2 * height * width >= area:
        return (height, width), trained
    scale = min(math.sqrt(area / (height * width)), _LONGEST * math.sqrt(area) / max(height, width)) if resize else 1.0
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    return (rows, columns), (-(-rows // patch) * patch, -(-columns // patch) * patch)


def enlarged(task: Task, output: Tensor, height: int, width: int) -> Map:
    """Bring raw values to the photo's size (bilinear) and decode them, strip by strip.

    Args:
        task: what the values predict.
        output: (channels, h, w).
        height: rows of the photo.
        width: columns of the photo.

    Returns:
        The map, (height, width) or (height, width, channels); see :func:`pamm.engine.colours.decoded`.
    """
    rows = output.shape[1]
    if height * width <= rows * output.shape[2]:
        return decoded(task, F.interpolate(output[None], (height, width), mode="bilinear", antialias=True)[0])
    centres = ((torch.arange(height, device=output.device) + 0.5) * (rows / height) - 0.5).clamp(0, rows - 1)
    above = centres.floor().long()
    below = (above + 1).clamp(max=rows - 1)
    share = (centres - above)[:, None]
    step = max(1, _STRIP // (output.shape[0] * width))
    strips = []
    for start in range(0, height, step):
        part = slice(start, start + step)
        first, last = int(above[start]), int(below[part][-1])
        wide = F.interpolate(output[None, :, first : last + 1], (last - first + 1, width), mode="bilinear")[0]
        strips.append(
            decoded(task, torch.lerp(wide[:, above[part] - first], wide[:, below[part] - first], share[part]))
        )
    return np.concatenate(strips)


def _resized(photo: Pixels, height: int, width: int) -> Pixels:
    """Resize a photo, (height, width, 3), averaging where it shrinks."""
    if photo.shape[:2] == (height, width):
        return photo
    shrinks = height * width < photo.shape[0] * photo.shape[1]
    resized = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)
