"""ONNX: the protobuf alone; no graph is run, and no external data is fetched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from detector.evidence.weights.architecture import (
    MAX_LAYERS,
    Architecture,
    Layer,
    Port,
    UnreadableError,
    cut,
    shape_text,
)

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 1024 * 1024 * 1024
_WHOLE = frozenset({"INT32", "INT64", "UINT32", "UINT64", "BOOL", "STRING"})
"""Types of shapes, indices and names: these constants steer the graph and were not learned."""


def read(path: Path) -> Architecture:
    """Return what an ONNX file tells.

    Raises:
        UnreadableError: it is none, it is too large, or the package that reads it is not there.
        OSError: it cannot be read.
    """
    try:
        import onnx
    except ImportError as error:
        raise UnreadableError("the package onnx is not installed: pip install 'inversion-detector[weights]'") from error
    if path.stat().st_size > _MOST_BYTES:
        raise UnreadableError(f"it is larger than {_MOST_BYTES:,} bytes")
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise UnreadableError("it is not an ONNX model") from error
    graph = model.graph
    held = {one.name: one for one in graph.initializer}
    layers = [_layer(onnx, node, held) for node in graph.node[:MAX_LAYERS]]
    learned = sum(_learned(onnx, one) for one in graph.initializer)
    learned += sum(_of_attributes(onnx, node) for node in graph.node)
    version = cut(f"{model.producer_name} {model.producer_version}".strip())
    external = [one.name for one in graph.initializer if one.data_location == onnx.TensorProto.EXTERNAL]
    return Architecture(
        framework=version,
        layers=tuple(layers),
        layer_count=len(graph.node),
        parameters=learned,
        inputs=tuple(_port(onnx, one) for one in graph.input if one.name not in held),
        outputs=tuple(_port(onnx, one) for one in graph.output),
        notes=_notes(model),
        warnings=(f"{len(external):,} arrays lie in other files, which were not hashed.",) if external else (),
    )


def _notes(model: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - protobuf
    sets = ", ".join(f"{one.domain or 'ai.onnx'} {one.version}" for one in model.opset_import)
    return ("ONNX format", f"IR {model.ir_version}; operators {cut(sets)}"), ("Graph", cut(model.graph.name) or "—")


def _layer(onnx: Any, node: Any, held: dict[str, Any]) -> Layer:  # noqa: ANN401
    arrays = [held[name] for name in node.input if name in held]
    learned = sum(_learned(onnx, one) for one in arrays) + _of_attributes(onnx, node)
    shapes = [shape_text(one.dims) for one in arrays if _learned(onnx, one)]
    return Layer(cut(node.name or "—"), cut(node.op_type), "; ".join(shapes[:4]), learned)


def _learned(onnx: Any, tensor: Any) -> int:  # noqa: ANN401
    names = onnx.TensorProto.DataType
    kind = names.Name(tensor.data_type) if tensor.data_type in names.values() else ""
    return 0 if kind in _WHOLE or min(tensor.dims, default=1) < 0 else math.prod(tensor.dims)


def _of_attributes(onnx: Any, node: Any) -> int:  # noqa: ANN401
    """Return the numbers that lie in a node's attributes, as those of trees and linear models do."""
    tensors = sum(_learned(onnx, one.t) for one in node.attribute if one.type == onnx.AttributeProto.TENSOR)
    return tensors + sum(len(one.floats) for one in node.attribute)


def _port(onnx: Any, value: Any) -> Port:  # noqa: ANN401
    tensor = value.type.tensor_type
    names = onnx.TensorProto.DataType
    kind = names.Name(tensor.elem_type).lower() if tensor.elem_type in names.values() else "other"
    places = [one.dim_value if one.HasField("dim_value") else one.dim_param for one in tensor.shape.dim]
    return Port(cut(value.name), kind, shape_text(places))
