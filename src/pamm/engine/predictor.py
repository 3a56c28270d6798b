"""From photos to maps: the network together with all that must happen before and after it.

Photos of any size go in. Those much larger or smaller than what the network was trained on are resized to about
as many pixels, in their own aspect; sides are padded to multiples of the patch. The network's raw values are
cropped back and brought to the photo's size before they become classes, metres and directions. For photos whose
detail is wanted, or that are larger than memory, see :mod:`pamm.engine.tiles`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from pamm.data.images import ImageLike, read_image
from pamm.data.sample import Sample, to_tensors
from pamm.data.transforms import CentrePad
from pamm.engine.colours import Pixels
from pamm.engine.devices import Precision, arithmetic, fastest_precision, pick_device
from pamm.engine.hub import HubPredictor
from pamm.engine.prediction import Prediction
from pamm.engine.sizes import enlarged, network_size, resized
from pamm.engine.weights import fingerprint, load_weights
from pamm.models import PAMM, fuse
from pamm.names import unknown_name
from pamm.tasks import Task


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """One photo on its way through the network."""

    photo: Pixels
    """As it was read, (H, W, 3) uint8 RGB."""
    tensor: Tensor
    """(3, h, w), normalised and padded."""
    rows: slice
    """Rows of the tensor that show the photo."""
    columns: slice
    """Columns of the tensor that show the photo."""


class Predictor(HubPredictor):
    """A network that takes photos instead of tensors."""

    def __init__(
        self,
        model: PAMM,
        *,
        resize: bool = True,
        precision: Precision = "float32",
        tasks: Sequence[str] | None = None,
    ) -> None:
        """Take the network.

        Args:
            model: the network; its device is used, and predicting puts it into evaluation mode.
            resize: whether photos are brought to about the size the network was trained at, as its weights expect.
                Otherwise each goes in at its own size, which shows finer detail if the weights can cope with it;
                time and memory grow with the photo.
            precision: ``float32``; ``bf16``, where products take numbers of 8 bits' precision; or ``auto`` for the one
                of them that is faster on the network's device, which is tried out now.
            tasks: names of the maps that are wanted, of those the network predicts; all if left out.

        Raises:
            ValueError: if a task is wanted that the network does not predict.
        """
        self.model = model
        self.resize = resize
        self.precision: Precision = fastest_precision(model) if precision == "auto" else precision
        self._wanted = None if tasks is None else frozenset(_known_tasks(model, tasks))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The maps it predicts, in the network's order."""
        return tuple(task for task in self.model.config.tasks if self._wanted is None or task.name in self._wanted)

    def settings(self) -> dict[str, Any]:
        """All that its predictions depend on besides the photo, as plain values; for telling predictions apart."""
        return {
            "weights": fingerprint(self.model),
            "tasks": [task.name for task in self.tasks],
            "resize": self.resize,
            "precision": self.precision,
        }

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
        inputs = [self.prepare(image) for image in images]
        by_size: dict[torch.Size, list[int]] = {}
        for index, item in enumerate(inputs):
            by_size.setdefault(item.tensor.shape, []).append(index)
        found: dict[int, Prediction] = {}
        for indices in by_size.values():
            for start in range(0, len(indices), batch_size):
                chunk = indices[start : start + batch_size]
                outputs = self.forward(torch.stack([inputs[index].tensor for index in chunk]))
                for place, index in enumerate(chunk):
                    found[index] = self.finish(inputs[index], {name: out[place] for name, out in outputs.items()})
        return [found[index] for index in range(len(inputs))]

    def network_size(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows and columns that a photo is resized to, and of the network's input; see :func:`network_size`."""
        config = self.model.config
        return network_size(height, width, trained=config.image_size, patch=config.patch_size, resize=self.resize)

    def prepare(self, image: ImageLike) -> NetworkInput:
        """The first of three steps of predicting: read, resize and pad a photo.

        Raises:
            ValueError: if it is not a readable image.
        """
        photo = read_image(image)
        return self._input(photo, *self.network_size(*photo.shape[:2]))

    def _input(self, photo: Pixels, size: tuple[int, int], canvas: tuple[int, int]) -> NetworkInput:
        config = self.model.config
        padded = CentrePad((), canvas)(Sample(resized(photo, *size)))
        top, bottom, left, right = padded.padding
        return NetworkInput(
            photo,
            to_tensors(padded, (), mean=config.mean, std=config.std)["image"],
            slice(top, canvas[0] - bottom),
            slice(left, canvas[1] - right),
        )

    @torch.inference_mode()
    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        """The second step: the raw values of the wanted tasks.

        Args:
            batch: tensors of :class:`NetworkInput` of one size, (B, 3, h, w).

        Returns:
            (B, channels, h, w) by task name, on the network's device. In their last bits they depend on B, on nothing
            else in the batch.
        """
        device = next(self.model.parameters()).device
        self.model.eval()
        with arithmetic(self.precision, device):
            outputs: dict[str, Tensor] = self.model(batch.to(device))
        return {task.name: outputs[task.name] for task in self.tasks}

    @torch.inference_mode()
    def finish(self, item: NetworkInput, outputs: Mapping[str, Tensor]) -> Prediction:
        """The third step: raw values of one photo, (channels, h, w), to maps of its size."""
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
    tasks: Sequence[str] | None = None,
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
        tasks: names of the maps that are wanted; see :class:`Predictor`.

    Raises:
        ValueError: if there are no such weights, they do not fit their config, or there is no such device, precision or
            task.
    """
    model = load_weights(name_or_folder, map_location=pick_device(device))
    return Predictor(fuse(model) if fused else model, resize=resize, precision=precision, tasks=tasks)


def _known_tasks(model: PAMM, names: Sequence[str]) -> Sequence[str]:
    """Names of tasks, all of which a network predicts.

    Raises:
        ValueError: if there is none, or another.
    """
    known = [task.name for task in model.config.tasks]
    for name in names:
        if name not in known:
            raise unknown_name("task of these weights", name, known)
    if not names:
        raise ValueError(f"no task was given: name one or more of {', '.join(known)}")
    return names
