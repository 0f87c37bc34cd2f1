"""Stored queries for the tests, as a scan reads them: nulls are sentinels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from feature_making import SECOND, START

from detector.model import InputKind, ProbabilityKind
from detector.store.scanning import NO_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

_TYPES = {
    "ts": pa.int64(), "file_id": pa.int64(), "line": pa.int64(), "row_index": pa.int64(), "key_lo": pa.int64(),
    "client_id": pa.string(), "source_ip": pa.string(), "operation": pa.string(), "params": pa.string(),
    "label": pa.string(), "status": pa.int64(), "confidence": pa.float64(), "scored": pa.int64(),
    "input_kind": pa.int64(), "input": pa.binary(), "input_hash": pa.int64(), "probability_kind": pa.int64(),
    "probabilities": pa.binary(), "flags": pa.int64(),
}  # fmt: skip
_DEFAULTS: dict[str, Any] = {
    "file_id": 1, "row_index": 0, "client_id": "alice", "source_ip": "", "operation": "predict", "params": "",
    "label": "", "status": -1, "confidence": NO_NUMBER, "scored": -1, "input_kind": 0, "input": b"", "input_hash": 0,
    "probability_kind": 0, "probabilities": b"", "flags": 0,
}  # fmt: skip


def blob_of(value: object) -> tuple[InputKind, bytes]:
    """Return an input's kind and bytes as the store keeps them."""
    if value is None:
        return InputKind.NONE, b""
    if isinstance(value, str):
        return InputKind.TEXT, value.encode()
    if isinstance(value, dict):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return InputKind.RECORD, text.encode()
    return InputKind.VECTOR, np.asarray(value, dtype="<f4").tobytes()


def queries(
    inputs: Iterable[object],
    probabilities: ArrayLike | None = None,
    *,
    labels: Sequence[str] | None = None,
    first: int = 0,
    **columns: Any,
) -> pa.Table:
    """Return one query an input, a second apart; `first` numbers the first of them."""
    kinds, blobs = zip(*(blob_of(value) for value in inputs), strict=True)
    rows = len(blobs)
    number = first + np.arange(rows)
    filled = dict.fromkeys(_DEFAULTS) | {name: columns.get(name, default) for name, default in _DEFAULTS.items()}
    filled |= {"ts": columns.get("ts", START + SECOND * number), "line": columns.get("line", number), "key_lo": number}
    filled |= {"input_kind": [int(kind) for kind in kinds], "input": list(blobs)}
    filled["input_hash"] = [hash_of(kind, blob) for kind, blob in zip(kinds, blobs, strict=True)]
    if labels is not None:
        filled["label"] = list(labels)
    if probabilities is not None:
        told = np.asarray(probabilities, dtype="<f4")
        filled["probability_kind"] = int(ProbabilityKind.POSITIONS)
        filled["probabilities"] = [row.tobytes() for row in told]
        filled["scored"] = 1
    return pa.table({name: _column(name, filled[name], rows) for name in _TYPES})


def hash_of(kind: InputKind, blob: bytes) -> int:
    """Return a hash of an input that is the same in every run; 0 where there is none."""
    from detector.hashing import text_hash

    return text_hash(blob.hex()) if kind else 0


def _column(name: str, value: Any, rows: int) -> pa.Array:
    is_one = isinstance(value, str | bytes | int | float)
    return pa.array([value] * rows if is_one else list(value), _TYPES[name])


def shuffled(table: pa.Table, seed: int = 0) -> pa.Table:
    """Return the rows in another order."""
    return table.take(pa.array(np.random.default_rng(seed).permutation(table.num_rows)))
