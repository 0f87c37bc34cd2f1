"""Class probabilities of either form, by position or by name, to the bytes that the store keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.ingest.arrays import any_in, byte_ranges, list_parts, packed, scattered, strings, valid, whole
from detector.ingest.kernels.shapes import even_shapes
from detector.ingest.lanes import PARSER
from detector.model import ProbabilityKind, RowFlag

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAIR = np.dtype([("code", "<u4"), ("value", "<f4")])
_FLOAT_BYTES = 4
# A vector of n values rounded to two decimals can miss one by up to n half hundredths.
_TOLERANCE, _TOLERANCE_A_CLASS = 0.01, 0.005
_SHAPES = """
SELECT rec, json_type(line) AS shape,
    CASE json_type(line) WHEN 'ARRAY' THEN from_json(CASE WHEN starts_with(line, '[[')
        THEN '[' || replace(replace(line, '[', ''), ']', '') || ']' ELSE line END, '["DOUBLE"]') END AS numbers,
    CASE json_type(line) WHEN 'OBJECT' THEN from_json(line, '"MAP(VARCHAR, DOUBLE)"') END AS named
FROM block"""


@dataclass(frozen=True)
class ClassNames:
    """Class names met in a block, as rows of `model_class` without the model.

    Attributes:
        row: the query in which each stood.
        code: uint32, the first four bytes of the name's SHA-256.
        name: Arrow dictionary-encoded string.
    """

    row: NDArray[np.int64]
    code: NDArray[np.uint32]
    name: Any


@dataclass(frozen=True)
class Probabilities:
    """The class probabilities of n queries.

    Attributes:
        kind: int16, a `ProbabilityKind` each.
        blob: Arrow binary, see `ProbabilityKind`; null where there is none.
        flags: int32, `RowFlag`s.
        names: the class names of the NAMED ones, None where there are none.
    """

    kind: NDArray[np.int16]
    blob: Any
    flags: NDArray[np.int32]
    names: ClassNames | None = None


def read_probabilities(lists: Any, texts: Any) -> Probabilities:  # noqa: ANN401
    """Return the probabilities: from Arrow lists of float64, or, where these are null, from compact JSON texts."""
    lists, texts = whole(lists), whole(texts)
    size = len(lists)
    rows = np.flatnonzero(valid(texts))
    if not len(rows):
        return _positions(lists, np.zeros(size, bool))
    taken = texts.take(pa.array(rows))
    found = PARSER.run(_SHAPES, taken, np.arange(len(rows), dtype=np.int32))
    shape = np.asarray(whole(found["shape"]).to_numpy(zero_copy_only=False), dtype=object)
    numbers, named = whole(found["numbers"]), whole(found["named"])
    unreadable = ~(valid(numbers) | valid(named)) | _ragged(taken, shape)
    quoted = np.zeros(len(rows), bool)
    is_list = np.flatnonzero(shape == "ARRAY")
    quoted[is_list] = np.asarray(pc.match_substring_regex(taken.take(pa.array(is_list)), r'["{]'))
    parts = [
        _positions(lists, np.zeros(size, bool)),
        _spread(_positions(pc.if_else(pa.array(~unreadable), numbers, None), quoted), rows, size),
        _spread(_named(named), rows, size),
    ]
    kind = np.max([part.kind for part in parts], axis=0)
    flags = np.bitwise_or.reduce([part.flags for part in parts])
    flags[rows[unreadable]] |= RowFlag.OUTPUT_UNREADABLE
    return Probabilities(kind, pc.coalesce(*(part.blob for part in parts)), flags, parts[-1].names)


def _ragged(texts: Any, shape: NDArray[Any]) -> NDArray[np.bool_]:  # noqa: ANN401
    """Return where a list of lists is more than one vector in brackets."""
    ragged = np.zeros(len(shape), bool)
    rows = np.flatnonzero((shape == "ARRAY") & np.asarray(pc.starts_with(texts, "[[")))
    if len(rows):
        total, last = even_shapes(*byte_ranges(texts.take(pa.array(rows))))
        ragged[rows] = (total < 0) | (total != last)
    return ragged


def _spread(part: Probabilities, rows: NDArray[np.int64], size: int) -> Probabilities:
    kind, flags = np.zeros(size, np.int16), np.zeros(size, np.int32)
    kind[rows], flags[rows] = part.kind, part.flags
    names = part.names and ClassNames(rows[part.names.row], part.names.code, part.names.name)
    return Probabilities(kind, scattered(rows, part.blob, size), flags, names)


def _positions(lists: Any, quoted: NDArray[np.bool_]) -> Probabilities:  # noqa: ANN401
    """Read lists by position; a null is a class left out, unless the list holds strings that are no numbers."""
    values, start, end = list_parts(lists)
    there = valid(lists)
    doubles = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    absent = ~valid(values)
    flags = _judged(doubles, absent, start, end, complete=True)
    flags |= np.where(quoted & any_in(absent, start, end), RowFlag.OUTPUT_UNREADABLE, 0).astype(np.int32)
    places, offsets = packed(start, end)
    with np.errstate(over="ignore", invalid="ignore"):
        floats = doubles.astype("<f4") if len(places) == len(doubles) else doubles[places].astype("<f4")
    blob = strings(floats.view(np.uint8), offsets * _FLOAT_BYTES, pa.binary(), None if there.all() else ~there)
    return Probabilities(np.where(there, ProbabilityKind.POSITIONS, 0).astype(np.int16), blob, flags)


def _named(maps: Any) -> Probabilities:  # noqa: ANN401
    """Read maps of class name to probability, in the order in which they were logged."""
    there = valid(maps)
    kind = np.where(there, ProbabilityKind.NAMED, 0).astype(np.int16)
    if not there.any():
        return Probabilities(kind, pa.nulls(len(maps), pa.binary()), np.zeros(len(maps), np.int32))
    bounds = np.asarray(maps.offsets).astype(np.int64)
    start, end = bounds[:-1], np.where(there, bounds[1:], bounds[:-1])
    doubles = np.asarray(maps.items.to_numpy(zero_copy_only=False), dtype=np.float64)
    flags = _judged(doubles, ~valid(maps.items), start, end, complete=False)
    places, offsets = packed(start, end)
    encoded = maps.keys.take(pa.array(places)).dictionary_encode()
    codes = np.array([class_code(name) for name in encoded.dictionary.to_pylist()], dtype="<u4")
    pairs = np.empty(len(places), _PAIR)
    pairs["code"] = codes[np.asarray(encoded.indices)] if len(codes) else 0
    with np.errstate(over="ignore", invalid="ignore"):
        pairs["value"] = doubles[places]
    row = np.repeat(np.arange(len(maps)), np.diff(offsets))
    blob = strings(pairs.view(np.uint8), offsets * _PAIR.itemsize, pa.binary(), None if there.all() else ~there)
    return Probabilities(kind, blob, flags, ClassNames(row, pairs["code"].astype(np.uint32), encoded))


@lru_cache(maxsize=1 << 16)
def class_code(name: str) -> int:
    """Return the number by which a class name is stored: the first four bytes of its SHA-256, little-endian."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:4], "little")


def _judged(
    values: NDArray[np.float64],
    absent: NDArray[np.bool_],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    *,
    complete: bool,
) -> NDArray[np.int32]:
    """Return the flags of vectors that are not finite, not within 0 and 1, or do not sum to one.

    Vectors with classes left out, and named ones (`complete` false), may sum to less.
    """
    flags = np.zeros(len(start), np.int32)
    finite = np.isfinite(values)
    flags[any_in(~finite & ~absent, start, end)] |= RowFlag.NON_FINITE
    filled = np.where(finite, values, 0.0)
    sums = np.concatenate([[0.0], np.cumsum(np.clip(filled, -2, 2))])
    total, count = sums[end] - sums[start], end - start
    slack = np.minimum(_TOLERANCE + _TOLERANCE_A_CLASS * count, 0.5)
    short = (total < 1 - slack) & ~any_in(absent, start, end) & (count > 1) if complete else np.zeros(len(start), bool)
    outside = any_in((filled < -_TOLERANCE) | (filled > 1 + _TOLERANCE), start, end)
    flags[(total > 1 + slack) | short | outside] |= RowFlag.PROBABILITIES_NOT_NORMALISED
    return flags
