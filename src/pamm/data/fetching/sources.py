"""Where the archives of the benchmark sets lie, and where else to look.

The addresses in :data:`SETS` are those that READMEs and issues of multi-task repositories name. Such links die, and
nothing here checks that they still answer or what they give. Other places are written in a YAML file, tried in order::

    nyud:
      - url: https://example.org/mirror/NYUDv2.tar.gz
        sha256: 0123...               # optional, as are md5 and size
        size: 1234567                 # bytes
      - url: /mnt/archives/NYUDv2.tar.gz
    pascal_context:
      - url: file:///mnt/data/PASCALContext
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pamm.data.files import read_yaml
from pamm.names import unknown_name
from pamm.records import build

SCHEMES = ("http", "https", "file")


def _scheme(url: str) -> str:
    """The scheme of an address; empty for a path, also for one that starts with a drive letter."""
    return match[1].lower() if (match := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", url)) else ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place where a set may lie."""

    url: str
    """Address (http, https, file) of an archive, or path of an archive or of a folder that holds the set."""
    sha256: str | None = None
    """Checksum of the archive, 64 hexadecimal digits."""
    md5: str | None = None
    """Checksum of the archive, 32 hexadecimal digits."""
    size: int | None = None
    """Bytes of the archive."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.url.strip():
            raise ValueError("url is empty: give an address, or the path of an archive or a folder")
        scheme = _scheme(self.url)
        if scheme and scheme not in SCHEMES:
            raise ValueError(f"{self.url}: cannot fetch over {scheme}: give an address with {', '.join(SCHEMES)}")
        if scheme in ("http", "https") and not urlsplit(self.url).hostname:
            raise ValueError(f"{self.url}: names no server: give a whole address")
        if scheme == "file" and urlsplit(self.url).netloc not in ("", "localhost"):
            raise ValueError(f"{self.url}: is on another machine: write file:///folder/archive, with three slashes")
        for name, digits in (("sha256", 64), ("md5", 32)):
            value = getattr(self, name)
            if value is not None and not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", value):
                raise ValueError(f"{name} {value!r} is not {digits} hexadecimal digits: copy the whole checksum")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size is {self.size}: give the bytes of the archive, or leave it out")

    def local(self, folder: Path = Path()) -> Path | None:
        """The path, for a source on this disk; None for one on a server.

        Args:
            folder: where a relative path starts.
        """
        scheme = _scheme(self.url)
        if scheme == "file":
            return Path(url2pathname(urlsplit(self.url).path))
        return None if scheme else folder / Path(self.url).expanduser()


SETS: dict[str, tuple[Source, ...]] = {
    "nyud": (
        # of InvPT's author; see issue 22 of prismformore/Multi-Task-Transformer
        Source(
            url="https://hkustconnect-my.sharepoint.com/:u:/g/personal/hyeae_connect_ust_hk/"
            "EZ-2tWIDYSFKk7SCcHRimskBhgecungms4WFa_L-255GrQ?e=6jAt4c&download=1"
        ),
        # of ATRC's authors, the first of all; gone in 2023
        Source(url="https://data.vision.ee.ethz.ch/brdavid/atrc/NYUDv2.tar.gz"),
        # of DeMT's author; see issue 6 of yangyangxu0/DeMT
        Source(
            url="https://drive.usercontent.google.com/download?id=1iLBaDBBOkcS9wH8rd3PboLRPLm5NsGgi"
            "&export=download&confirm=t"
        ),
    ),
    "pascal_context": (
        Source(
            url="https://hkustconnect-my.sharepoint.com/:u:/g/personal/hyeae_connect_ust_hk/"
            "ER57KyZdEdxPtgMCai7ioV0BXCmAhYzwFftCwkTiMmuM7w?e=2Ex4ab&download=1"
        ),
        Source(url="https://data.vision.ee.ethz.ch/brdavid/atrc/PASCALContext.tar.gz"),
        Source(
            url="https://drive.usercontent.google.com/download?id=16Ss_vJe36fIlpNt2ev7-qpXX94_V2BRY"
            "&export=download&confirm=t"
        ),
    ),
}
"""By the name of the set where it may lie, the likeliest first; the second has the same three hosts as the first."""


def read_sources(path: str | Path, name: str) -> tuple[Source, ...]:
    """Read the sources of one set from a YAML file; relative paths in it start at the file's own folder.

    Raises:
        ValueError: if the file is missing, is not YAML, says something impossible, or has nothing for the set.
    """
    path = Path(path)
    plain = read_yaml(path, "a list of sources")
    if not isinstance(plain, Mapping) or not all(isinstance(entries, list) for entries in plain.values()):
        raise ValueError(f"{path}: wanted the names of sets, each with a list of sources: see {__name__}")
    for key in plain:
        if key not in SETS:
            raise ValueError(f"{path}: {unknown_name('set', key, SETS)}")
    if not plain.get(name):
        raise ValueError(f"{path}: holds no sources for {name}: add '{name}:' and a list of them")
    found = []
    for number, entry in enumerate(plain[name], 1):
        source = build(Source, entry, f"{path}: {name}: source {number}")
        local = source.local(path.parent)
        found.append(source if local is None else replace(source, url=str(local)))
    return tuple(found)
