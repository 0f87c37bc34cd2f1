"""Inputs of any shape to the bytes that the store keeps, a hash of the exact values beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.ingest.arrays import any_in, byte_ranges, counted, list_parts, packed, scattered, strings, valid, whole
from detector.ingest.kernels.mixing import mix_ranges
from detector.ingest.kernels.shapes import canonical_objects, even_shapes
from detector.ingest.lanes import PARSER
from detector.model import InputKind, RowFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_FLOAT_BYTES = 4
_DOUBLE_BYTES = 8
_SHAPES = """
SELECT rec, json_type(line) AS shape,
    CASE WHEN json_type(line) IN ('ARRAY', 'OBJECT') THEN from_json(line, '["DOUBLE"]')
         WHEN json_type(line) <> 'VARCHAR' THEN from_json('[' || line || ']', '["DOUBLE"]') END AS numbers,
    line->>'$' AS shown,
    CASE WHEN json_type(line) = 'OBJECT' AND len(json_keys(line)) = 1 AND json_type((line->'$.*')[1]) = 'VARCHAR'
         THEN (line->>'$.*')[1] END AS wrapped
FROM block"""
_FLATTENED = """
SELECT rec, from_json('[' || replace(replace(line, '[', ''), ']', '') || ']', '["DOUBLE"]') AS numbers FROM block"""
# A list that mixes words and numbers is a record whose fields go by their position.
_BY_POSITION = """
SELECT rec, len(cells) - list_aggregate(cells, 'count') AS nulls,
    list_has_any(list_transform(cells, lambda c: json_type(c)), ['ARRAY', 'OBJECT']) AS nested,
    '{' || list_aggregate(list_transform(cells, lambda c, i: '"' || (i - 1) || '":' || coalesce(c::VARCHAR, 'null')),
        'string_agg', ',') || '}' AS record
