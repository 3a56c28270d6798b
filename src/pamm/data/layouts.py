"""Telling apart the folders that go by the names of the benchmarks."""

from dataclasses import dataclass
from pathlib import Path

from pamm.benchmarks import BENCHMARKS


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How one archive lies on the disk."""

    title: str
    """What it is, for people."""
    dataset: str | None
    """Name of the data set that reads it, or None if none does."""
    folder: str
    """Name that its top folder usually has."""
    marks: tuple[tuple[str, ...], ...]
    """Patterns below the top folder; it is this archive if all patterns of one group fit something."""


LAYOUTS = (
    Layout(
        title="MTI-Net's archive NYUD_MT (480×640, photos .jpg, edge and normals .npy)",
        dataset=None,
        folder="NYUD_MT",
        marks=(("edge/*.npy",), ("normals/*.npy",), ("gt_sets", "images/*.jpg")),
    ),
    Layout(
        title="MTAN's archive of NYUD-v2 (288×384, 13 classes, numbered .npy)",
        dataset=None,
        folder="nyuv2",
        marks=(("train/image/*.npy",), ("val/image/*.npy",), ("train/label/*.npy",), ("val/label/*.npy",)),
    ),
    Layout(
        title="NYUD-v2 (425×560, photos, edge and normals .png)",
        dataset="nyud",
        folder="NYUDv2",
        marks=(("gt_sets",), ("images/*.png", "segmentation/*.png"), ("images/*.png", "depth/*.npy")),
    ),
    Layout(
        title="PASCAL-Context (photos JPEGImages/*.jpg)",
        dataset="pascal_context",
        folder="PASCALContext",
        marks=(("ImageSets/Context",), ("JPEGImages", "human_parts"), ("JPEGImages", "pascal-context")),
    ),
)
"""The archives that are known, each before those that share some of its marks."""


class WrongTreeError(ValueError):
    """A folder holds another archive than the wanted one, or none that is known."""


def recognise(folder: Path) -> Layout | None:
    """Which archive a folder holds, as far as names of folders and files tell."""

    def fits(pattern: str) -> bool:
        return next(folder.glob(pattern), None) is not None if "*" in pattern else (folder / pattern).is_dir()

    return next((layout for layout in LAYOUTS if any(all(map(fits, group)) for group in layout.marks)), None)


def find_tree(root: str | Path) -> tuple[Path, Layout]:
    """The archive in a folder, or in one of its folders that has the usual name.

    Returns:
        The archive's top folder and what it is.

    Raises:
        ValueError: if there is no such folder.
        WrongTreeError: if it holds no archive that is known.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder: give the folder of the data set")
    for folder in (root, *(root / layout.folder for layout in LAYOUTS)):
        layout = recognise(folder) if folder.is_dir() else None
        if layout is not None:
            return folder, layout
    raise WrongTreeError(
        f"{root}: neither NYUD-v2 (gt_sets/, images/, ...) nor PASCAL-Context (ImageSets/Context/, JPEGImages/, ...) "
        "lies there: give the folder that holds these"
    )


def open_tree(root: str | Path, dataset: str) -> Path:
    """The top folder of a benchmark's archive.

    Args:
        root: that folder, or the one that it lies in under its usual name.
        dataset: key of :data:`pamm.benchmarks.BENCHMARKS`.

    Raises:
        ValueError: if there is no such folder.
        WrongTreeError: if it holds another archive, or none that is known.
    """
    top = Path(root).expanduser()
    wanted = next(layout for layout in LAYOUTS if layout.dataset == dataset)
    for folder in (top, top / wanted.folder):
        if recognise(folder) == wanted:
            return folder
    folder, found = find_tree(top)
    mend = "get the other archive" if found.dataset is None else f"name the data set {found.dataset!r}"
    raise WrongTreeError(f"{folder}: found {found.title}, wanted {BENCHMARKS[dataset].title}: {mend}")
