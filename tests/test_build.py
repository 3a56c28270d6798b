"""Wheels: with the compiled scan where there is a compiler, without it where there is none."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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


def test_without_a_compiler_the_install_goes_on_and_says_so(root, tmp_path):
    wheel, said = build(root, tmp_path, CC="/nonexistent/compiler")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert LIBRARY not in zipfile.ZipFile(wheel).namelist()
    assert "the fast scan was not built" in said
    assert "Install GCC 12 or newer, or Clang" in said


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="there is no C compiler")
def test_with_a_compiler_the_wheel_carries_the_scan(root, tmp_path):
    wheel, said = build(root, tmp_path, CFLAGS="-O0")  # ten times quicker
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl")
    assert LIBRARY in zipfile.ZipFile(wheel).namelist()
    assert "not built" not in said
