"""Safetensors by its header, skops and Keras archives by their descriptions: no array is read, no class imported."""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.evidence.weights.architecture import (
    MAX_LAYERS,
    MOST_TEXT,
    Architecture,
    Layer,
    UnreadableError,
    cut,
    read_json,
    shape_text,
    size_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LENGTH = 8
_MOST_NODES = 200_000
_NPY_HEAD = 16 * 1024
_USUAL = re.compile(r"(builtins|collections|numpy|scipy|sklearn)(\.|$)")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,30}")


def read_safetensors(path: Path) -> Architecture:
    """Return what the header of a safetensors file tells: its first eight bytes say how long it is.

    Raises:
        UnreadableError: there is no such header.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH), "little")
        if length > min(size - _LENGTH, MOST_TEXT):
            raise UnreadableError("its header is longer than the file")
        header = read_json(stream.read(length))
    if not isinstance(header, dict):
        raise UnreadableError("its header is no object")
    told = header.pop("__metadata__", {})
    groups: dict[str, list[tuple[str, Any]]] = {}
    for name, array in header.items():
        if not isinstance(array, dict):
            raise UnreadableError("its header names an array that is none")
        groups.setdefault(name.rpartition(".")[0] or name, []).append((name, array))
    layers = [_group(name, arrays) for name, arrays in groups.items()]
    notes = [(cut(key), cut(value)) for key, value in told.items()] if isinstance(told, dict) else []
    return Architecture(
        framework={"pt": "PyTorch", "tf": "TensorFlow", "flax": "Flax"}.get(dict(notes).get("format", ""), ""),
        layers=tuple(layers[:MAX_LAYERS]),
        layer_count=len(layers),
        parameters=sum(one.parameters or 0 for one in layers),
        notes=tuple(notes[:20]),
    )


def _group(name: str, arrays: list[tuple[str, Any]]) -> Layer:
    kinds = sorted({cut(array.get("dtype", "?")) for _, array in arrays})
    shapes = [f"{cut(own.rpartition('.')[2])} {shape_text(array.get('shape') or ())}" for own, array in arrays]
    total = sum(size_of(array.get("shape")) for _, array in arrays)
    return Layer(cut(name), ", ".join(kinds), "; ".join(shapes[:4]), total)


def read_skops(path: Path) -> Architecture:
    """Return what a skops archive tells: the classes in its schema, and the shapes of its arrays.

    Raises:
        UnreadableError: it has no schema.
        OSError: it cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        schema = read_json(member(archive, "schema.json"))
        nodes = list(_nodes(schema))
        shapes = {info.filename: _npy_shape(archive, info) for info in archive.infolist()[:_MOST_NODES]}
    classes = [
        node for node in nodes if isinstance(node.get("__class__"), str) and node.get("__loader__") == "ObjectNode"
    ]
    layers = [_object(node, shapes) for node in classes]
    types = {f"{node.get('__module__')}.{node.get('__class__')}" for node in nodes if node.get("__class__")}
    unusual = sorted(cut(one) for one in types if not _USUAL.match(one))
    held = [places for places in shapes.values() if places is not None]
    told = (f"It names types that are not of scikit-learn or NumPy: {', '.join(unusual[:10])}.",) if unusual else ()
    return Architecture(
        framework=_sklearn(nodes),
        layers=tuple(layers[:MAX_LAYERS]),
        layer_count=len(layers),
        parameters=sum(size_of(places) for places in held),
        notes=(("skops", cut(schema.get("_skops_version", "—"))),) if isinstance(schema, dict) else (),
        warnings=told,
    )


def _object(node: dict[str, Any], shapes: dict[str, tuple[int, ...] | None]) -> Layer:
    found = []
    for own in _nodes(node.get("content")):
        places = shapes.get(str(own.get("file")))
        if places is not None:
            found.append(places)
    listed = "; ".join(shape_text(one) for one in found[:4])
    return Layer(cut(node["__class__"]), cut(node.get("__module__", "")), listed, sum(size_of(one) for one in found))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Yield the objects of a JSON document, at most so many, in order."""
    waiting, seen = [tree], 0
    while waiting and seen < _MOST_NODES:
        one = waiting.pop()
        seen += 1
        if isinstance(one, dict):
            yield one
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, list):
            waiting.extend(reversed(one))


def _sklearn(nodes: list[dict[str, Any]]) -> str:
    for node in nodes:
        own = node.get("_sklearn_version")
        if isinstance(own, dict) and (found := _VERSION.search(str(own.get("content", "")))):
            return f"scikit-learn {found[0]}"
    return "scikit-learn" if any(str(node.get("__module__", "")).startswith("sklearn") for node in nodes) else ""


def _npy_shape(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[int, ...] | None:
    """Return the shape of an array by its header, None for what is no array of numbers."""
    if not info.filename.endswith(".npy"):
        return None
    try:
        with archive.open(info) as stream:
            head = io.BytesIO(stream.read(_NPY_HEAD))
        first, _ = np.lib.format.read_magic(head)
        reader = np.lib.format.read_array_header_1_0 if first == 1 else np.lib.format.read_array_header_2_0
        places, _, kind = reader(head)
    except (ValueError, OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None
    return places if kind.kind == "f" else None


def read_keras(path: Path) -> Architecture:
    """Return what the configuration in a Keras archive tells; layers that hold code are pointed out.

    Raises:
        UnreadableError: it has no configuration.
        OSError: it cannot be read.
    """
    with zipfile.ZipFile(path) as archive:
        config = read_json(member(archive, "config.json"))
        told = read_json(member(archive, "metadata.json")) if "metadata.json" in archive.namelist() else {}
    nodes = [node for node in _nodes(config) if isinstance(node.get("class_name"), str) and "config" in node]
    layers = [_keras_layer(node) for node in nodes if str(node.get("module", "keras.layers")).endswith("layers")]
    code = [one.name for one in layers if one.kind == "Lambda"]
    version = told.get("keras_version", "") if isinstance(told, dict) else ""
    return Architecture(
        framework=f"Keras {cut(version)}".strip(),
        layers=tuple(layers[:MAX_LAYERS]),
        layer_count=len(layers),
        warnings=(f"Lambda layers hold code that runs when loaded: {', '.join(code[:10])}.",) if code else (),
    )


def _keras_layer(node: dict[str, Any]) -> Layer:
    own = node["config"] if isinstance(node["config"], dict) else {}
    shape = own.get("batch_shape") or own.get("units") or own.get("filters") or ""
    listed = shape_text(shape) if isinstance(shape, list) else cut(shape)
    return Layer(cut(own.get("name", "—")), cut(node["class_name"]), listed, None)


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a description within an archive, wherever it lies.

    Raises:
        UnreadableError: it is not there, damaged, or too long.
    """
    found = next((one for one in archive.infolist() if one.filename.rsplit("/", 1)[-1] == name), None)
    if found is None:
        raise UnreadableError(f"it holds no {name}")
    try:
        with archive.open(found) as stream:
            # What a member claims to be long is a claim: a small archive can unfold without end.
            data = stream.read(MOST_TEXT + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise UnreadableError(f"its {name} is damaged") from error
    if len(data) > MOST_TEXT:
        raise UnreadableError(f"its {name} is longer than {MOST_TEXT:,} bytes")
    return data
