"""A model file from outside: its hash, its format by its first bytes, and what its format's reader tells."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from detector.evidence.weights import cards, headers, onnx_model, pickles
from detector.evidence.weights.architecture import Architecture, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from detector.evidence.weights.pickles import Scan

_HEAD = 64
_NAMES_READ = 10_000

SAFETENSORS = "safetensors"
ONNX = "ONNX"
SKOPS = "skops archive"
KERAS = "Keras archive"
PICKLE = "pickle: can run code when loaded, so it was never loaded"
TORCH = "PyTorch archive with a pickle: can run code when loaded, so it was never loaded"
SCRIPT = "TorchScript archive: holds code and pickles, so it was never loaded"
MLMODEL = "MLflow MLmodel"
CARD = "JSON description"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5 (Keras)"),
    (b"GGUF", "GGUF"),
    (b"\x93NUMPY", "NumPy array"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_PICKLE_PROTOCOLS = range(2, 6)
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".p", ".joblib"})
_READERS: Mapping[str, Callable[[Path], Architecture]] = {
    SAFETENSORS: headers.read_safetensors,
    ONNX: onnx_model.read,
    SKOPS: headers.read_skops,
    KERAS: headers.read_keras,
    CARD: cards.read_card,
}


@dataclass(frozen=True)
class WeightsFile:
    """A model file.

    Attributes:
        name: of the file.
        path: as the configuration names it.
        size_bytes: of the file.
        sha256: of its content.
        format: by its first bytes, and the names in it where it is an archive.
        architecture: what its reader tells, None where there is no reader, or it could not be read.
        unread: why it could not be read, None where it was or there is no reader.
        scan: what the opcodes of its pickles show, None where it holds none.
        beside: the model file that a description names, where it lies beside it.
    """

    name: str
    path: str
    size_bytes: int
    sha256: str
    format: str
    architecture: Architecture | None = None
    unread: str | None = None
    scan: Scan | None = None
    beside: WeightsFile | None = field(default=None)


def look_at(path: Path) -> WeightsFile:
    """Return what can be told of a model file without running anything in it.

    Raises:
        OSError: it cannot be read.
    """
    state = path.stat()
    return _looked_at(path, state.st_size, state.st_mtime_ns, deep=True)


@lru_cache(maxsize=16)
def _looked_at(path: Path, size: int, _changed: int, *, deep: bool) -> WeightsFile:
    """Return what a file tells; one of many gigabytes is read once for all incidents of a night."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        digest.update(head)
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    kind = _format(path, head)
    architecture, unread, beside = _read(path, kind, deep=deep)
    scanned = pickles.scan(path) if kind in {PICKLE, TORCH, SCRIPT} else None
    return WeightsFile(
        path.name, path.as_posix(), size, digest.hexdigest(), kind, architecture, unread, scanned, beside
    )


def _read(path: Path, kind: str, *, deep: bool) -> tuple[Architecture | None, str | None, WeightsFile | None]:
    try:
        if kind == MLMODEL:
            architecture, named = cards.read_mlmodel(path)
            return architecture, None, _beside(path, named) if deep else None
        return (_READERS[kind](path) if kind in _READERS else None), None, None
    except (UnreadableError, zipfile.BadZipFile, NotImplementedError) as reason:
        return None, str(reason), None


def _beside(path: Path, named: str | None) -> WeightsFile | None:
    """Return the model file that a description names, if it lies in the same folder or below it."""
    if named is None:
        return None
    folder = path.parent.resolve()
    try:
        file = (folder / named).resolve()
        if not file.is_relative_to(folder) or not file.is_file():
            return None
        state = file.stat()
        return _looked_at(file, state.st_size, state.st_mtime_ns, deep=False)
    except (OSError, ValueError):
        return None


def _format(path: Path, head: bytes) -> str:
    known = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if known is not None:
        return known
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if len(head) > 1 and head[0] == 0x80 and head[1] in _PICKLE_PROTOCOLS:
        return PICKLE
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    # An ONNX model begins with its IR version (field 1, a small number), then the producer's name (field 2).
    if len(head) > 2 and head[0] == 0x08 and head[1] < 0x20 and head[2] in {0x12, 0x1A, 0x3A, 0x42}:
        return ONNX
    return _description(path, head)


def _description(path: Path, head: bytes) -> str:
    """Return which kind of text describes a model; protocols of pickles before 2 are text, and end in a dot."""
    if path.name == "MLmodel" or b"flavors:" in head:
        return MLMODEL
    if head.lstrip().startswith(b"{"):
        return CARD
    return PICKLE if path.suffix in _PICKLE_SUFFIXES else "unknown"


def _archive(path: Path) -> str:
    """Return what kind of model an archive holds, by the names in it; nothing is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            paths = archive.namelist()[:_NAMES_READ]
    except (zipfile.BadZipFile, NotImplementedError):
        return "damaged zip archive"
    names = {name.rsplit("/", 1)[-1] for name in paths}
    if "schema.json" in names:
        return SKOPS
    if "model.weights.h5" in names:
        return KERAS
    if "data.pkl" in names:
        # A script's methods lie as text under code/; a plain state has none.
        return SCRIPT if any("/code/" in f"/{name}" for name in paths) else TORCH
    return "zip archive"
