"""Every input becomes a fixed-length float32 view; what cannot be read is NaN."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.features.schema import ModelSchema, RecordField
from detector.model import InputKind
from detector.store.decode import input_matrix, vector_dimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LONGEST = 4096
TEXT_DIMENSION = 64
_TEXT_HASHES = 2**12
_MOST_FIELDS = 256
_MOST_CATEGORIES = 32
_FURTHEST = 1e4
_LARGEST = 1e34
_VALUES_AT_ONCE = 2**25
# So many deviations from the middle lies no ordinary value, however long the field's tail.
OUTLYING = 100.0
_SEED = 20_240_229


def modal_kind(kinds: NDArray[np.integer]) -> InputKind:
    """Return the commonest kind of input among `kinds`, NONE where no query shows its input."""
    known = kinds[kinds > 0]
    return InputKind(int(np.bincount(known).argmax())) if len(known) else InputKind.NONE


@dataclass
class _Seen:
    """What a sample of records shows of one field: in how many it is, as a number, as something else, of whom."""

    records: int = 0
    numbers: int = 0
    others: int = 0
    clients: set[int] = field(default_factory=set)

    def add(self, value: object, client: int) -> None:
        """Count one value."""
        self.records += 1
        self.clients.add(client)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.numbers += 1
        elif value is not None:
            self.others += 1


def learn_fields(blobs: pa.Array, clients: NDArray[np.integer]) -> tuple[RecordField, ...]:
    """Learn the named fields of records: numbers where most values are, categories otherwise.

    The records may hold an attacker's: one word among numbers does not make a category, and a field that one client
    alone sends is none of the model's, where there are others to tell by.

    Args:
        blobs: canonical JSON of a sample of records.
        clients: who sent each.
    """
    seen: dict[str, _Seen] = {}
    for blob, client in zip(blobs.to_pylist(), clients.tolist(), strict=True):
        # Numbers of 5,000 digits and lists in lists in lists are legal JSON that Python refuses to read.
        with suppress(ValueError, RecursionError):
            record = json.loads(blob)
            if isinstance(record, dict):
                for name, value in record.items():
                    seen.setdefault(name, _Seen()).add(value, client)
    fewest = 2 if len(np.unique(clients)) > 2 else 1
    shared = [name for name in seen if len(seen[name].clients) >= fewest]
    common = sorted(sorted(shared, key=lambda name: (-seen[name].records, name))[:_MOST_FIELDS])
    words = [name for name in common if seen[name].others > seen[name].numbers]
    known = dict(zip(words, map(_categories, _texts_of_fields(blobs, words)), strict=True))
    return tuple(RecordField(name, known.get(name)) for name in common)


def _texts_of_fields(blobs: pa.Array, names: Sequence[str]) -> list[pa.Array]:
    """Return the fields of records as texts, as the views read them."""
    return _selected(blobs, [f"body->>{_path(name)}" for name in names]) if names else []


def _categories(texts: pa.Array) -> tuple[str, ...]:
    """Return the commonest values."""
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(pc.drop_null(texts)).to_pylist()}
    return tuple(sorted(sorted(counts, key=lambda value: (-counts[value], value))[:_MOST_CATEGORIES]))


def raw_length(kind: InputKind, kinds: NDArray[np.integer], blobs: pa.Array, fields: tuple[RecordField, ...]) -> int:
    """Return how many values an input has: 0 where inputs can only be compared for equality."""
    if kind in {InputKind.VECTOR, InputKind.EMBEDDING}:
        return vector_dimension(pa.array(np.where(kinds == kind, int(InputKind.VECTOR), 0)), blobs)
    if kind is InputKind.RECORD:
        return sum(1 if f.categories is None else len(f.categories) for f in fields)
    return TEXT_DIMENSION if kind is InputKind.TEXT else 0


def raw_view(
    kind: InputKind, length: int, fields: tuple[RecordField, ...], kinds: NDArray[np.integer], blobs: pa.Array
) -> NDArray[np.float32]:
    """Read inputs of `length` values as vectors, not yet scaled.

    Returns:
        float32 (n, d); NaN rows for inputs of another kind or shape. Of more than LONGEST values d is LONGEST.
    """
    mine = kinds == kind
    if kind in {InputKind.VECTOR, InputKind.EMBEDDING}:
        view = _vectors(blobs, length)
    elif kind is InputKind.RECORD:
        view = _records(blobs, mine, fields, length)
    else:
        view = _texts(blobs, mine)
    holes = np.isnan(view)
    if holes.any():
        # A value that is missing, as in a record, says nothing; only an input without any cannot be read.
        view[holes & ~holes.all(axis=1, keepdims=True)] = 0.0
    if not mine.all():
        view[~mine] = np.nan
    np.clip(view, -3e38, 3e38, out=view)
    return view


def scaled_view(schema: ModelSchema, kinds: NDArray[np.integer], blobs: pa.Array) -> NDArray[np.float32] | None:
    """Return the view of `blobs` by the model's schema: float32 (n, d), or None where there is no view."""
    if not schema.has_view:
        return None
    return scaled(raw_view(schema.kind, schema.length, schema.fields, kinds, blobs), schema.scale)