FROM (SELECT rec, from_json(line, '["JSON"]') AS cells FROM block)"""


@dataclass(frozen=True)
class Inputs:
    """The inputs of n queries.

    Attributes:
        kind: int16, an `InputKind` each.
        blob: Arrow binary: little-endian float32, canonical JSON, or UTF-8; null where there is none.
        hash: Arrow int64, over the float64 values, or the bytes; null where there is none.
        flags: int32, `RowFlag`s.
    """

    kind: NDArray[np.int16]
    blob: Any
    hash: Any
    flags: NDArray[np.int32]


def read_inputs(lists: Any, texts: Any, as_kind: InputKind | None) -> Inputs:  # noqa: ANN401
    """Return the inputs.

    Args:
        lists: Arrow list of float64, where the fast lane read one.
        texts: Arrow string, compact JSON, where it did not; null with `lists` null is no input.
        as_kind: what the layout says that inputs are; None looks at them.
    """
    size = len(lists)
    lists, texts = whole(lists), whole(texts)
    vectors = np.flatnonzero(valid(lists))
    parts = [(vectors, _vectors(lists if len(vectors) == size else lists.take(pa.array(vectors)), as_kind))]
    rows = np.flatnonzero(valid(texts))
    if len(rows):
        parts += [(rows[at], part) for at, part in _shaped(texts.take(pa.array(rows)), as_kind)]
    return _joined(parts, size)


def _joined(parts: list[tuple[NDArray[np.int64], Inputs]], size: int) -> Inputs:
    kind, flags = np.zeros(size, np.int16), np.zeros(size, np.int32)
    for rows, part in parts:
        kind[rows], flags[rows] = part.kind, part.flags
    blobs = [scattered(rows, part.blob, size) for rows, part in parts if len(rows)]
    hashes = [scattered(rows, part.hash, size) for rows, part in parts if len(rows)]
    return Inputs(
        kind,
        pc.coalesce(*blobs) if blobs else pa.nulls(size, pa.binary()),
        pc.coalesce(*hashes) if hashes else pa.nulls(size, pa.int64()),
        flags,
    )


def _vectors(lists: Any, as_kind: InputKind | None) -> Inputs:  # noqa: ANN401
    values, start, end = list_parts(lists)
    doubles = np.ascontiguousarray(values.to_numpy(zero_copy_only=False), dtype="<f8")
    if len(start) and not (start[1:] == end[:-1]).all():
        places, offsets = packed(start, end)
        doubles, start, end = doubles[places], offsets[:-1], offsets[1:]
    with np.errstate(over="ignore", invalid="ignore"):
        floats = doubles.astype("<f4")
    first = int(start[0]) if len(start) else 0
    bounds = (np.append(start, end[-1]) if len(start) else np.zeros(1, np.int64)) - first
    blob = strings(floats[first:].view(np.uint8), bounds * _FLOAT_BYTES, pa.binary())
    odd = any_in(~np.isfinite(floats), start, end)
    kind = InputKind.EMBEDDING if as_kind is InputKind.EMBEDDING else InputKind.VECTOR
    digests = mix_ranges(_octets(doubles), start * _DOUBLE_BYTES, end * _DOUBLE_BYTES)
    return Inputs(
        np.full(len(start), kind, np.int16),
        blob,
        pa.array(digests),
        np.where(odd, RowFlag.NON_FINITE, 0).astype(np.int32),
    )


def _octets(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return values.view(np.uint8) if len(values) else np.zeros(1, np.uint8)


def _written(texts: Any, kind: InputKind) -> Inputs:  # noqa: ANN401
    """Return inputs whose bytes are those of `texts`."""
    data, start, end = byte_ranges(texts)
    digests = mix_ranges(data, start, end)
    size = len(texts)
    return Inputs(np.full(size, kind, np.int16), texts.cast(pa.binary()), pa.array(digests), np.zeros(size, np.int32))


def _nothing(size: int, flag: RowFlag) -> Inputs:
    return Inputs(
        np.zeros(size, np.int16), pa.nulls(size, pa.binary()), pa.nulls(size, pa.int64()), np.full(size, flag, np.int32)
    )


def _shaped(texts: Any, as_kind: InputKind | None) -> list[tuple[NDArray[np.int64], Inputs]]:  # noqa: ANN401
    """Return (rows, their inputs) for JSON texts, a part a shape."""
    found = PARSER.run(_SHAPES, texts, np.arange(len(texts), dtype=np.int32))
    shape = np.asarray(whole(found["shape"]).to_numpy(zero_copy_only=False), dtype=object)
    shown, numbers, wrapped = whole(found["shown"]), whole(found["numbers"]), whole(found["wrapped"])
    if as_kind in {InputKind.TEXT, InputKind.DIGEST}:
        return [(np.arange(len(texts)), _written(shown, as_kind))]
    is_list = shape == "ARRAY"
    quoted = np.asarray(pc.match_substring(texts, '"'))
    braced = np.asarray(pc.match_substring(texts, "{"))
    deep = np.asarray(pc.greater(pc.count_substring(texts, "["), 1))
    nested = is_list & deep & ~quoted & ~braced
    mixed = is_list & (quoted | braced)
    # {"text": "…"} is how many servers take a text: a record of one field of words would be none.
    is_text, is_wrapped = shape == "VARCHAR", valid(wrapped)
    is_record = (shape == "OBJECT") & ~is_wrapped
    plain = ~(nested | mixed | is_text | is_wrapped | is_record)
    parts: list[tuple[NDArray[np.int64], Inputs]] = []
    readers: tuple[tuple[NDArray[np.bool_], Callable[[Any], Inputs]], ...] = (
        (plain, lambda rows: _vectors(numbers.take(rows), as_kind)),
        (is_text, lambda rows: _written(shown.take(rows), InputKind.TEXT)),
        (is_wrapped, lambda rows: _written(wrapped.take(rows), InputKind.TEXT)),
        (is_record, lambda rows: _records(texts.take(rows))),
    )
    for mask, read in readers:
        at = np.flatnonzero(mask)
        if len(at):
            parts.append((at, read(pa.array(at))))
    if nested.any():
        parts += _nested(texts, np.flatnonzero(nested), as_kind)
    if mixed.any():
        parts += _mixed(texts, numbers, np.flatnonzero(mixed), as_kind)
    return parts


def _records(texts: Any) -> Inputs:  # noqa: ANN401
    data, offsets = canonical_objects(*byte_ranges(texts))
    return _written(strings(data, offsets, pa.string()), InputKind.RECORD)


def _nested(texts: Any, rows: NDArray[np.int64], as_kind: InputKind | None) -> list[tuple[NDArray[np.int64], Inputs]]:  # noqa: ANN401
    """Flatten lists of lists where all are of one length."""
    taken = texts.take(pa.array(rows))
    total, _ = even_shapes(*byte_ranges(taken))
    even, uneven = np.flatnonzero(total >= 0), np.flatnonzero(total < 0)
    parts = []
    if len(even):
        flat = PARSER.run(_FLATTENED, taken.take(pa.array(even)), np.arange(len(even), dtype=np.int32))
        parts.append((rows[even], _vectors(whole(flat["numbers"]), as_kind)))
    if len(uneven):
        parts.append((rows[uneven], _nothing(len(uneven), RowFlag.INPUT_RAGGED)))
    return parts


def _mixed(
    texts: Any,  # noqa: ANN401
    numbers: Any,  # noqa: ANN401
    rows: NDArray[np.int64],
    as_kind: InputKind | None,
) -> list[tuple[NDArray[np.int64], Inputs]]:
    """Read lists that hold strings: numbers written as strings, fields by position, or (nested) a text."""
    taken = texts.take(pa.array(rows))
    cells = PARSER.run(_BY_POSITION, taken, np.arange(len(rows), dtype=np.int32))
    listed = numbers.take(pa.array(rows))
    values, start, end = list_parts(listed)
    lost = counted(~valid(values), start, end) > np.asarray(whole(cells["nulls"]).fill_null(0))
    nested = np.asarray(whole(cells["nested"]).fill_null(False))
    parts: list[tuple[NDArray[np.int64], Inputs]] = []
    readers: tuple[tuple[NDArray[np.bool_], Callable[[Any], Inputs]], ...] = (
        (~lost, lambda at: _vectors(listed.take(at), as_kind)),
        (lost & nested, lambda at: _written(taken.take(at), InputKind.TEXT)),
        (lost & ~nested, lambda at: _records(whole(cells["record"]).take(at))),
    )
    for mask, read in readers:
        chosen = np.flatnonzero(mask)
        if len(chosen):
            parts.append((rows[chosen], read(pa.array(chosen))))
    return parts
