"""Item 1 as data: every query behind an incident, the raw lines kept with it, and what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.custody import probabilities
from detector.model import InputKind
from detector.store import evidence as kept
from detector.store import evidence_queries as stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from detector.evidence.context import IncidentContext
    from detector.store.engine import Store
    from detector.store.evidence import PinnedLine, SourceFile

CHUNK = 20_000
"""Queries read at a time."""

INPUT_BYTES = 128 * 1024 * 1024
"""Bytes of inputs that a bundle holds at most."""

_TEXTS = (
    "client_id", "request_id", "source_ip", "user_agent", "model_version", "endpoint", "operation", "params", "label",
    "output_extra",
)  # fmt: skip
_SENSITIVE = ("output_extra",)


@dataclass(frozen=True, eq=False)
class Exported:
    """The queries behind an incident, in order of time, then of file, line and place in the line.

    Attributes:
        table: a row a query, see `QUERY_COLUMNS` in the guide.
        ids: of the store, a row a query.
        input_bytes: size of each input.
        files: every log file that one of them comes from, by path.
        limits: what was left out for want of room, in sentences.
    """

    table: Any
    ids: NDArray[np.int64]
    input_bytes: NDArray[np.int64]
    files: tuple[SourceFile, ...]
    limits: tuple[str, ...]


def export(store: Store, context: IncidentContext, *, redact: bool) -> Exported:
    """Read every query behind the incident, its answer included, its input not."""
    ids = context.queries.id if context.telling_ids is None else context.telling_ids
    names = kept.class_names(store, context.incident.model)
    room = probabilities.room(len(ids))
    parts, trimmed = [], False
    for start in range(0, max(len(ids), 1), CHUNK):
        table = stored.read_export(store, [int(one) for one in ids[start : start + CHUNK]])
        answered, cut = probabilities.column(table, names, context, room)
        trimmed = trimmed or cut
        parts.append(table.drop_columns(["probability_kind", "probabilities"]).append_column("probabilities", answered))
    joined = pa.concat_tables(parts)
    files = kept.source_files(store, {int(one) for one in pc.unique(joined.column("file_id")).to_pylist() or []})
    joined = _ordered(_with_files(joined, files))
    told = (f"Of each answer, the {room} largest probabilities are in the queries' table.",) if trimmed else ()
    by_path = tuple(sorted(files, key=lambda file: (file.path, file.sha256)))
    return Exported(
        table=_shown(joined, context, redact=redact),
        ids=np.asarray(joined.column("id"), dtype=np.int64),
        input_bytes=np.asarray(joined.column("input_bytes"), dtype=np.int64),
        files=by_path,
        limits=told,
    )


def lines(pinned: Sequence[PinnedLine], *, redact: bool) -> Any:  # noqa: ANN401 - Arrow has no types
    """Return the raw lines kept with the incident as a table."""
    columns = {
        "time": pa.array([one.ts for one in pinned], pa.int64()).cast(pa.timestamp("us", "UTC")),
        "client_id": _text([one.client for one in pinned]),
        "phase": _text([one.pattern for one in pinned]),
        "file": _text([one.path for one in pinned]),
        "file_sha256": _text([one.file_sha256 for one in pinned]),
        "line": pa.array([one.line for one in pinned], pa.int64()),
        "row_index": pa.array([one.row_index for one in pinned], pa.int64()),
        "raw_sha256": _text([one.raw_sha256 for one in pinned]),
    }
    raw = {} if redact else {"raw": _text([one.raw for one in pinned])}
    return pa.table(columns | raw)


def inputs(store: Store, exported: Exported) -> tuple[Any, tuple[str, ...]]:
    """Return what was sent as a table, and a sentence where not all of it found room.

    `query` is the row of the queries' table, counted from 0; of `vector` and `payload` (JSON or text) one is filled.
    """
    rows = np.flatnonzero(exported.input_bytes > 0)
    chosen = _within(rows, exported.input_bytes)
    place = {int(one): int(row) for one, row in zip(exported.ids[chosen], chosen, strict=True)}
    parts = [_inputs_part(store, exported.ids[chosen[i : i + CHUNK]], place) for i in range(0, len(chosen), CHUNK)]
    schema = pa.schema(_INPUT_FIELDS)
    table = pa.concat_tables([schema.empty_table(), *parts]).sort_by("query")
    left = len(rows) - len(chosen)
    told = f"{left:,} of {len(rows):,} inputs found no room: evenly spaced ones are held." if left else None
    return table, (told,) if told is not None else ()


_INPUT_FIELDS = [
    ("query", pa.int64()),
    ("kind", pa.large_string()),
    ("vector", pa.large_list(pa.float32())),
    ("payload", pa.large_string()),
]


def _within(rows: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return as many of `rows`, evenly spaced, as the budget of bytes holds."""
    step = 1
    while int(sizes[rows[::step]].sum()) > INPUT_BYTES:
        step += 1
    return rows[::step]


