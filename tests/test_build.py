"""Wheels: with the compiled scan where there is a compiler, without it where there is none."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT_FILES = ("Makefile", "constraints.txt", "hatch_build.py", "mkdocs.yml", "CITATION.cff", ".pre-commit-config.yaml")
LIBRARY = "pamm/ops/csrc/libpamm_scan.so"


def build(root: Path, out: Path, **environment: str) -> tuple[Path, str]:
    """The wheel, built from a copy of the sources, and what the build said."""
    checkout = out / "checkout"
    for name in ("src", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            checkout.mkdir(exist_ok=True)
            shutil.copy(source, checkout / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=checkout, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel, done.stdout + done.stderr


def sources(root: Path, *folders: str) -> set[str]:
    """Files of a checkout that are written by hand, from its root."""
    found = (path for folder in folders for path in (root / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix() for path in found if path.suffix != ".so" and "__pycache__" not in path.parts
    }


def test_without_a_compiler_the_install_goes_on_and_says_so(root, tmp_path):
    wheel, said = build(root, tmp_path, CC="/nonexistent/compiler")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert LIBRARY not in names
    # weights, lists, styles and scripts of pages: whatever lies in the package is in the wheel
    assert sources(root / "src", "pamm") <= names
    assert {name for name in names if not name.startswith(("pamm/", "pamm-"))} == set()
    assert "the fast scan was not built" in said
    assert "Install GCC 12 or newer, or Clang" in said


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="there is no C compiler")
def test_with_a_compiler_the_wheel_carries_the_scan(root, tmp_path):
    wheel, said = build(root, tmp_path, CFLAGS="-O0")  # ten times quicker
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl")
    assert LIBRARY in zipfile.ZipFile(wheel).namelist()
    assert "not built" not in said


def test_the_sdist_holds_what_the_checks_need(root, tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    wanted = sources(root, "src", "tests", "configs", "docs", "benchmarks", ".github")
    wanted |= {*ROOT_FILES, *(path.name for path in root.glob("*.md"))}
    assert wanted <= names
    assert not {name for name in names if name.endswith((".so", ".pyc"))}
