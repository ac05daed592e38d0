"""The weights inside an ONNX file that torch exported."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmlt.errors import UserError

NAMELESS = '::'  # in the names of tensors that the exporter made: `onnx::MatMul_1966`


def read_onnx(path: Path) -> dict[str, Tensor]:
    """Tensors by the names that they have in torch, from an ONNX file; nothing of its graph is run.

    The exporter keeps the names of most weights. The matrix of a linear layer on tokens it transposes and calls after a
    number: here it is turned back and called after its layer, `encoder.layer.0.mlp.fc1.weight`. Any other tensor without a name
    goes by the operation that reads it and the place among what that reads, `embeddings.Reshape_1.0`.

    Args:
        path: of the file, whole: weights in files beside it are not looked for.

    Raises:
        UserError: the file is damaged, or the package onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper
    except ImportError as error:
        raise UserError(f"{path.name} is read by the package onnx, which is not here: pip install 'mmlt[export]'.") from error
    try:
        graph = onnx.load(path, load_external_data=False).graph
        found = {one.name: torch.from_numpy(np.array(numpy_helper.to_array(one))) for one in graph.initializer}
    except (DecodeError, OSError, ValueError, TypeError) as error:
        raise UserError(f'{path} is damaged or no ONNX file ({error}): get it again.') from error
    named = {name: value for name, value in found.items() if NAMELESS not in name}
    for node in graph.node:
        for place, name in enumerate(node.input):
            if NAMELESS not in name or name not in found:
                continue
            operation, value = _place(node.name), found[name]
            if node.op_type == 'MatMul' and place == 1 and value.dim() == 2:
                named[f'{operation.removesuffix(".MatMul")}.weight'] = value.t().contiguous()
            else:
                named[f'{operation}.{place}'] = value
    return named


def _place(operation: str) -> str:
    """`inner.0.MatMul` of `/inner/inner.0/MatMul`: a layer of a list repeats the list's name."""
    parts: list[str] = []
    for part in operation.strip('/').split('/'):
        if parts and part.startswith(f'{parts[-1]}.'):
            parts.pop()
        parts.append(part)
    return '.'.join(parts)
