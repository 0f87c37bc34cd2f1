"""Stored queries for the tests, as a scan reads them: nulls are sentinels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from feature_making import SECOND, START, answers

from detector.model import InputKind, ProbabilityKind
from detector.store.scanning import NO_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

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


def climb(rows: int, seed: int = 0, start: float = 4.0) -> NDArray[np.float32]:
    """Return what a (1 + 1) search asks: the best so far and a step, each fifth step a better one."""
    rng = np.random.default_rng(seed)
    best = start * rng.normal(size=8)
    asked = []
    for number in range(rows):
        candidate = best + 0.3 * rng.normal(size=8)
        asked.append(candidate)
        if number % 5 == 0:
            best = candidate
    return np.array(asked, dtype=np.float32)


def sent(view: NDArray[np.float32], names: list[str], *, at: float = 0.0, every: float = 5.0) -> pa.Table:
    """Return queries of the clients named, one every few seconds from `at` hours on."""
    ts = START + (3600 * SECOND * at + SECOND * every * np.arange(len(view))).astype(np.int64)
    told = answers(view)
    parts = []
    for name in sorted(set(names)):
        mine = np.flatnonzero(np.array(names) == name)
        address = f"10.{sum(map(ord, name)) % 250}.{len(parts)}.1"
        labels = ["abc"[code] for code in told[mine].argmax(axis=1)]
        row = queries(view[mine], told[mine], labels=labels, client_id=name, source_ip=address, ts=ts[mine])
        # Lines of their own, so that no two queries are the same place in the file.
        lines = pa.array(mine + 100_000 * (sum(map(ord, name)) + int(1000 * at)))
        parts.append(row.set_column(row.schema.get_field_index("line"), "line", lines))
    return pa.concat_tables(parts)
