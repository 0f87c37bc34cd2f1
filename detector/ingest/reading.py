"""One block of records to rows with keys: what a worker thread does, from parsing to hashing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detector.ingest.arrays import any_in, byte_ranges, list_parts, strings, valid, whole
from detector.ingest.blocks import EXCERPT_BYTES
from detector.ingest.kernels.hashing import hash_ranges
from detector.ingest.kernels.mixing import mix_ranges
from detector.ingest.kernels.repair import not_utf8, printable, readable_json
from detector.ingest.lanes import COLUMNS, PARSER, fast_sql, general_sql
from detector.ingest.plain import plain_rows
from detector.ingest.rows import Rejects, read_rows
from detector.model import RowFlag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from detector.ingest.blocks import Block
    from detector.ingest.plan import Plan
    from detector.ingest.probabilities import ClassNames

# The share of a file's first records that a lane must read to be tried on all of them.
_MOSTLY = 0.5
REJECTS = pa.schema(
    [
        pa.field("line", pa.int64()),
        pa.field("row_index", pa.int32()),
        pa.field("reason", pa.string()),
        pa.field("expected", pa.string()),
        pa.field("excerpt", pa.string()),
    ]
)


@dataclass(frozen=True)
class Reader:
    """How the records of one file are read.

    Attributes:
        plan: how they are laid out.
        assume_tz: the zone of times that name none.
        probability_list: whether most of the file's answers hold a list of probabilities.
        fast: whether to try the fast lane at all.
        plain: whether to try, before it, the lane of plainly written records.
    """

    plan: Plan
    assume_tz: str | None = None
    probability_list: bool = False
    fast: bool = True
    plain: bool = True


@dataclass(frozen=True)
class Batch:
    """The queries of one block.

    Attributes:
        table: columns of the table `query`, but for id, file_id and occurrence; in the file's order.
        rejects: rows with the schema `REJECTS`, in the file's order.
        names: class names met, by row of `table`; None where there are none.
        ids: uint64, a hash of model and request id of each row, 0 where it has no id.
    """

    table: pa.Table
    rejects: pa.Table
    names: ClassNames | None
    ids: NDArray[np.uint64]


def choose(block: Block, plan: Plan, assume_tz: str | None, sample: int = 1000) -> Reader:
    """Return how to read a file that begins with `block`: by the lane that reads most of its first records in full."""
    best, best_share = Reader(plan, assume_tz, fast=False, plain=False), _MOSTLY
    if not plan.generic:
        return best
    if len(block.start) < sample:
        return Reader(plan, assume_tz)
    texts = block.texts.slice(0, sample)
    bad = not_utf8(*byte_ranges(texts))
    fine = np.flatnonzero(~bad)
    for probability_list in (False, True):
        reader = Reader(plan, assume_tz, probability_list)
        share = float(_complete(_fast(texts.take(pa.array(fine)), fine, reader), reader).mean()) if len(fine) else 0.0
        if share >= best_share:
            best, best_share = reader, max(share - 0.05, _MOSTLY)
    plain = len(fine) > 0 and bool(plain_rows(texts.take(pa.array(fine)), fine)[1].mean() >= _MOSTLY)
    return replace(best, plain=plain)


def read_block(block: Block, reader: Reader) -> Batch:
    """Parse a block."""
    raw, escaped = _parsed(block, reader)
    rec = np.asarray(raw["rec"])
    flags = np.where(escaped[rec], RowFlag.TEXT_ESCAPED, 0).astype(np.int32)
    if block.flags is not None:
        flags |= block.flags[rec]
    rows = read_rows(raw, reader.plan, reader.assume_tz, flags)
    digests = hash_ranges(block.data, block.start, block.end)[rows.rec]
    row_index = np.asarray(rows.table["row_index"])
    table = rows.table.append_column("line", pa.array(block.line[rows.rec]))
    table = table.append_column("key_hi", pa.array(digests[:, 0]))
    table = table.append_column("key_lo", pa.array(digests[:, 1] ^ _mixed(row_index)))
    return Batch(table, _reject_table(block, rows.rejects), rows.names, id_hashes(table))


def id_hashes(table: pa.Table) -> NDArray[np.uint64]:
    """Return a hash of model and request id of each row, 0 where it has no id."""
    requests = whole(table["request_id"])
    request = mix_ranges(*byte_ranges(requests)).view(np.uint64)
    model = mix_ranges(*byte_ranges(whole(table["model"]))).view(np.uint64)
    return np.where(valid(requests), np.maximum(request ^ (model * np.uint64(3)), np.uint64(1)), np.uint64(0))


def _mixed(row_index: NDArray[np.int32]) -> NDArray[np.int64]:
    """Spread row numbers over 64 bits, 0 to 0: the queries of one record share its digest but not their key."""
    x = row_index.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).view(np.int64)


def _parsed(block: Block, reader: Reader) -> tuple[pa.Table, NDArray[np.bool_]]:
    """Return the lanes' columns of every record, in order, and which records had to be repaired."""
    size = len(block.start)
    if not size:
        return COLUMNS.empty_table(), np.zeros(0, bool)
    bad = not_utf8(*byte_ranges(block.texts))
    fine = np.flatnonzero(~bad)
    parts = []
    if reader.plain and reader.plan.generic:
        raw, done = plain_rows(_taken(block.texts, fine), fine)
        parts.append(raw)
        fine = fine[~done]
    if reader.fast and reader.plan.generic and len(fine):
        raw = _fast(_taken(block.texts, fine), fine, reader)
        done = _complete(raw, reader)
        parts.append(raw if done.all() else raw.filter(pa.array(done)))
        fine = fine[~done]
    rest = np.concatenate([fine, np.flatnonzero(bad)])
    escaped = np.zeros(size, bool)
    if len(rest):
        general, escaped = _general(block.texts, np.sort(rest), bad, reader.plan)
        parts.append(general)
    if len(parts) == 1:
        return parts[0].combine_chunks(), escaped
    joined = pa.concat_tables(parts).combine_chunks()
    return joined.take(pa.array(np.lexsort((joined["row_index"], joined["rec"])))), escaped


