"""A home for sets, and an archive of one."""

import pytest

from fetch_toys import BODY
from pamm.data.fetching import download as download_module


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download_module.time, "sleep", lambda _: None)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "archives" / "set.tar.gz"
    path.parent.mkdir()
    path.write_bytes(BODY)
    return path
