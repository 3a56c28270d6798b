"""ONNX: from a traced graph to a file, running it, and smaller weights."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from pamm.engine.export.compare import Runner
from pamm.engine.export.network import tracing_any_size

OPSET = 20
"""Version of ONNX's operators; files were tried with onnxruntime 1.19, the oldest of the extra ``export``, too."""
Precision = Literal["float32", "fp16", "int8"]
MATRIX = ["MatMul", "Gemm"]
"""Operators that multiply matrices."""
SMALL = 1024
"""Tensors with fewer numbers keep their precision."""


def check_installed() -> None:
    """Look for what ONNX files need.

    Raises:
        ModuleNotFoundError: naming the extra, if something is not installed.
    """
    for name in ("onnx", "onnxruntime", "onnxscript"):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"{name} is not installed: pip install 'pamm[export]'")


def write_onnx(program: ExportedProgram, path: Path, tasks: list[str], metadata: Mapping[str, Any]) -> None:
    """Write a traced graph as ONNX.

    Args:
        program: the graph.
        path: file to write; weights of 2 GB and more go into a second file beside it, ``<name>.data``.
        tasks: names of the outputs.
        metadata: plain values to write into it, each as JSON.
    """
    import onnx_ir

    with _quiet(), tracing_any_size():
        written = torch.onnx.export(
            program, (), dynamo=True, opset_version=OPSET, input_names=["image"], output_names=tasks, verbose=False
        )
    assert written is not None
    model = written.model
    graph = model.graph
    for value in (*graph.inputs, *graph.outputs):
        assert value.shape is not None
        names = {0: "batch", value.shape.rank() - 2: "height", value.shape.rank() - 1: "width"}
        value.shape = onnx_ir.Shape(
            names.get(axis, size) if isinstance(size, onnx_ir.SymbolicDim) else size
            for axis, size in enumerate(value.shape)
        )
    model.metadata_props.update({name: json.dumps(value, ensure_ascii=False) for name, value in metadata.items()})
    for node in model.graph.all_nodes():
        node.metadata_props.clear()  # lines of code, with the paths of this machine
    written.save(path)


def second_file(path: Path) -> Path:
    """Where weights of 2 GB and more are, which a file of ONNX cannot hold."""
    return path.with_name(f"{path.name}.data")


def run_onnx(path: Path) -> Runner:
    """Runs a file in onnxruntime, on as many threads as PyTorch has."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(image: Tensor) -> dict[str, Tensor]:
        found = session.run(None, {"image": image.numpy()})
        return {name: torch.from_numpy(values) for name, values in zip(names, found, strict=True)}

    return run


def lower_precision(path: Path, precision: Precision) -> None:
    """Store the weights of a file in fewer bits, in place.

    Args:
        path: the ONNX file.
        precision: ``fp16`` halves what is stored, and computes in float32 as before; ``int8`` stores and multiplies
            matrices of 8-bit numbers, and rounds what they are multiplied with in each call.

    Raises:
        ValueError: if a weight is too large for float16.
    """
    import onnx

    model = onnx.load(path)
    metadata = {item.key: item.value for item in model.metadata_props} | {"precision": json.dumps(precision)}
    if precision == "fp16":
        _halve(model)
        onnx.save(model, path)
    else:
        from onnxruntime.quantization import (  # type: ignore[import-untyped]
            QuantType,
            quantize_dynamic,
        )

        # onnxruntime has no product of stacks of 8-bit matrices
        flat = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
        nodes = [node.name for node in model.graph.node if node.op_type in MATRIX and flat & set(node.input)]
        with _quiet():
            quantize_dynamic(
                model,
                path,
                op_types_to_quantize=MATRIX,
                nodes_to_quantize=nodes,
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
    second_file(path).unlink(missing_ok=True)


def _halve(model: Any) -> None:  # noqa: ANN401  (onnx has no types of its own)
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALL:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name} holds numbers too large for float16: export it in float32")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' notes on what they do not need."""
    loggers = [logging.getLogger(name) for name in (None, "torch.onnx", "torch.onnx._internal.exporter._registration")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