def _taken(texts: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    return texts if len(rows) == len(texts) else texts.take(pa.array(rows))


def _fast(texts: pa.Array, rec: NDArray[np.int64], reader: Reader) -> pa.Table:
    numbers = rec.astype(np.int32)
    try:
        raw = PARSER.run(fast_sql(probability_list=reader.probability_list, guarded=False), texts, numbers)
    except duckdb.InvalidInputException:
        raw = PARSER.run(fast_sql(probability_list=reader.probability_list, guarded=True), texts, numbers)
    return raw.cast(COLUMNS)


def _complete(raw: pa.Table, reader: Reader) -> NDArray[np.bool_]:
    """Return the rows that the fast lane read in full; a null elsewhere may hide something of another shape."""
    done = np.ones(raw.num_rows, bool)
    for name in ("timestamp", "client_id", "model", "output_type"):
        done &= valid(whole(raw[name]))
    lists = ("input_list", "probability_list") if reader.probability_list else ("input_list",)
    for name in lists:
        column = whole(raw[name])
        values, start, end = list_parts(column)
        done &= valid(column) & ~any_in(~valid(values), start, end)
    return done


def _general(
    texts: pa.Array, rows: NDArray[np.int64], bad: NDArray[np.bool_], plan: Plan
) -> tuple[pa.Table, NDArray[np.bool_]]:
    escaped = np.zeros(len(texts), bool)
    fine = rows[~bad[rows]]
    parts = [_general_rows(texts.take(pa.array(fine)), fine, plan)]
    broken = np.sort(np.concatenate([rows[bad[rows]], _unread(parts[0])]))
    if len(broken):
        parts[0] = parts[0].filter(parts[0]["shape"].is_valid())
        repaired = strings(*readable_json(*byte_ranges(texts.take(pa.array(broken)))), pa.string())
        parts.append(_general_rows(repaired, broken, plan))
        escaped[broken] = True
    joined = pa.concat_tables([part.cast(COLUMNS) for part in parts]).combine_chunks()
    order = np.lexsort((joined["row_index"], joined["rec"]))
    return joined.take(pa.array(order)), escaped


def _general_rows(texts: pa.Array, rec: NDArray[np.int64], plan: Plan) -> pa.Table:
    try:
        return PARSER.run(general_sql(plan, guarded=False), texts, rec.astype(np.int32))
    except duckdb.InvalidInputException:
        return PARSER.run(general_sql(plan, guarded=True), texts, rec.astype(np.int32))


def _unread(raw: pa.Table) -> NDArray[np.int64]:
    """Return the records that are not JSON."""
    return np.unique(np.asarray(raw["rec"])[~valid(whole(raw["shape"]))]).astype(np.int64)


def _reject_table(block: Block, rejects: Rejects) -> pa.Table:
    """Return rejects with the place and the beginning of their lines."""
    start = block.start[rejects.rec]
    end = np.minimum(block.end[rejects.rec], start + EXCERPT_BYTES)
    excerpts = _excerpts(block.data, start, end)
    table = pa.table(
        [
            pa.array(block.line[rejects.rec], pa.int64()),
            pa.array(rejects.row_index, pa.int32()),
            pa.array(rejects.reason, pa.string()),
            pa.array(rejects.expected, pa.string()),
            excerpts,
        ],
        schema=REJECTS,
    )
    if not block.refusals:
        return table
    heads = [np.frombuffer(refusal.excerpt[:EXCERPT_BYTES], np.uint8) for refusal in block.refusals]
    bounds = np.cumsum([0, *(len(head) for head in heads)])
    refused = pa.table(
        [
            pa.array([refusal.line for refusal in block.refusals], pa.int64()),
            pa.array([0] * len(heads), pa.int32()),
            pa.array([refusal.reason for refusal in block.refusals], pa.string()),
            pa.array([refusal.expected for refusal in block.refusals], pa.string()),
            _excerpts(np.concatenate(heads), bounds[:-1], bounds[1:]),
        ],
        schema=REJECTS,
    )
    return (
        pa.concat_tables([table, refused]).combine_chunks().sort_by([("line", "ascending"), ("row_index", "ascending")])
    )


def _excerpts(data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> Any:  # noqa: ANN401
    return pc.utf8_slice_codeunits(strings(*printable(data, start, end), pa.string()), 0, EXCERPT_BYTES)