def _inputs_part(store: Store, ids: NDArray[np.int64], place: dict[int, int]) -> Any:  # noqa: ANN401
    table = stored.read_inputs(store, [int(one) for one in ids])
    kinds = np.asarray(table.column("input_kind"), dtype=np.int64)
    blobs = table.column("input").combine_chunks()
    is_vector = np.isin(kinds, (InputKind.VECTOR, InputKind.EMBEDDING))
    names = np.array([kind.name.lower() for kind in InputKind], dtype=object)
    where = np.array([place[int(one)] for one in np.asarray(table.column("id"), dtype=np.int64)], dtype=np.int64)
    return pa.table(
        [
            pa.array(where, pa.int64()),
            pa.array(names[kinds], pa.large_string()),
            _vectors(blobs, is_vector),
            _payloads(blobs, is_vector),
        ],
        schema=pa.schema(_INPUT_FIELDS),
    )


def _vectors(blobs: Any, wanted: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    """Return the stored float32 of the wanted rows as lists, null elsewhere."""
    held = pc.if_else(pa.array(wanted), blobs.cast(pa.large_binary()), pa.scalar(None, pa.large_binary()))
    sizes = np.asarray(pc.fill_null(pc.binary_length(held), 0), dtype=np.int64) // 4
    values = np.frombuffer(b"".join(one[: len(one) // 4 * 4] for one in _bytes(held)), dtype="<f4")
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, pa.array(values, pa.float32()), mask=pc.is_null(held))


def _payloads(blobs: Any, is_vector: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    texts = [
        None if skip or one is None else one.decode("utf-8", "backslashreplace")
        for one, skip in zip(_bytes(blobs, keep_null=True), is_vector, strict=True)
    ]
    return pa.array(texts, pa.large_string())


def _bytes(blobs: Any, *, keep_null: bool = False) -> list[Any]:  # noqa: ANN401
    listed: list[Any] = blobs.to_pylist() or []
    return listed if keep_null else [one for one in listed if one is not None]


def _with_files(table: Any, files: Sequence[SourceFile]) -> Any:  # noqa: ANN401
    place = pc.index_in(table.column("file_id"), pa.array([file.id for file in files], pa.int64()))
    path = _text([file.path for file in files]).take(place)
    sha256 = _text([file.sha256 for file in files]).take(place)
    return table.append_column("file", path).append_column("file_sha256", sha256)


def _ordered(table: Any) -> Any:  # noqa: ANN401
    # Not by the store's row numbers: those follow the order in which files arrived.
    keys = [(name, "ascending") for name in ("ts", "file_sha256", "line", "row_index")]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def _shown(table: Any, context: IncidentContext, *, redact: bool) -> Any:  # noqa: ANN401
    """Return the columns that a bundle shows, in reading order."""
    ids = np.asarray(table.column("id"), dtype=np.int64)
    kinds = np.array([kind.name.lower() for kind in InputKind], dtype=object)
    held, phase = _phases(ids, context)
    columns = {
        "time": table.column("ts").cast(pa.timestamp("us", "UTC")),
        "phase": phase,
        "held_row": held,
        **{name: table.column(name) for name in ("file", "file_sha256", "line", "row_index")},
        **{name: table.column(name) for name in _TEXTS if not (redact and name in _SENSITIVE)},
        **{name: table.column(name) for name in ("status", "latency_ms", "confidence", "value", "sampling_rate")},
        "input_kind": pa.array(kinds[np.asarray(table.column("input_kind"), dtype=np.int64)], pa.large_string()),
        "flags": table.column("flags"),
        "probabilities": table.column("probabilities"),
    }
    return pa.table(columns)


def _phases(ids: NDArray[np.int64], context: IncidentContext) -> tuple[Any, Any]:
    """Return, a row a query, its place among the queries that the evidence looked at and what it shows there."""
    known = context.queries.id
    if not len(known):
        return pa.nulls(len(ids), pa.int64()), pa.nulls(len(ids), pa.large_string())
    order = np.argsort(known, kind="stable")
    place = order[np.searchsorted(known[order], ids).clip(0, len(known) - 1)]
    absent = known[place] != ids
    phase = pa.array([str(one) for one in context.patterns[place]], pa.large_string(), mask=absent)
    return pa.array(place, pa.int64(), mask=absent), phase


def _text(values: Sequence[str | None]) -> Any:  # noqa: ANN401
    return pa.array(values, pa.large_string())
