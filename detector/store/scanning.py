"""What a scan reads and writes: a night's queries as a stream, schemas, windows and states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import adbc_driver_manager
import pyarrow as pa
from sqlalchemy import delete, func, insert, select, update

from detector.errors import StoreError
from detector.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sqlalchemy import Connection

    from detector.store.engine import Store

BATCH_ROWS = 65_536
NO_NUMBER = -9e300

# SQLite has types by value, and the driver takes a column's type from the first rows: nulls travel as sentinels.
_SELECT = {
    "ts": "ts",
    "file_id": "file_id",
    "line": "line",
    "row_index": "row_index",
    "key_lo": "key_lo",
    "client_id": "client_id",
    "source_ip": "coalesce(source_ip, '')",
    "user_agent": "coalesce(user_agent, '')",
    "model": "model",
    "model_version": "coalesce(model_version, '')",
    "endpoint": "coalesce(endpoint, '')",
    "operation": "operation",
    "params": "coalesce(params, '')",
    "label": "coalesce(label, '')",
    "status": "coalesce(status, -1)",
    "latency_ms": f"coalesce(latency_ms, {NO_NUMBER})",
    "confidence": f"coalesce(confidence, {NO_NUMBER})",
    "value": f"coalesce(value, {NO_NUMBER})",
    "scored": "coalesce(scored, -1)",
    "input_kind": "input_kind",
    "input": "coalesce(input, {empty})",
    "input_hash": "coalesce(input_hash, 0)",
    "probability_kind": "probability_kind",
    "probabilities": "coalesce(probabilities, {empty})",
    "flags": "flags",
}

SCAN_COLUMNS = (
    "ts", "file_id", "line", "row_index", "client_id", "source_ip", "operation", "params", "label", "status",
    "confidence", "scored", "input_kind", "input", "input_hash", "probability_kind", "probabilities", "flags",
)  # fmt: skip


def stream_queries(
    store: Store,
    model: str,
    first_ts: int,
    last_ts: int,
    columns: Sequence[str],
    *,
    every: int = 1,
) -> Generator[pa.Table]:
    """Yield the queries of `model` from `first_ts` up to but not including `last_ts` (UTC microseconds), in batches.

    Nulls come as sentinels: "" for texts and bytes, -1 for status and scored, NO_NUMBER for other numbers, 0 for
    `input_hash`.

    Args:
        store: where to read.
        model: the served model.
        first_ts: first microsecond.
        last_ts: first microsecond that is not meant any more.
        columns: names of the table `query`.
        every: keep about one query in `every`, chosen by its key.

    Raises:
        StoreError: the database cannot be read.
    """
    empty = "x''" if store.is_sqlite else "''::bytea"
    wanted = ", ".join(f"{_SELECT[name].format(empty=empty)} AS {name}" for name in columns)
    sql = (
        f"SELECT {wanted} FROM query WHERE ts >= {int(first_ts)} AND ts < {int(last_ts)} "  # noqa: S608
        f"AND model = {_literal(store, model)}" + (f" AND key_lo % {int(every)} = 0" if every > 1 else "")
    )
    try:
        with store.bulk() as connection, connection.cursor() as cursor:
            if store.is_sqlite:
                # Each page is read once: to keep them would cost memory that measuring needs.
                cursor.execute("PRAGMA cache_size = -8192")
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
            cursor.execute(sql)
            for batch in cursor.fetch_record_batch():
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])
    except adbc_driver_manager.Error as error:
        raise StoreError(f"the queries of model {model!r} cannot be read: {error}") from error


def _literal(store: Store, value: str) -> str:
    """Return a text as SQL that no character of it can leave.

    With a parameter the PostgreSQL driver would hand over a whole night as a single batch.
    """
    digits = value.encode().hex()
    return f"CAST(x'{digits}' AS TEXT)" if store.is_sqlite else f"convert_from(decode('{digits}', 'hex'), 'UTF8')"


def count_queries(connection: Connection, model: str, first_ts: int, last_ts: int) -> int:
    """Count the queries of `model` in a range of time."""
    q = t.query
    statement = select(func.count()).where(q.c.ts >= first_ts, q.c.ts < last_ts, q.c.model == model)
    return int(connection.execute(statement).scalar_one())


def count_at_most(connection: Connection, first_ts: int, last_ts: int) -> int:
    """Count the queries of all models in a range of time: from the index alone, and so a bound for each model."""
    q = t.query.c
    return int(connection.execute(select(func.count()).where(q.ts >= first_ts, q.ts < last_ts)).scalar_one())


def models_between(connection: Connection, first_ts: int, last_ts: int) -> tuple[str, ...]:
    """Return the models with a query in a range of time, sorted."""
    q = t.query
    rows = connection.execute(select(q.c.model).where(q.c.ts >= first_ts, q.c.ts < last_ts).distinct())
    return tuple(sorted(row[0] for row in rows))


@dataclass(frozen=True)
class StoredSchema:
    """A model's schema as the table holds it."""

    model: str
    version: int
    night: str
    body: str
    arrays: bytes


