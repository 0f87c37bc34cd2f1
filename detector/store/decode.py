"""From the bytes that the store keeps of inputs and probabilities back to matrices, a column at a time."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.model import InputKind, ProbabilityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_FLOAT = np.dtype("<f4")
_PAIR = np.dtype([("code", "<u4"), ("value", "<f4")])


@dataclass(frozen=True)
class Probabilities:
    """The class probabilities of some queries.

    Attributes:
        values: float32, a row a query and a column a class; NaN where the answer did not hold that class.
        classes: the columns' names.
    """

    values: NDArray[np.float32]
    classes: tuple[str, ...]


def probability_matrix(
    kinds: object, blobs: object, names: Mapping[int, str], positions: Mapping[int, str] | None = None
) -> Probabilities:
    """Decode the columns `probability_kind` and `probabilities`.

    Positional and named answers of one model share columns where their class names agree.

    Args:
        kinds: a `ProbabilityKind` a row (Arrow or NumPy).
        blobs: the stored bytes (Arrow binary), null where there is none.
        names: class code to name, from the table `model_class`.
        positions: position to name, see `position_names`; without it a position is called by its number.
    """
    kind, values = _as_ints(kinds), _as_binary(blobs)
    listed = _positional(values, kind == ProbabilityKind.POSITIONS)
    spelled, codes = _named(values, kind == ProbabilityKind.NAMED)
    columns = _distinct([(positions or {}).get(i, str(i)) for i in range(listed.shape[1])])
    order = {name: i for i, name in enumerate(columns)}
    for code in codes:
        order.setdefault(names.get(int(code), f"code {code}"), len(order))
    matrix = np.full((len(kind), len(order)), np.nan, dtype=np.float32)
    matrix[:, : listed.shape[1]] = listed
    rows = np.flatnonzero(kind == ProbabilityKind.NAMED)
    for i, code in enumerate(codes):
        matrix[rows, order[names.get(int(code), f"code {code}")]] = spelled[rows, i]
    return Probabilities(matrix, tuple(order))


def position_names(kinds: object, blobs: object, labels: object) -> dict[int, str]:
    """Return the class name of each position: the label that goes with its maximum most often.

    Positions that never held the maximum are left out, unless every known position is called by its own number.
    Give it rows of many clients: one that climbs towards a class shows that class alone.
    """
    values = _positional(_as_binary(blobs), _as_ints(kinds) == ProbabilityKind.POSITIONS)
    if not values.shape[1]:
        return {}
    text = _as_text(labels)
    filled = np.where(np.isnan(values), -np.inf, values)
    best = filled.argmax(axis=1)
    single = (filled == filled.max(axis=1, keepdims=True)).sum(axis=1) == 1
    rows = np.flatnonzero(single & np.array([label is not None for label in text]))
    votes = Counter((int(best[row]), str(text[row])) for row in rows)
    chosen: dict[int, str] = {}
    for (position, label), _ in sorted(votes.items(), key=lambda item: (-item[1], item[0])):
        if position not in chosen and label not in chosen.values():
            chosen[position] = label
    if chosen and all(label == str(position) for position, label in chosen.items()):
        return {position: str(position) for position in range(values.shape[1])}
    return dict(sorted(chosen.items()))


def vector_dimension(kinds: object, blobs: object) -> int:
    """Return the commonest number of values among the vector inputs, 0 where there are none."""
    kept = _as_binary(blobs).filter(pa.array(_as_ints(kinds) == InputKind.VECTOR))
    lengths = pc.value_counts(pc.drop_null(pc.binary_length(kept))).to_pylist()
    if not lengths:
        return 0
    return int(max(lengths, key=lambda entry: (entry["counts"], entry["values"]))["values"]) // _FLOAT.itemsize


def input_matrix(blobs: object, dimension: int) -> NDArray[np.float32]:
    """Decode vector inputs into a float32 matrix; a row of another length, or without input, is NaN throughout."""
    values = _as_binary(blobs)
    wanted = _lengths(values) == dimension * _FLOAT.itemsize
    if dimension and len(values) and wanted.all():
        return _flat(values, wanted, _FLOAT).reshape(-1, dimension).astype(np.float32)
    matrix = np.full((len(values), dimension), np.nan, dtype=np.float32)
    if dimension and wanted.any():
        matrix[wanted] = _flat(values, wanted, _FLOAT).reshape(-1, dimension)
    return matrix


def records(blobs: object) -> list[dict[str, Any] | None]:
    """Decode record inputs (canonical JSON); None where there is none, or what is there is not an object."""
    return [record(value) for value in _as_binary(blobs).to_pylist()]


def texts(blobs: object) -> list[str | None]:
    """Decode text inputs; None where there is none."""
    return [None if value is None else text(value) for value in _as_binary(blobs).to_pylist()]


def text(value: bytes) -> str:
    """Decode one text input, as it was sent."""
    return value.decode("utf-8", "replace")


def record(value: bytes | None) -> dict[str, Any] | None:
    """Decode one record input (canonical JSON); None where there is none, or it is not an object."""
    if value is None:
        return None
    try:
        loaded = json.loads(value)
    except ValueError:
        return None
    return loaded if isinstance(loaded, dict) else None


def _positional(values: Any, rows: NDArray[np.bool_]) -> NDArray[np.float32]:  # noqa: ANN401 - Arrow has no types
    lengths = _lengths(values)
    usable = rows & (lengths > 0) & (lengths % _FLOAT.itemsize == 0)
    counts = lengths[usable] // _FLOAT.itemsize
    matrix = np.full((len(rows), int(counts.max(initial=0))), np.nan, dtype=np.float32)
    if usable.any():
        row, column = _places(np.flatnonzero(usable), counts)
        matrix[row, column] = _flat(values, usable, _FLOAT)
    return matrix


def _named(values: Any, rows: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:  # noqa: ANN401
    lengths = _lengths(values)
    usable = rows & (lengths > 0) & (lengths % _PAIR.itemsize == 0)
    if not usable.any():
        return np.empty((len(rows), 0), dtype=np.float32), np.empty(0, dtype=np.uint32)
    pairs = _flat(values, usable, _PAIR)
    codes, column = np.unique(pairs["code"], return_inverse=True)
    matrix = np.full((len(rows), len(codes)), np.nan, dtype=np.float32)
    row, _ = _places(np.flatnonzero(usable), lengths[usable] // _PAIR.itemsize)
    matrix[row, column] = pairs["value"]
    return matrix, codes


def _places(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for values laid end to end, the row of each and its place within that row."""
    starts = np.cumsum(counts) - counts
    return np.repeat(rows, counts), np.arange(int(counts.sum())) - np.repeat(starts, counts)


