"""``pamm export``."""

from pathlib import Path

from rich.table import Table

from pamm.cli.console import console
from pamm.engine.export.export import Format, export
from pamm.engine.export.onnx_file import Precision


def export_command(
    *,
    out: Path,
    weights: str = "pamm-tiny-scenes",
    format: Format | None = None,
    image_size: tuple[int, int] | None = None,
    decode: bool = False,
    precision: Precision = "float32",
    fast: bool = False,
) -> int:
    """Write a network to a file that runs without this package, once its numbers are compared.

    Args:
        out: file to write, `.pt2` or `.onnx` (`-o` for short).
        weights: a shipped name, a folder of weights, or a hub name.
        format: `torch` for a program of torch.export, or `onnx`; by default as the suffix says.
        image_size: the only height and width the file takes, `[480, 640]`; any multiples of the patch if left out.
        decode: put out maps (classes, probabilities, metres, unit vectors) instead of raw values.
        precision: `float32`, or for ONNX `fp16` or `int8`, numbers that weights are stored in.
        fast: keep this package's own scan in a torch program, which then needs `import pamm.ops`.
    """
    with console.status("tracing, writing and comparing: a minute or so"):
        done = export(weights, out, format=format, image_size=image_size, decode=decode, precision=precision, fast=fast)
    sizes = ", ".join(f"{batch}×3×{height}×{width}" for batch, height, width in done.sizes)
    table = Table("task", title=f"largest difference from the network at {sizes}")
    for column in ("absolute", "of the largest value"):
        table.add_column(column, justify="right")
    for name, difference in done.differences.items():
        table.add_row(name, f"{difference.absolute:.1e}", f"{difference.relative:.1e}")
    console.print(table)
    console.print(f"{done.out}: {done.format}, {done.bytes / 1e6:.1f} MB", soft_wrap=True)
    return 0