def scaled(view: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Divide `view` in place by the scale of its fields.

    An input of 1e30 stays far away and does not overflow sums of squares.
    """
    with np.errstate(over="ignore"):
        view /= scale
    return np.clip(view, -_FURTHEST, _FURTHEST, out=view)


def _vectors(blobs: pa.Array, length: int) -> NDArray[np.float32]:
    if length <= LONGEST:
        return input_matrix(blobs, length)
    from scipy.sparse import csr_array

    # Each value is added, with a sign, to one place of the view (a count sketch): distances stay about what they are,
    # one value changed is still one value changed, and the cost is that of reading the input.
    draw = np.random.default_rng(_SEED)
    place, sign = draw.integers(0, LONGEST, length), draw.choice(np.array([-1.0, 1.0], dtype=np.float32), length)
    mix = csr_array((sign, (np.arange(length), place)), shape=(length, LONGEST))
    view = np.empty((len(blobs), LONGEST), dtype=np.float32)
    rows = max(1, _VALUES_AT_ONCE // length)
    for at in range(0, len(blobs), rows):
        full = input_matrix(blobs.slice(at, rows), length)
        lost = np.isnan(full).all(axis=1)
        view[at : at + rows] = np.clip(np.nan_to_num(full), -_LARGEST, _LARGEST) @ mix
        view[at : at + rows][lost] = np.nan
    return view


def _selected(blobs: pa.Array, expressions: Sequence[str]) -> list[pa.Array]:
    """Return SQL expressions of `body`, the JSON of each record."""
    import duckdb

    lines = pa.table({"body": blobs.cast(pa.string())})
    with duckdb.connect() as connection:
        connection.execute("SET threads=1")
        connection.register("lines", lines)
        table = connection.sql(f"SELECT {', '.join(expressions)} FROM lines").to_arrow_table()  # noqa: S608 - names are escaped pointers
    return [column.combine_chunks() for column in table.columns]


def _records(
    blobs: pa.Array, mine: NDArray[np.bool_], fields: tuple[RecordField, ...], dimension: int
) -> NDArray[np.float32]:
    columns = _selected(
        pc.if_else(pa.array(mine), blobs, None).cast(pa.binary()),
        [
            f"try_cast(body->>{_path(f.name)} AS FLOAT)" if f.categories is None else f"body->>{_path(f.name)}"
            for f in fields
        ],
    )
    view = np.zeros((len(blobs), dimension), dtype=np.float32)
    at = 0
    for named, column in zip(fields, columns, strict=True):
        if named.categories is None:
            view[:, at] = np.nan_to_num(column.to_numpy(zero_copy_only=False).astype(np.float32))
            at += 1
            continue
        codes = pc.index_in(column, value_set=pa.array(named.categories, pa.string()))
        known = codes.is_valid().to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(known)
        view[rows, at + codes.fill_null(0).to_numpy()[rows]] = 1.0
        at += len(named.categories)
    return view


def _path(name: str) -> str:
    """Return the JSON pointer to a field as an SQL literal, whatever characters the log chose for its name."""
    return "'/" + name.replace("~", "~0").replace("/", "~1").replace("'", "''") + "'"


def unseen_categories(schema: ModelSchema, view: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    """Share of each record's categorical fields whose value the schema does not know, (n,); None without categories."""
    widths = [(1 if f.categories is None else len(f.categories), f.categories is not None) for f in schema.fields]
    if view is None or not any(is_category for _, is_category in widths):
        return None
    unseen = np.zeros(len(view))
    at = 0
    for width, is_category in widths:
        if is_category:
            unseen += view[:, at : at + width].sum(axis=1) == 0
        at += width
    return np.where(np.isnan(view[:, 0]), np.nan, unseen / sum(is_category for _, is_category in widths))


def _texts(blobs: pa.Array, mine: NDArray[np.bool_]) -> NDArray[np.float32]:
    from sklearn.feature_extraction.text import HashingVectorizer

    view = np.full((len(blobs), TEXT_DIMENSION), np.nan, dtype=np.float32)
    rows = np.flatnonzero(mine)
    if len(rows):
        texts = [(value or b"").decode("utf-8", "replace") for value in blobs.take(pa.array(rows)).to_pylist()]
        counts = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=_TEXT_HASHES).transform(texts)
        mix = np.random.default_rng(_SEED).standard_normal((_TEXT_HASHES, TEXT_DIMENSION)) / np.sqrt(TEXT_DIMENSION)
        view[rows] = np.asarray(counts @ mix, dtype=np.float32)
    return view


def field_scale(view: NDArray[np.float32], kind: InputKind) -> NDArray[np.float32]:
    """Return the positive scale of each field, (d,): its deviation, floored so that constant fields do not explode."""
    deviation = _held(view).std(axis=0, dtype=np.float64)
    positive = deviation[deviation > 0]
    if kind is InputKind.TEXT or not len(positive):
        return np.ones(view.shape[1], dtype=np.float32)
    return np.maximum(deviation, 0.25 * np.median(positive)).astype(np.float32)


def _held(view: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hold each field within 100 of its typical deviations: one hostile input must not set the scale for all."""
    with np.errstate(over="ignore"):
        middle = np.median(view, axis=0)
        gaps = np.sort(np.abs(view - middle), axis=0)
        still = (gaps == 0).sum(axis=0)
        at = np.minimum((still + len(view)) // 2, len(view) - 1)
        reach = OUTLYING * np.take_along_axis(gaps, at[None], axis=0)[0]
        return np.clip(view, middle - reach, middle + reach)