def _flat(values: Any, rows: NDArray[np.bool_], dtype: np.dtype[Any]) -> NDArray[Any]:  # noqa: ANN401
    """Return the bytes of `rows` as one array: filtering first makes them adjoin, whatever lies between."""
    kept = values if rows.all() else values.filter(pa.array(rows))
    _, offsets, data = kept.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64)[kept.offset : kept.offset + len(kept) + 1]
    return np.frombuffer(memoryview(data)[bounds[0] : bounds[-1]], dtype=dtype)


def _lengths(values: Any) -> NDArray[np.int64]:  # noqa: ANN401
    lengths = pc.fill_null(pc.binary_length(values), -1)
    return np.asarray(lengths, dtype=np.int64)


def _as_binary(blobs: object) -> Any:  # noqa: ANN401
    """Return one Arrow array with 64-bit offsets, so that a night of inputs fits."""
    array = blobs if isinstance(blobs, (pa.Array, pa.ChunkedArray)) else pa.array(blobs, pa.large_binary())
    array = array.cast(pa.large_binary())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _as_ints(kinds: object) -> NDArray[np.int64]:
    if isinstance(kinds, (pa.Array, pa.ChunkedArray)):
        kinds = pc.fill_null(kinds, 0)
    return np.asarray(kinds, dtype=np.int64)


def _as_text(labels: object) -> list[str | None]:
    listed: list[str | None] = (
        labels.to_pylist() if isinstance(labels, (pa.Array, pa.ChunkedArray)) else list(_iterable(labels))
    )
    return listed


def _iterable(labels: object) -> Iterable[Any]:
    if isinstance(labels, (list, tuple, np.ndarray)):
        return labels
    raise TypeError(f"labels of type {type(labels).__name__} cannot be read")


def _distinct(names: list[str]) -> list[str]:
    """Return `names` with those that repeat an earlier one told apart by their position."""
    seen: set[str] = set()
    result = []
    for i, name in enumerate(names):
        unique = name if name not in seen else f"{name} (position {i})"
        seen.add(unique)
        result.append(unique)
    return result
