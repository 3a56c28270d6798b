"""What whoever starts the page may choose."""

from dataclasses import dataclass

from pamm.records import settle

SIDES = (64, 2048)
"""Bounds of the longest side of shown photos, pixels."""


@dataclass(frozen=True)
class PageSettings:
    """Where the page is served, what it predicts with, and how much it takes.

    Raises:
        ValueError: if a field has another type or a number is out of range.
    """

    weights: tuple[str, ...] = ()
    """Shipped names, folders of weights or hub names that visitors choose from; all that ship if left out."""
    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` lets other machines in."""
    port: int = 7860
    """Port to listen on; 0 takes a free one."""
    max_megabytes: float = 50.0
    """Largest file of a photo."""
    max_megapixels: float = 100.0
    """Most pixels of a photo, since a small file can hold a picture that fills the memory."""
    longest: int = 1024
    """Longest side in pixels at which photos are shown and predicted; larger ones are reduced."""
    queue: int = 64
    """How many photos may wait to be predicted, one at a time; the next are turned away with a message."""
    device: str = "auto"
    """`cpu`, `cuda`, `mps`, or `auto` for the fastest there is."""

    def __post_init__(self) -> None:
        """Check the fields."""
        settle(self, "the page")
        if not self.host:
            raise ValueError("host is empty: give an address to listen on, 0.0.0.0 for every one of this machine")
        ranges: dict[str, tuple[float, float]] = {
            "port": (0, 65535),
            "max_megabytes": (0.001, 1024),
            "max_megapixels": (0.001, 1000),
            "longest": SIDES,
            "queue": (1, 10_000),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}: give a number from {low:g} to {high:g}")

    @property
    def max_bytes(self) -> int:
        """Largest file of a photo."""
        return int(self.max_megabytes * 1e6)

    @property
    def max_pixels(self) -> int:
        """Most pixels of a photo."""
        return int(self.max_megapixels * 1e6)
