"""The compiled scan under GCC's sanitizers: it uses no memory but its own and does nothing that C leaves undefined."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FLAGS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-g",
    "-O1",
    # The same reads and writes, but in functions that are called: inlined they take six times as long to compile.
    "-Dalways_inline=unused",
)
OPTIONS = {
    "ASAN_OPTIONS": ":".join(
        (
            # Python itself frees some of its memory only by exiting
            "detect_leaks=0",
            # fresh memory is full of NaNs, in every dtype: what is used or returned unwritten shows in the results
            "malloc_fill_byte=255",
            "max_malloc_fill_size=1000000000",
            # a scan of a million positions finds no memory
            "max_allocation_size_mb=100",
            "allocator_may_return_null=1",
        )
    ),
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@pytest.fixture
def runtime() -> str:
    """GCC's library for address errors."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no compiler {compiler[0]!r}")
    version, library = (
        subprocess.run([*compiler, option], capture_output=True, text=True).stdout.strip()
        for option in ("--version", "-print-file-name=libasan.so")
    )
    if "clang" in version or not Path(library).is_file() or Path(library).read_bytes()[:4] != b"\x7fELF":
        pytest.skip(f"the compiler {compiler[0]!r} is not GCC with its libasan")
    return library


def test_no_error_of_memory_and_no_undefined_behaviour(root, tmp_path, runtime, monkeypatch):
    monkeypatch.syspath_prepend(root)
    import hatch_build

    library = tmp_path / "libpamm_scan.so"
    hatch_build.build(root, target=library, flags=FLAGS)
    script = Path(__file__).with_name("sanitized_calls.py")
    environment = {**os.environ, **OPTIONS, "LD_PRELOAD": runtime}
    ran = subprocess.run(
        [sys.executable, script, library], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.stdout == "all calls came back\n", ran.stderr
    assert ran.returncode != 0, "the last call, which reads beyond a tensor, was not noticed"
    assert "AddressSanitizer: heap-buffer-overflow" in ran.stderr, ran.stderr
