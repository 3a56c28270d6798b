"""What the page can do, without a word of HTTP: take photos, predict their maps, pack them."""

import json
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

from pamm.engine.prediction import Prediction
from pamm.engine.predictor import Predictor, load
from pamm.engine.results.run_facts import short_name
from pamm.engine.weights import list_shipped
from pamm.names import unknown_name
from pamm.page.settings import PageSettings
from pamm.page.shelf import Shelf
from pamm.page.shown import ShownMap, jpeg, show_map
from pamm.page.uploads import Photo, read_photo

PHOTO_ROOM = 256 * 2**20
"""Bytes of photos that are kept."""
RESULT_ROOM = 384 * 2**20
"""Bytes of maps that are kept."""

Say = Callable[[int, int, str], None]
"""Told how many steps of how many are done, and what is done next."""


@dataclass(frozen=True, eq=False)
class Result:
    """The maps of one photo."""

    prediction: Prediction
    """The values, for those who take them away."""
    shown: Mapping[str, ShownMap]
    """The maps for the browser, by task name."""


class Service:
    """Networks that stay loaded, and what visitors gave and got, within fixed bounds of memory."""

    def __init__(self, settings: PageSettings) -> None:
        """Load the weights.

        Args:
            settings: which they are, and the bounds of photos.

        Raises:
            ValueError: if some weights are not there or damaged, or there is no such device.
        """
        self.settings = settings
        self.predictors: dict[str, Predictor] = {}
        for weights in settings.weights or list_shipped():
            name = short_name(weights)
            if name in self.predictors:
                raise ValueError(f"two of the weights are called {name}: give each once, under a name of its own")
            self.predictors[name] = load(weights, device=settings.device, fused=True)
        self.photos: Shelf[tuple[Photo, bytes]] = Shelf("photo", room=PHOTO_ROOM)
        self.results: Shelf[Result] = Shelf("result", room=RESULT_ROOM)

    def take(self, data: bytes) -> dict[str, Any]:
        """Read a photo and keep it.

        Args:
            data: the file.

        Returns:
            Its name (``photo``) and sizes, in plain values.

        Raises:
            ImageError: if it is not a picture, is damaged, or too large.
        """
        photo = read_photo(data, max_pixels=self.settings.max_pixels, longest=self.settings.longest)
        picture = jpeg(photo.pixels)
        name = self.photos.put((photo, picture), photo.pixels.nbytes + len(picture))
        height, width = photo.pixels.shape[:2]
        return {
            "photo": name,
            "height": height,
            "width": width,
            "original": list(photo.original),
            "reduced": photo.reduced,
            "focal": photo.focal,
        }

    def predict(self, photo: str, weights: str, say: Say) -> dict[str, Any]:
        """Predict the maps of a photo and keep them.

        Args:
            photo: its name.
            weights: name of the weights; one of those the page was started with.
            say: told about progress.

        Returns:
            The name of the result (``result``), the facts of its maps and the seconds it took, in plain values.

        Raises:
            GoneError: if the photo is not kept any more.
            ValueError: if there are no such weights.
        """
        if weights not in self.predictors:
            raise unknown_name("set of weights", weights, self.predictors)
        taken, _ = self.photos.get(photo)
        predictor = self.predictors[weights]
        steps = 1 + len(predictor.tasks)
        say(0, steps, "Running the network")
        start = time.perf_counter()
        prediction = predictor(taken.pixels)
        seconds = time.perf_counter() - start
        shown = {}
        for done, task in enumerate(predictor.tasks, start=1):
            say(done, steps, f"Drawing {task.title.lower()}")
            shown[task.name] = show_map(task, prediction.maps[task.name])
        size = prediction.image.nbytes + sum(array.nbytes for array in prediction.maps.values())
        size += sum(len(item.picture) + len(item.values) + len(json.dumps(item.facts)) for item in shown.values())
        name = self.results.put(Result(prediction, shown), size)
        return {
            "result": name,
            "weights": weights,
            "seconds": round(seconds, 3),
            "maps": [item.facts for item in shown.values()],
        }

    def archive(self, result: str, tasks: Iterable[str]) -> bytes:
        """Pack the maps of a photo: a picture for each task, an overview, the values, and the photo.

        Args:
            result: its name.
            tasks: names of the tasks wanted; all if there are none.

        Returns:
            The bytes of a ``.zip`` file.

        Raises:
            GoneError: if the result is not kept any more.
            ValueError: if it has no such task.
        """
        prediction = self.results.get(result).prediction
        wanted = list(tasks) or list(prediction.maps)
        for name in wanted:
            if name not in prediction.maps:
                raise unknown_name("map", name, prediction.maps)
        chosen = replace(
            prediction,
            maps={name: prediction.maps[name] for name in prediction.maps if name in wanted},
            tasks=tuple(task for task in prediction.tasks if task.name in wanted),
        )
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in chosen.files():
                archive.writestr(name, content)
            archive.writestr("photo.jpg", jpeg(prediction.image))
        return packed.getvalue()
