"""The manifest of a folder of one's own images: a small YAML file that says where what lies.

An example, with all the images of a folder and labels for some of them::

    root: /data/kitchens            # relative to the manifest's own folder, if not absolute
    images: photos/{id}.jpg
    splits:
      train: {file: train.txt}      # one id a line
      val: {last: 50}
    labels:
      semseg:
        path: classes/{id}.png
        classes: {worktop: 3, cupboard: [7, 8]}
        ignore: [0, 255]
      depth: {path: "depth_mm/{id}.png", scale: 0.001, ignore: [0]}
      normals: {derive: normals_from_depth, source: depth, focal: [525, 525], centre: [319.5, 239.5]}
      edge: {derive: boundaries_from_labels, path: "instances/{id}.png"}
      saliency: {path: "salient/{id}.png"}
      shadow: {like: saliency, path: "shadows/{id}.png", annotators: 5, threshold: 2}   # more than 2 of 5 say so

Every pattern holds ``{id}``, which stands for the name that an image and its maps share, and may hold ``*``. A label is
missing for the images whose file is missing. The fields of :class:`Manifest`, :class:`Split` and :class:`LabelMaps`
are the keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from pamm.data.files import read_yaml
from pamm.records import build
from pamm.tasks import Colour

Derivation = Literal["normals_from_depth", "boundaries_from_labels"]

_AXES = {"x", "y", "z"}
_BITS = 32
"""Most answers that a stored value holds."""


def _check_pattern(name: str, pattern: str) -> None:
    if "{id}" not in pattern:
        raise ValueError(f"{name} {pattern!r} does not hold {{id}}: write for example {name}: images/{{id}}.jpg")
    if Path(pattern).is_absolute():
        raise ValueError(f"{name} {pattern!r} starts at the top of the disk: put that folder under 'root'")


@dataclass(frozen=True, kw_only=True)
class Split:
    """A part of the images; exactly one of the fields says which."""

    file: str | None = None
    """Text file below the root with one id a line."""
    ids: tuple[str, ...] | None = None
    """The ids themselves, in quotes where they are digits."""
    first: int | None = None
    """So many from the start of all ids."""
    last: int | None = None
    """So many from the end of all ids."""
    images: str | None = None
    """Pattern of the images that belong to it, where each split has a folder: those of all match ``images`` of the
    manifest too."""

    def __post_init__(self) -> None:
        """Check that one field is given."""
        names = [field.name for field in fields(self)]
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"got {' and '.join(given) or 'nothing'}: give one of {', '.join(names)}")
        if (self.first or self.last or 1) < 0:
            raise ValueError("first and last count images: give 0 or more")
        if self.images is not None:
            _check_pattern("images", self.images)


@dataclass(frozen=True, kw_only=True)
class LabelMaps:
    """Where the maps of one task lie and what their values mean."""

    path: str | None = None
    """Pattern of the files below the root: PNG and other pictures, .npy or .npz."""
    key: str | None = None
    """Name of the array, in .npz files that hold several."""
    ignore: tuple[float, ...] | None = None
    """Stored values (in every channel) of pixels without a label. Left out: 255 for classes, else none."""
    classes: tuple[str, ...] | dict[str, int | tuple[int, ...]] | None = None
    """Classes: names in the order of the stored values 0, 1, 2 ..., or by name the stored value or values. Left out:
    the task's own classes, stored as 0, 1, 2 ..."""
    unlisted: Literal["error", "ignore"] = "error"
    """Classes: what to make of a stored value that is neither a class nor ignored."""
    colours: tuple[Colour, ...] = ()
    """Classes: an RGB colour each, in the order of the classes."""
    threshold: float | None = None
    """Yes/no questions: stored values above are yes, or with ``annotators`` more of them. Left out: 0."""
    scale: float = 1.0
    """Values: factor from what is stored to the task's unit, for example 0.001 for millimetres."""
    axes: tuple[str, str, str] = ("x", "y", "z")
    """Directions: where each stored channel points, of x (right), y (up), z (to the camera), or -x, -y, -z. Whole
    numbers 0 to 255 (65535) stand for -1 to 1."""
    derive: Derivation | None = None
    """How the labels follow from other maps, if they are not stored themselves."""
    source: str | None = None
    """Derived labels: the label of this manifest they follow from, instead of maps at ``path``."""
    focal: tuple[float, float] | None = None
    """Normals from depth: focal lengths of the camera along x and y, in pixels of the stored images."""
    centre: tuple[float, float] | None = None
    """Normals from depth: column and row of the optical axis, in pixels of the stored images, the middle of the first
    being 0. Left out: the middle of the image."""
    task: dict[str, Any] = field(default_factory=dict)
    """Fields of the task to change (see :class:`pamm.tasks.Task`); all of them, for a task that is not in the table and
    not ``like`` one that is."""
    like: str | None = None
    """A task of one's own: the standard task whose fields it starts from."""
    annotators: int | None = None
    """Yes/no questions that several people answered: how many low bits of the stored values hold an answer each. A
    pixel is yes if more than ``threshold`` of them say so."""
    lines: bool = False
    """Yes/no questions: the yes are thin lines, which stay whole where ``resize`` makes the images smaller."""

    def __post_init__(self) -> None:
        """Check the fields against each other."""
        if self.path is not None:
            _check_pattern("path", self.path)
        if self.source is not None and self.derive is None:
            raise ValueError("'source' is for derived labels: give 'derive' too, or 'path' instead")
        if (self.path is None) == (self.source is None):
            raise ValueError("say where the maps lie: give 'path', or 'source' for derived labels, not both")
        if self.derive == "normals_from_depth" and self.focal is None:
            raise ValueError("normals_from_depth needs the camera: add focal: [fx, fy] in pixels")
        if {axis.removeprefix("-") for axis in self.axes} != _AXES:
            raise ValueError(
                f"axes {list(self.axes)}: give x, y and z once each, with - where they point the other way"
            )
        if self.scale == 0:
            raise ValueError("scale 0 makes all values equal: give another factor")
        if self.annotators is not None and not 1 <= self.annotators <= _BITS:
            raise ValueError(f"annotators is {self.annotators}: give the number of bits of answers, 1 to {_BITS}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A folder of images and label maps."""

    images: str
    """Pattern of the images below the root."""
    labels: dict[str, LabelMaps]
    """The maps by task name."""
    root: str = "."
    """Folder that all patterns start from, relative to the manifest's own folder."""
    ids: str | None = None
    """Text file below the root with one id a line; left out: the ids of all files that match ``images``, sorted."""
    splits: dict[str, Split] = field(default_factory=dict)
    """Named parts of the images."""
    resize: float = 1.0
    """Factor in (0, 1] by which images and maps are made smaller when they are read, for small networks. Distances
    stay as they are: it is the same view by a camera of fewer pixels."""

    def __post_init__(self) -> None:
        """Check the values."""
        _check_pattern("images", self.images)
        if not self.labels:
            raise ValueError("'labels' is empty: name at least one task and where its maps lie")
        if not 0 < self.resize <= 1:
            raise ValueError(f"resize is {self.resize:g}: give a factor above 0 and at most 1")
        for name, maps in self.labels.items():
            if maps.source is not None and (maps.source not in self.labels or self.labels[maps.source].derive):
                stored = [other for other, entry in self.labels.items() if not entry.derive]
                raise ValueError(f"labels: {name}: source {maps.source!r} is none of the stored labels {stored}")


def read_manifest(path: str | Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        ValueError: if the file is missing, is not YAML, or says something impossible.
    """
    path = Path(path)
    plain = read_yaml(path, "a manifest")
    if not isinstance(plain, Mapping):
        raise ValueError(f"{path}: holds no keys: a manifest has at least 'images' and 'labels'")
    return build(Manifest, plain, str(path))