def latest_schema(connection: Connection, model: str) -> StoredSchema | None:
    """Return the newest schema of `model`."""
    s = t.model_schema
    row = connection.execute(select(s).where(s.c.model == model).order_by(s.c.version.desc()).limit(1)).one_or_none()
    return None if row is None else StoredSchema(row.model, row.version, row.night, row.body, bytes(row.arrays))


def add_schema(connection: Connection, schema: StoredSchema) -> None:
    """Store a new schema."""
    connection.execute(insert(t.model_schema).values(**schema.__dict__))


def class_names(connection: Connection, model: str) -> dict[int, str]:
    """Return the name of each class code of `model`."""
    c = t.model_class
    return {row.code: row.name for row in connection.execute(select(c.c.code, c.c.name).where(c.c.model == model))}


@dataclass(frozen=True)
class NightRow:
    """One scanned night of one model."""

    model: str
    night: str
    query_count: int
    stale: bool
    baseline_id: str | None
    schema_version: int
    coverage: str
    scanned_at: str


def replace_night(connection: Connection, row: NightRow) -> None:
    """Record that a night was scanned."""
    n = t.night
    connection.execute(delete(n).where(n.c.model == row.model, n.c.night == row.night))
    connection.execute(insert(n).values(**row.__dict__))


def scanned_nights(connection: Connection, model: str) -> list[NightRow]:
    """Return the scanned nights of `model`, oldest first."""
    n = t.night
    rows = connection.execute(select(n).where(n.c.model == model).order_by(n.c.night))
    return [NightRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public mapping


def stale_nights(connection: Connection) -> list[tuple[str, str]]:
    """Return (model, night) of windows that later records made stale, oldest first."""
    n = t.night
    rows = connection.execute(select(n.c.model, n.c.night).where(n.c.stale).order_by(n.c.night, n.c.model))
    return [(row.model, row.night) for row in rows]


def mark_stale(connection: Connection, model: str, nights: Sequence[str]) -> None:
    """Mark scanned nights of `model` as stale."""
    n = t.night
    connection.execute(update(n).where(n.c.model == model, n.c.night.in_(nights)).values(stale=True))


def night_range(connection: Connection) -> tuple[date, date] | None:
    """Return the UTC days of the first and the last query, None where there is none."""
    first, last = connection.execute(select(func.min(t.query.c.ts), func.max(t.query.c.ts))).one()
    if first is None:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (epoch + timedelta(microseconds=first)).date(), (epoch + timedelta(microseconds=last)).date()


def count_by_client(
    connection: Connection, model: str, first_ts: int, last_ts: int, clients: Sequence[str]
) -> dict[str, int]:
    """Count the queries of each of `clients` on `model` from `first_ts` to `last_ts`, both included; no zeros."""
    q = t.query.c
    statement = (
        select(q.client_id, func.count())
        .where(q.ts >= first_ts, q.ts <= last_ts, q.model == model)
        .group_by(q.client_id)
    )
    wanted = set(clients)
    return {row[0]: int(row[1]) for row in connection.execute(statement) if row[0] in wanted}
