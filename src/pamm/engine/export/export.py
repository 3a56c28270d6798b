"""Export of a network to a file that runs without this package; nothing is written before its numbers are compared."""

import json
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch.export import ExportedProgram

from pamm.data.files import WriteError
from pamm.engine.export.compare import TOLERANCE, Difference, Runner, compare
from pamm.engine.export.network import ExportedNetwork, describe, trace
from pamm.engine.export.onnx_file import Precision, check_installed, lower_precision, run_onnx, second_file, write_onnx
from pamm.engine.weights import load_weights
from pamm.models import PAMM
from pamm.names import unknown_name
from pamm.ops.traced_orders import MOST_CELLS

Format = Literal["torch", "onnx"]
SUFFIXES: dict[str, Format] = {".pt2": "torch", ".onnx": "onnx"}
"""Formats by the suffix of their files."""
METADATA_FILE = "metadata.json"
"""Name under which a torch.export program holds what a program needs to know."""


@dataclass(frozen=True)
class Export:
    """What was written, and how it compares with the network."""

    out: Path
    """The file."""
    format: Format
    """What it is."""
    bytes: int
    """Its size, with that of a second file of weights if there is one."""
    sizes: list[tuple[int, int, int]]
    """Images, height and width of the batches that were compared."""
    differences: dict[str, Difference]
    """By task, the largest difference from the network over those batches."""


def export(
    weights: str | Path | PAMM,
    out: str | Path,
    *,
    format: Format | None = None,
    image_size: tuple[int, int] | None = None,
    decode: bool = False,
    precision: Precision = "float32",
    fast: bool = False,
) -> Export:
    """Write a network to a file that runs without this package.

    The file takes its name only if its outputs are the network's, to 1e-4 of the largest value, on batches of one and
    of several images, at sizes it was not traced with too.

    Args:
        weights: a shipped name, a folder of weights, a hub name, or a network, which stays as it is.
        out: file to write, ``.pt2`` or ``.onnx``; missing folders are made.
        format: ``torch``, a program of ``torch.export``, or ``onnx``; by default as the suffix of ``out`` says.
        image_size: the only height and width that the file takes; left out, any multiples of the patch size, of two
            patches and more. Some networks have fixed sizes only: see Raises.
        decode: whether outputs are maps (classes, probabilities, metres, unit vectors) instead of raw values, which can
            be enlarged before they are decoded.
        precision: ``float32``; for ONNX also ``fp16`` (weights stored in half the bits) and ``int8`` (weights of linear
            maps in a quarter). Their outputs differ; by how much is in the result.
        fast: whether a torch program keeps this package's scan, which is faster and needs ``import pamm.ops``.

    Returns:
        The file, and how it compares.

    Raises:
        ValueError: if the weights cannot be had, options do not fit together, the network cannot be traced (with the
            scan ``gilbert``, and with most backbones, only for one ``image_size``), its numbers differ or are not
            finite, or the file cannot be written.
        ModuleNotFoundError: if ONNX is asked for and the extra ``export`` is not installed.
    """
    out = Path(out)
    format = _format(out, format)
    if precision not in get_args(Precision):
        raise unknown_name("precision", precision, get_args(Precision))
    if format == "torch" and precision != "float32":
        raise ValueError(f"precision is {precision!r}, must be 'float32' for a torch program: export onnx")
    if format == "onnx":
        if fast:
            raise ValueError("fast keeps an operator of this package, which onnx does not know: leave it out")
        check_installed()
    if out.is_dir():
        raise ValueError(f"{out} is a folder: name the file to write, for example {out / f'network{_suffix(format)}'}")
    model = weights if isinstance(weights, PAMM) else load_weights(weights)
    image_size = _checked(image_size, model.config.patch_size)
    metadata = describe(model.config, image_size=image_size, decode=decode, precision="float32")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # beside the file, so that it can be moved there
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}-") as folder:
            path = Path(folder) / out.name
            program = trace(ExportedNetwork(model, decode=decode, fast=fast), image_size)
            run = _write(program, path, format, [task.name for task in model.config.tasks], metadata)
            sizes, differences = compare(run, model, image_size=image_size, decode=decode)
            worst = max(differences, key=lambda name: differences[name].relative)
            if differences[worst].relative > TOLERANCE:
                raise ValueError(
                    f"{worst} differs by {differences[worst].relative:.1e} of its largest value from the network, more "
                    f"than {TOLERANCE:.0e}: nothing was written"
                )
            if precision != "float32":
                lower_precision(path, precision)
                sizes, differences = compare(run_onnx(path), model, image_size=image_size, decode=decode)
            written = sorted(Path(folder).iterdir(), key=lambda part: part.name == out.name)
            size = sum(part.stat().st_size for part in written)
            for part in written:
                os.replace(part, out.parent / part.name)
            if format == "onnx" and len(written) == 1:
                second_file(out).unlink(missing_ok=True)  # of the file that was replaced
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(f"cannot write {out}: {reason}: make room, or choose a folder you may write to") from error
    return Export(out, format, size, sizes, differences)


def _write(
    program: ExportedProgram, path: Path, format: Format, tasks: list[str], metadata: Mapping[str, Any]
) -> Runner:
    """Write the file, and give what runs it."""
    if format == "onnx":
        write_onnx(program, path, tasks, metadata)
        return run_onnx(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on storages that weights share, all of which are whole
        torch.export.save(program, path, extra_files={METADATA_FILE: json.dumps(metadata, ensure_ascii=False)})
    runner: Runner = torch.export.load(path).module()
    return runner


def _format(out: Path, format: Format | None) -> Format:
    if format is None:
        if out.suffix not in SUFFIXES:
            raise ValueError(f"{out} has the suffix {out.suffix!r}: name it .pt2 or .onnx, or give a format")
        return SUFFIXES[out.suffix]
    if format not in SUFFIXES.values():
        raise unknown_name("format", format, SUFFIXES.values())
    if SUFFIXES.get(out.suffix, format) != format:
        raise ValueError(f"{out} has the suffix of another format than {format!r}: name it {_suffix(format)}")
    return format


def _suffix(format: Format) -> str:
    return next(suffix for suffix, name in SUFFIXES.items() if name == format)


def _checked(image_size: tuple[int, int] | None, patch: int) -> tuple[int, int] | None:
    if image_size is None:
        return None
    if not isinstance(image_size, Sequence) or [type(side) for side in image_size] != [int, int]:
        raise ValueError(f"image_size is {image_size!r}, must be two whole numbers, height and width")
    height, width = image_size
    if any(side < patch or side % patch for side in (height, width)):
        raise ValueError(f"image_size is {height}×{width}, must be multiples of the patch size {patch}")
    if max(height, width) > patch * MOST_CELLS:
        raise ValueError(f"image_size is {height}×{width}, must be at most {patch * MOST_CELLS}, {MOST_CELLS} patches")
    return height, width
