"""Where tiles lie on a photo, and how much each of them counts at each pixel."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pamm.records import settle


@dataclass(frozen=True)
class Tiling:
    """How a photo is cut into tiles.

    Raises:
        ValueError: if a number makes no sense, or tiles are to overlap by more than half.
    """

    side: int | None = None
    """Rows and columns of a tile in pixels, rounded up to a multiple of the network's patch; none means those of the
    pictures the network was trained on. Photos no larger than a tile are predicted as without tiling."""
    overlap: int | None = None
    """Pixels that neighbouring tiles share at least, rounded up to a multiple of the patch; none means a quarter of the
    tile."""
    guided: bool = True
    """Whether tiles add only the detail that a prediction of the whole photo, at the size the network was trained at,
    cannot show; otherwise they are all there is."""
    batch_size: int = 4
    """Tiles the network sees at a time."""
    memory: int = 2 << 30
    """Bytes of maps that are kept in memory; larger ones lie in temporary files (see :mod:`tempfile`)."""

    def __post_init__(self) -> None:
        """Check the fields."""
        settle(self, "tiling")
        if self.side is not None and self.side < 1:
            raise ValueError(f"a tile of {self.side} pixels is none: give at least 1, or none for the trained size")
        if self.overlap is not None and self.overlap < 0:
            raise ValueError(f"overlap is {self.overlap}, must be 0 or more")
        if self.side is not None and self.overlap is not None and 2 * self.overlap > self.side:
            raise ValueError(f"tiles of {self.side} pixels cannot overlap by {self.overlap}: give at most half a tile")
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, must be at least 1")
        if self.memory < 0:
            raise ValueError(f"memory is {self.memory}, must be 0 or more bytes")

    def settings(self) -> dict[str, Any]:
        """All that maps depend on, as plain values."""
        return {name: value for name, value in asdict(self).items() if name != "memory"}

    def tile(self, *, trained: tuple[int, int], patch: int) -> tuple[int, int]:
        """Rows and columns of a tile.

        Args:
            trained: rows and columns the network was trained at.
            patch: both are multiples of it.

        Raises:
            ValueError: if tiles of the trained size are to overlap by more than half.
        """
        if self.side is not None:
            return (-(-self.side // patch) * patch,) * 2
        if self.overlap is not None and 2 * self.overlap > min(trained):
            size = "×".join(map(str, trained))
            raise ValueError(f"tiles of {size} pixels cannot overlap by {self.overlap}: give at most half a tile")
        return trained


class Tile(NamedTuple):
    """One tile of a grid."""

    row: int
    """Number of its row of tiles."""
    column: int
    """Number of its column of tiles."""
    rows: slice
    """Rows of the photo that it shows."""
    columns: slice
    """Columns of the photo that it shows."""


@dataclass(frozen=True)
class Axis:
    """Tiles along one side of a photo."""

    starts: tuple[int, ...]
    """First pixel of each tile."""
    length: int
    """Pixels of the photo that each tile shows."""

    @classmethod
    def cover(cls, side: int, *, tile: int, overlap: int, patch: int) -> Self:
        """As few tiles as cover a side, the overlaps as even as whole patches allow.

        Tiles start at multiples of the patch, so that neighbours cut the photo into the same patches. The last one
        alone is shifted inward to end where the photo does.

        Args:
            side: pixels of the photo along the axis.
            tile: pixels of a tile, a multiple of the patch.
            overlap: pixels that neighbours share at least.
            patch: side of the network's patches.
        """
        if side <= tile:
            return cls((0,), side)
        room = side - tile
        longest = max(patch, (tile - overlap) // patch * patch)
        steps = math.ceil(room / longest)
        step = math.ceil(room / (steps * patch)) * patch
        return cls(tuple(min(number * step, room) for number in range(steps + 1)), tile)

    @property
    def side(self) -> int:
        """Pixels of the photo along the axis."""
        return self.starts[-1] + self.length

    @property
    def final(self) -> tuple[int, ...]:
        """Pixels of each tile, from its start on, that no later tile shows."""
        ends = (*self.starts[1:], self.side)
        return tuple(end - start for start, end in zip(self.starts, ends, strict=True))

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """How much each tile counts at each of its pixels, (tiles, length).

        Where tiles overlap they fade over the width they share along a squared sine, slowest at its ends. At each
        pixel of the photo the weights of all tiles that show it sum to one.
        """
        weights = np.ones((len(self.starts), self.length))
        for number, (start, following) in enumerate(zip(self.starts, self.starts[1:], strict=False)):
            shared = start + self.length - following
            rise = np.sin(np.pi / 2 * (np.arange(shared) + 0.5) / max(1, shared)) ** 2
            weights[number, self.length - shared :] *= rise[::-1]
            weights[number + 1, :shared] *= rise
        total = np.zeros(self.side)
        for start, row in zip(self.starts, weights, strict=True):
            total[start : start + self.length] += row
        for start, row in zip(self.starts, weights, strict=True):
            row /= total[start : start + self.length]
        return weights.astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """Tiles over a whole photo, all of one size."""

    down: Axis
    """Along its height."""
    across: Axis
    """Along its width."""

    @classmethod
    def over(cls, height: int, width: int, tiling: Tiling, *, trained: tuple[int, int], patch: int) -> Self:
        """The tiles of a photo.

        Args:
            height: rows of the photo.
            width: columns of the photo.
            tiling: how it is cut.
            trained: rows and columns the network was trained at.
            patch: side of the network's patches.

        Raises:
            ValueError: if tiles are to overlap by more than half.
        """
        axes = []
        for side, tile in zip((height, width), tiling.tile(trained=trained, patch=patch), strict=True):
            wanted = tile // 4 if tiling.overlap is None else tiling.overlap
            overlap = min(-(-wanted // patch) * patch, tile // 2)
            axes.append(Axis.cover(side, tile=tile, overlap=overlap, patch=patch))
        return cls(*axes)

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.down.starts) * len(self.across.starts)

    def __iter__(self) -> Iterator[Tile]:
        """The tiles, row by row from the top left."""
        for row, top in enumerate(self.down.starts):
            for column, left in enumerate(self.across.starts):
                yield Tile(row, column, slice(top, top + self.down.length), slice(left, left + self.across.length))
