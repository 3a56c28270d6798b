"""Builds the C scan into the package, if there is a compiler; without one the package installs all the same."""

import functools
import os
import platform
import shlex
import subprocess
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("src/pamm/ops/csrc")
LIBRARY = SOURCES / "libpamm_scan.so"
FLAGS = ("-std=gnu11", "-fPIC", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden", "-Wno-psabi")
AVX2 = ("-mavx2", "-mfma", "-mf16c")
LEVELS = {
    "base": (),
    "avx2": AVX2,
    "avx512": (*AVX2, "-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw"),
}
"""Instruction sets, each built from the same source; all but the first are for x86-64 alone."""


class ScanBuildHook(BuildHookInterface[Any]):
    """Compiles the library before the files of a wheel, or of an editable install, are gathered."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library and mark the wheel as one for this platform, or warn and go on."""
        if self.target_name != "wheel":
            return
        try:
            build(Path(self.root))
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            self.app.display_warning(
                f"the fast scan was not built ({reason.strip().splitlines()[-1]}): pamm works without it, slower. "
                "Install GCC 12 or newer, or Clang, and install pamm again; the variable CC names another compiler."
            )
            return
        build_data["artifacts"].append(f"/{LIBRARY}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def build(root: Path, *, target: Path = LIBRARY, flags: Sequence[str] = ()) -> None:
    """Compile and link the library, with the compiler of the variable CC and the options of CFLAGS, if they are set.

    Args:
        root: the checkout.
        target: where to put the library, absolute or relative to the checkout.
        flags: more options for compiling and for linking; they win over those of the package.

    Raises:
        OSError: if there is no compiler.
        subprocess.CalledProcessError: if it fails; ``stderr`` says why.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    flags = (*flags, *shlex.split(os.environ.get("CFLAGS", "")))
    levels = LEVELS if platform.machine() in ("x86_64", "AMD64") else {"base": ()}
    target = root / target
    with tempfile.TemporaryDirectory() as folder:
        objects = [Path(folder) / "scan.o"]
        commands = [[*compiler, *FLAGS, "-O2", *flags, "-c", SOURCES / "scan.c", "-o", objects[0]]]
        for level, instructions in levels.items():
            # float64 serves tests and rare calls: not worth the time that -O3 takes
            for suffix, kind in (("", ("-O3",)), ("_wide", ("-O2", "-DPAMM_WIDE"))):
                objects.append(Path(folder) / f"{level}{suffix}.o")
                options = (*FLAGS, *instructions, *kind, f"-DPAMM_KERNEL=pamm_{level}{suffix}", *flags)
                commands.append([*compiler, *options, "-c", SOURCES / "scan_kernel.c", "-o", objects[-1]])
        linked = target.with_name(f"{target.name}.{os.getpid()}")
        run = functools.partial(subprocess.run, cwd=root, check=True, capture_output=True, text=True)
        try:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(run, commands))
            run([*compiler, "-shared", *flags, *objects, "-o", linked, "-lpthread", "-lm"])
            linked.replace(target)
        finally:
            linked.unlink(missing_ok=True)
