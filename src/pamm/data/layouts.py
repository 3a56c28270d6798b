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
    strangers: tuple[str, ...] = ()
    """Patterns of another archive's files; it is not this one if any fits something."""
    needs: tuple[str, ...] = ()
    """Folders that the data set cannot do without."""


LAYOUTS = (
    Layout(
        title="MTI-Net's archive NYUD_MT (480×640, photos .jpg, edge and normals .npy)",
        dataset=None,
        folder="NYUD_MT",
        marks=(("edge/*.npy",), ("normals/*.npy",), ("gt_sets", "images/*.jpg")),
        strangers=("images/*.png", "edge/*.png", "normals/*.png"),
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
        needs=("gt_sets", "images"),
    ),
    Layout(
        title="PASCAL-Context (photos JPEGImages/*.jpg)",
        dataset="pascal_context",
        folder="PASCALContext",
        marks=(("ImageSets/Context",), ("JPEGImages", "human_parts"), ("JPEGImages", "pascal-context")),
        needs=("ImageSets/Context", "JPEGImages"),
    ),
)
"""The archives that are known, each before those that share some of its marks."""


class WrongTreeError(ValueError):
    """A folder holds another archive than the wanted one, or none that is known."""


def recognise(folder: Path) -> Layout | None:
    """Which archive a folder holds, as far as names of folders and files tell."""

    def fits(pattern: str) -> bool:
        return next(folder.glob(pattern), None) is not None if "*" in pattern else (folder / pattern).is_dir()

    return next(
        (
            layout
            for layout in LAYOUTS
            if any(all(map(fits, group)) for group in layout.marks) and not any(map(fits, layout.strangers))
        ),
        None,
    )


def layout_of(dataset: str) -> Layout:
    """The archive that a data set is read from."""
    return next(layout for layout in LAYOUTS if layout.dataset == dataset)


def find_root(folder: Path, dataset: str) -> Path:
    """Find the whole archive of a data set: a folder, or one at most two levels below.

    Args:
        folder: where to look.
        dataset: key of :data:`pamm.benchmarks.BENCHMARKS`.

    Raises:
        WrongTreeError: if there is none, more than one, or one that lacks a folder.
    """
    wanted, others = layout_of(dataset), []
    for places in ([folder], *(sorted(folder.glob(level)) for level in ("*", "*/*"))):
        found = [(place, recognise(place)) for place in places if place.is_dir()]
        roots = [place for place, layout in found if layout == wanted]
        others += [layout.title for _, layout in found if layout is not None]
        if len(roots) > 1:
            names = " and ".join(str(root.relative_to(folder)) for root in roots[:2])
            raise WrongTreeError(f"holds several folders with {wanted.title}, {names}: give one of them")
        if roots:
            missing = [need for need in wanted.needs if not (roots[0] / need).is_dir()]
            if missing:
                raise WrongTreeError(f"lacks {', '.join(missing)}: it is not the whole set")
            return roots[0]
    raise WrongTreeError(f"holds {others[0] if others else 'another data set'}, wanted {wanted.title}")


def find_tree(root: str | Path) -> tuple[Path, Layout]:
    """The archive in a folder, or in one of its folders that has the usual name; best one that a loader reads.

    Returns:
        The archive's top folder and what it is.

    Raises:
        ValueError: if there is no such folder.
        WrongTreeError: if it holds no archive that is known, or several that loaders read.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder: give the folder of the data set")
    folders = (root, *(root / layout.folder for layout in LAYOUTS))
    found = [(folder, layout) for folder in folders if folder.is_dir() and (layout := recognise(folder)) is not None]
    read = [(folder, layout) for folder, layout in found if layout.dataset is not None]
    if len(read) > 1 and read[0][0] != root:
        raise WrongTreeError(f"{root}: holds {' and '.join(folder.name for folder, _ in read)}: give one of them")
    if found:
        return (read or found)[0]
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
    wanted = layout_of(dataset)
    for folder in (top, top / wanted.folder):
        if recognise(folder) == wanted:
            return folder
    folder, found = find_tree(top)
    mend = "get the other archive" if found.dataset is None else f"name the data set {found.dataset!r}"
    raise WrongTreeError(f"{folder}: found {found.title}, wanted {BENCHMARKS[dataset].title}: {mend}")
