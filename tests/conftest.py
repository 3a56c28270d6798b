"""Fixtures shared by all tests."""

import os
import signal
from pathlib import Path

import pytest
import torch

# two test processes share two cores: more threads would only wait for each other
torch.set_num_threads(1)
# shells start what runs in the background deaf to Ctrl-C, and its children with it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference values and labelled images beside the checkout."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the reference data folder ../shared is not here")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _shards_are_cached_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    # read when the library is imported, which happens when the first shard is opened
    os.environ["HF_DATASETS_CACHE"] = str(tmp_path_factory.mktemp("shard_cache"))
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    torch.manual_seed(0)
