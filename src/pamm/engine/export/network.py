"""The network as a graph: from an image of values in [0, 1] to its outputs, in operators that every runtime knows."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pamm.models import PAMM, PAMMConfig, fuse
from pamm.models.pame import PAMEBlock, Scan
from pamm.ops.standard_scan import standard_scan
from pamm.ops.traced_orders import MOST_CELLS, TRACED

OLDEST_TORCH = "2.13"
"""The oldest version that was tried."""
MOST_IMAGES = 1024
"""Most images of a batch."""
TRACED_BATCH = 2
"""Images of the batch that the graph is traced with."""
TRACED_GRID = (5, 7)
"""Rows and columns of patches that a graph for any size is traced with: no square, and no side a power of two."""


class StandardScan(Scan):
    """The selective scan on tokens, in standard operators."""

    def forward(
        self, x: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, bias: Tensor, orders: Tensor
    ) -> Tensor:
        """Scan; see :func:`pamm.ops.standard_scan.standard_scan`."""
        return standard_scan(x, delta, A, B, C, D, bias, orders)


class ExportedNetwork(nn.Module):
    """A network for predicting, with the normalisation before it and, if wanted, the decoding after it."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: PAMM, *, decode: bool = False, fast: bool = False) -> None:
        """Build the layer.

        Args:
            model: the network, unchanged: a fused copy serves.
            decode: whether outputs are classes, probabilities, metres and unit vectors instead of raw values.
            fast: whether the scan stays this package's own operator.
        """
        super().__init__()
        self.model = fuse(model).cpu()
        self.decode = decode
        config = model.config
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1))
        if not fast:
            for part in self.model.modules():
                if isinstance(part, PAMEBlock):
                    part.scan = StandardScan()
        self.eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Predict all maps.

        Args:
            image: (b, 3, H, W), red, green and blue in [0, 1], sides multiples of the patch size.

        Returns:
            By task name, raw values (b, channels, H, W) or, decoded, what :meth:`pamm.tasks.Task.decode` makes of them.
        """
        outputs: dict[str, Tensor] = self.model((image - self.mean) / self.std)
        if not self.decode:
            return outputs
        return {task.name: task.decode(outputs[task.name]) for task in self.model.config.tasks}


@torch.no_grad()
def trace(network: ExportedNetwork, image_size: tuple[int, int] | None) -> ExportedProgram:
    """Trace the graph, for batches of any size.

    Args:
        network: what to trace.
        image_size: height and width of the images; None leaves both open.

    Raises:
        ValueError: if the network cannot be traced for images of any size, or PyTorch is too old.
    """
    if torch.__version__ < OLDEST_TORCH:
        raise ValueError(
            f"torch {torch.__version__} is too old to trace this network: pip install 'torch>={OLDEST_TORCH}'"
        )
    config = network.model.config
    patch = config.patch_size
    axes: dict[int, Any] = {0: Dim("batch", min=1, max=MOST_IMAGES)}
    if image_size is None:
        if config.scan and config.scan_kind not in TRACED:
            raise ValueError(
                f"scan_kind {config.scan_kind!r} is drawn cell after cell, so a graph holds it for one size only: "
                "give an image_size"
            )
        rows, columns = (Dim(name, min=2, max=MOST_CELLS) for name in ("rows", "columns"))
        axes |= {2: patch * rows, 3: patch * columns}
        image_size = (patch * TRACED_GRID[0], patch * TRACED_GRID[1])
    try:
        image = torch.rand(TRACED_BATCH, 3, *image_size)
        with tracing_any_size():
            program = torch.export.export(network, (image,), dynamic_shapes=(axes,), strict=False)
    except Exception as error:
        # its exporter has errors of many classes, some with pages of text
        reason = " ".join(str(error).split())[:200]
        hint = "give an image_size" if len(axes) > 1 else "it has operations that torch.export does not know"
        raise ValueError(f"this {config.encoder} network cannot be exported ({reason}): {hint}") from error
    # notes on how the example lay in memory, which would refuse other batches; numbers are compared instead
    program._guards_code = []
    _forget_sources(program)
    return program


def _forget_sources(program: ExportedProgram) -> None:
    """Leave out what every operation notes about the lines of code it came from, with the paths of this machine."""
    for part in program.graph_module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                for note in ("stack_trace", "nn_module_stack", "source_fn_stack", "from_node"):
                    node.meta.pop(note, None)


@contextmanager
def tracing_any_size() -> Iterator[None]:
    """Let no size of 1 count as special while a graph is traced."""
    from torch.fx.experimental import _config

    with _config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        yield


def describe(config: PAMMConfig, *, image_size: tuple[int, int] | None, decode: bool, precision: str) -> dict[str, Any]:
    """All that a program needs to use a file: plain values, as they are written into it.

    Args:
        config: the network's.
        image_size: the only height and width it takes, or None.
        decode: whether its outputs are maps, or raw values.
        precision: numbers that its weights are stored in.
    """
    return {
        "pamm_version": version("pamm"),
        "input": "image: (batch, 3, height, width) float32, RGB in [0, 1]; it is normalised inside",
        "outputs": "maps" if decode else "raw",
        "mean": list(config.mean),
        "std": list(config.std),
        "patch_size": config.patch_size,
        "trained_size": list(config.image_size),
        "fixed_size": None if image_size is None else list(image_size),
        "precision": precision,
        "made_with": f"torch {torch.__version__}, Python {platform.python_version()}",
        "tasks": [task.to_dict() for task in config.tasks],
    }
