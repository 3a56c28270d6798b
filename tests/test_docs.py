"""Every command and every piece of Python in the README and the docs runs, on small inputs."""

import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from skimage import data as photos
from skimage.io import imsave

from benchmark_trees import write_nyud, write_pascal
from folder_toys import put
from mixed_trees import write_encoder, write_mixed
from page_server import served_and_stopped
from pamm.benchmarks import BENCHMARKS
from pamm.cli import INTERRUPTED, main
from pamm.engine.export.network import OLDEST_TORCH
from pamm.engine.many.video_file import write_video
from pamm.engine.plain import read_plain
from pamm.engine.weights import save_weights
from pamm.models import PAMMConfig, create_model
from pamm.models.build import RELEASED_FORM
from pamm.models.released import to_released
from toys import MICRO

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

SMALL = {
    "train": "--run.devices 1 --run.workers 0 --run.pictures 1 --run.validate_every 1 --run.log_every 1 --val.length 1 "
    "--optim.steps 1 --optim.batch_size 1",
    "eval": "--data.length 1 --workers 0",
    "demo": "--scenes 1",
    "export": "--image_size [128,160]",
}
"""Options after a command's own that make it quick."""
SMALLER = {
    "configs/mixed/train.yaml": "--data.height 42 --data.width 42 --val.height 42 --val.width 42",
}
"""More of them, by the config of a command."""

REPLICA = "path/to/replica_office0"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


class Block(NamedTuple):
    """A piece of a page between fences."""

    language: str
    title: str
    text: str
    lead: str
    """What stands between it and the block before it."""


def blocks(page: Path) -> list[Block]:
    text, found, end = page.read_text(), [], 0
    for match in FENCED.finditer(text):
        language, title, code = match.groups(default="")
        found.append(Block(language, title, code, text[end : match.start()].strip()))
        end = match.end()
    return found


def commands(text: str) -> list[list[str]]:
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("pamm ")]


def save_networks(folder):
    """Weights for NYUD-v2 as two of the recipes would leave them, of small networks."""
    for recipe, changes in (("paper", {}), ("baseline", {"scan": False})):
        model = create_model("pamm_tiny", tasks=BENCHMARKS["nyud"].tasks, **MICRO, **changes)
        # walls everywhere: a network that never meets a class has no score to gain on
        next(bias for bias in model.heads.parameters() if bias.shape == (40,)).data[0] = 100.0
        save_weights(model, folder / f"nyud_{recipe}/best")
    save_weights(create_model("pamm_tiny", **MICRO), folder / "mixed_whole/best")


def save_checkpoint(path):
    """A checkpoint as the released code would write it, of a small network."""
    sizes = {"image_size": (64, 64), "encoder_width": 64, "encoder_depth": 4, "encoder_heads": 1, "d_model": 32}
    state, _ = to_released(create_model(PAMMConfig(**sizes, **RELEASED_FORM)))
    torch.save({"model": state}, path)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Stand-ins for the data sets of configs/mixed."""
    return write_mixed(tmp_path_factory.mktemp("sets"))


@pytest.fixture
def desk(tmp_path, monkeypatch, sets):
    """A folder as a reader might have it: the configs, a photo, a few labelled rooms, and tiny benchmarks."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/data").symlink_to(sets)
    tmp_path /= "desk"
    tmp_path.mkdir()
    write_encoder(tmp_path / "runs/vits14")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for name in ("photo.jpg", "room.png"):
        imsave(tmp_path / name, photos.chelsea()[::2, ::2])
    for name in ("1.jpg", "coast/1.jpg"):
        put(tmp_path / "holiday" / name, photos.coffee()[::8, ::8])
    write_video(tmp_path / "clip.mp4", [photos.chelsea()[:60, :90]] * 3, rate=24.0, codec="mp4v")
    save_checkpoint(tmp_path / "released.pth")
    save_networks(tmp_path / "runs")
    write_nyud(tmp_path / "NYUDv2")
    write_pascal(tmp_path / "PASCALContext")
    for folder in ("maps", "theirs"):
        shutil.copytree(tmp_path / "NYUDv2/edge", tmp_path / folder / "edge")
    for block in (block for page in PAGES for block in blocks(page) if block.title):
        (tmp_path / block.title).write_text(block.text)
    names = [f"room{number}" for number in range(12)]
    for name in names:
        put(tmp_path / f"rooms/photos/{name}.jpg", photos.coffee()[::8, ::8])
        shape = photos.coffee()[::8, ::8].shape[:2]
        classes = np.zeros(shape, np.uint8)
        classes[10:], classes[20:], classes[30:] = 3, 7, 8
        for kind, array in {
            "classes": classes,
            "depth_mm": np.full(shape, 2000, np.uint16),
            "instances": classes,
            "salient": (classes > 3).astype(np.uint8),
        }.items():
            put(tmp_path / f"rooms/{kind}/{name}.png", array)
    (tmp_path / "rooms/train.txt").write_text("\n".join(names[:2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_commands(page, text, desk, request):
    for command, *args in commands(text):
        if REPLICA in args:
            room = request.getfixturevalue("shared") / "data/replica_office0"
            args = [str(room) if arg == REPLICA else arg for arg in args]
        small = SMALL.get(command, "").split()
        if command == "export" and torch.__version__ < OLDEST_TORCH:
            continue
        if command == "serve":
            assert served_and_stopped([command, *args]) == INTERRUPTED
            continue
        if command == "train":
            # a second look at the same config starts anew; another config may build on the first one's weights
            names = [value for option, value in pairwise(args) if option == "--config"]
            outs = [config["run"]["out"] for name in names if "run" in (config := read_plain(desk / name))]
            shutil.rmtree(desk / outs[-1], ignore_errors=True)
            small += SMALLER.get(names[0], "").split()
        assert main([command, *args, *small]) == 0, f"{name_of(page)}: pamm {command} {shlex.join(args)}"


def check_printed(page, printed, shown):
    """What a page shows is what its code prints, numbers to 5 %, as arithmetic differs from machine to machine."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown), name_of(page)
    wanted = [float(number) for number in NUMBER.findall(shown)]
    assert [float(number) for number in NUMBER.findall(printed)] == pytest.approx(wanted, rel=0.05, abs=0.05)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_a_page_runs_from_top_to_bottom(page, desk, request, capsys):
    if page.stem == "export" and torch.__version__ < OLDEST_TORCH:
        pytest.skip("this torch cannot trace networks")
    names, printed = {"__name__": "__main__"}, ""
    for block in blocks(page):
        if block.language == "bash":
            run_commands(page, block.text, desk, request)
        elif block.language == "python":
            capsys.readouterr()
            exec(compile(block.text, name_of(page), "exec"), names)
            printed = capsys.readouterr().out
        elif block.language == "text" and block.lead == "prints":
            check_printed(page, printed, block.text)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_files(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_are_there(page):
    for script in re.findall(r"\bpython ((?:benchmarks|tests)/\S+\.py)", page.read_text()):
        assert (ROOT / script).is_file(), f"{name_of(page)} names {script}"


@pytest.mark.parametrize("target", ["demo", "docs", "test"])
def test_make_targets_exist(target):
    readme = (ROOT / "README.md").read_text()
    assert f"make {target}" in readme
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
