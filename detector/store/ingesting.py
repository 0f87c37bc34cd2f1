"""What ingest needs of the store: the ledger of files, the look-up of known queries, the bulk append."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from sqlalchemy import BigInteger, Integer

from detector.errors import StoreError
from detector.model import RowFlag
from detector.store.checkpoints import checkpoints
from detector.store.tables import query, source_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from detector.store.engine import Store

# A file is being read; all of it is stored but its ids were not compared with those of other files; it is done.
READING, UNCOMPARED, STORED = "reading", "uncompared", "stored"
_CANDIDATES, _SEEN, _CLASSES = "ingest_candidate", "ingest_seen", "ingest_class"
_KEY = ("ts", "key_hi", "key_lo")
# What ADBC appends; the database numbers the rows itself.
QUERY_COLUMNS = tuple(column.name for column in query.columns if column.name != "id")


@dataclass(frozen=True)
class LedgerEntry:
    """One row of `source_file`, see there; `rejects` and `touched` are JSON."""

    id: int
    sha256: str
    reading: str
    path: str
    format: str
    size_bytes: int
    status: str
    read: int
    stored: int
    duplicate: int
    rejected: int
    flagged: int
    rejects: str
    lines_committed: int
    batches_committed: int
    min_ts: int | None
    max_ts: int | None
    touched: str
    damage: str | None
    ingested_at: str


_LEDGER_TYPES = {
    column.name: pa.int64() if isinstance(column.type, (BigInteger, Integer)) else pa.string()
    for column in source_file.columns
}
_LEDGER = tuple(field.name for field in fields(LedgerEntry))


@dataclass(frozen=True)
class FirstReject:
    """The first reject of its reason in a file."""

    reason: str
    line: int
    expected: str


class IngestLane:
    """One writer's connection to the store; every change since the last `commit` is one transaction."""

    def __init__(self, connection: Any, written: Callable[[int], None], *, is_sqlite: bool) -> None:  # noqa: ANN401 - ADBC has no types
        self._connection = connection
        self._written = written
        self._uncommitted = 0
        self._is_sqlite = is_sqlite
        self._cursor = connection.cursor()
        self._has_seen = False
        if is_sqlite:
            # Copy the log back into the database every 256 MB instead of every 16: with it goes a wait for the disk.
            self._execute("PRAGMA wal_autocheckpoint = 16384")
            # Appending needs few old pages; the memory is better kept for parsing.
            self._execute("PRAGMA cache_size = -65536")

    def commit(self) -> None:
        """Make everything since the last commit durable."""
        self._connection.commit()
        self._written(self._uncommitted)
        self._uncommitted = 0

    def rollback(self) -> None:
        """Undo everything since the last commit."""
        self._connection.rollback()

    def find(self, sha256: str, reading: str) -> LedgerEntry | None:
        """Return the ledger's entry of a file, None for one never seen."""
        wanted = ", ".join(_LEDGER)
        sql = f"SELECT {wanted} FROM source_file WHERE sha256 = $1 AND reading = $2"  # noqa: S608 - own names
        found = self._rows(sql, sha256, reading)
        return LedgerEntry(*found[0]) if found else None

    def knows_size(self, size: int) -> bool:
        """Whether the ledger holds a file of so many bytes."""
        return bool(self._rows("SELECT 1 FROM source_file WHERE size_bytes = $1 LIMIT 1", size))

    def register(self, entry: LedgerEntry) -> LedgerEntry:
        """Add a file to the ledger and return its entry with the id that it got."""
        names = _LEDGER[1:]
        marks = ", ".join(f"${i + 1}" for i in range(len(names)))
        row = pa.table({name: pa.array([getattr(entry, name)], _LEDGER_TYPES[name]) for name in names})
        self._cursor.execute(f"INSERT INTO source_file ({', '.join(names)}) VALUES ({marks})", row)  # noqa: S608
        self.commit()
        found = self.find(entry.sha256, entry.reading)
        if found is None:
            raise StoreError("the ledger did not keep a file", file=entry.path)
        return found

    def update(self, entry: LedgerEntry) -> None:
        """Bring a file's counts up to date."""
        names = _LEDGER[1:]
        sets = ", ".join(f"{name} = ${i + 1}" for i, name in enumerate(names))
        row = {name: pa.array([getattr(entry, name)], _LEDGER_TYPES[name]) for name in (*names, "id")}
        self._cursor.execute(f"UPDATE source_file SET {sets} WHERE id = ${len(names) + 1}", pa.table(row))  # noqa: S608

    def lock(self, file_id: int) -> None:
        """Begin to write: on SQLite a transaction that first reads and then writes could find itself overtaken."""
        self._execute("UPDATE source_file SET status = status WHERE id = $1", file_id)

    def first_rejects(self, file_id: int) -> list[FirstReject]:
        """Return the first reject of each reason in a file, by reason."""
        found = self._rows(
            "SELECT reason, MIN(line), MIN(expected) FROM reject WHERE file_id = $1 GROUP BY reason ORDER BY reason",
            file_id,
        )
        return [FirstReject(reason, int(line), expected) for reason, line, expected in found]

    def time_ranges(self) -> list[tuple[int, int]]:
        """Return the (first, last) microsecond of every file that holds queries."""
        found = self._rows("SELECT min_ts, max_ts FROM source_file WHERE min_ts IS NOT NULL ORDER BY min_ts, max_ts")
        return [(int(first), int(last)) for first, last in found]

    def uncompared(self) -> list[str]:
        """Return `touched` of the files whose ids are still to be compared."""
        return [touched for (touched,) in self._rows("SELECT touched FROM source_file WHERE status = $1", UNCOMPARED)]

    def mark_compared(self) -> None:
        """Say that all ids were compared."""
        self._execute("UPDATE source_file SET status = $1 WHERE status = $2", STORED, UNCOMPARED)

    def ids_between(self, first_ts: int, last_ts: int) -> Iterator[pa.Table]:
        """Yield model, request_id, time and key of the queries with an id between two microseconds, both included."""
        self._execute(
            "SELECT model, request_id, ts, key_hi, key_lo FROM query"
            " WHERE ts BETWEEN $1 AND $2 AND request_id IS NOT NULL",
            first_ts,
            last_ts,
        )
        for batch in self._cursor.fetch_record_batch():
            yield pa.Table.from_batches([batch])

    def flag_reused(self, ts: NDArray[np.int64], high: NDArray[np.int64], low: NDArray[np.int64]) -> None:
        """Flag queries whose id stands on another record too."""
        self._offer(ts, high, low)
        bit = int(RowFlag.ID_REUSED)
        self._execute(
            f"UPDATE query SET flags = flags | {bit} WHERE (flags & {bit}) = 0 AND id IN"  # noqa: S608 - own names
            f" (SELECT q.id FROM {_CANDIDATES} c CROSS JOIN query q"
            " WHERE q.ts = c.ts AND q.key_hi = c.key_hi AND q.key_lo = c.key_lo)"
        )

    def scanned_nights(self) -> set[tuple[str, str]]:
        """Return the (model, night) that have been scanned and are not stale."""
        return {(model, night) for model, night in self._rows("SELECT model, night FROM night WHERE NOT stale")}

    def mark_stale(self, nights: Iterable[tuple[str, str]]) -> None:
        """Say of scanned nights that they no longer hold what was scanned."""
        for model, night in sorted(nights):
            self._execute("UPDATE night SET stale = TRUE WHERE model = $1 AND night = $2", model, night)

    def stored_counts(
        self, ts: NDArray[np.int64], high: NDArray[np.int64], low: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return how many queries of each key the table `query` holds: index look-ups, whatever its size."""
        self._offer(ts, high, low)
        found = self._arrow(
            f"SELECT c.place, COUNT(*) AS n FROM {_CANDIDATES} c CROSS JOIN query q"  # noqa: S608 - own names
            " WHERE q.ts = c.ts AND q.key_hi = c.key_hi AND q.key_lo = c.key_lo GROUP BY c.place"
        )
        return _placed(found, len(ts))

    def seen_counts(self, ts: NDArray[np.int64], high: NDArray[np.int64], low: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how often each key was noted by `note_seen` since `forget_seen`."""
        if not self._has_seen:
            return np.zeros(len(ts), np.int64)
        self._offer(ts, high, low)
        found = self._arrow(
            f"SELECT c.place, CAST(SUM(s.times) AS BIGINT) AS n FROM {_CANDIDATES} c CROSS JOIN {_SEEN} s"  # noqa: S608
            " WHERE s.ts = c.ts AND s.key_hi = c.key_hi AND s.key_lo = c.key_lo GROUP BY c.place"
        )
        return _placed(found, len(ts))

    def note_seen(
        self, ts: NDArray[np.int64], high: NDArray[np.int64], low: NDArray[np.int64], times: NDArray[np.int64]
    ) -> None:
        """Remember keys of the file at hand, outside main memory: its order is not known, nor its size bounded."""
        if not len(ts):
            return
        table = pa.table({"ts": ts, "key_hi": high, "key_lo": low, "times": times})
        self._cursor.adbc_ingest(_SEEN, table, mode="append" if self._has_seen else "replace", temporary=True)
        if not self._has_seen:
            self._execute(f"CREATE INDEX {self._temporary('ix_ingest_seen')} ON {_SEEN} (ts, key_hi, key_lo)")
        self._has_seen = True

    def forget_seen(self) -> None:
        """Begin another file."""
        if self._has_seen:
            self._execute(f"DROP TABLE {self._temporary(_SEEN)}")
        self._has_seen = False

    def append(self, table_name: str, table: pa.Table) -> None:
        """Append rows by Arrow; the columns must have exactly the types of the table.

        A column without any value is left out: the database fills it in faster than the driver.
        """
        if table.num_rows:
            filled = [name for name in table.column_names if table[name].null_count < table.num_rows]
            self._cursor.adbc_ingest(table_name, table.select(filled), mode="append")
            self._uncommitted += table.nbytes

    def name_classes(self, rows: pa.Table) -> None:
        """Append rows to `model_class`; what another writer has named in the meantime stays."""
        if rows.num_rows:
            self._cursor.adbc_ingest(_CLASSES, rows, mode="replace", temporary=True)
            self._execute(
                f"INSERT INTO model_class (model, code, name) SELECT model, code, name FROM {_CLASSES}"  # noqa: S608
                " WHERE TRUE ON CONFLICT DO NOTHING"
            )

    def known_classes(self) -> set[tuple[str, int]]:
        """Return the (model, class code) that are spelled out already."""
        return {(model, int(code)) for model, code in self._rows("SELECT model, code FROM model_class")}

    def _offer(self, ts: NDArray[np.int64], high: NDArray[np.int64], low: NDArray[np.int64]) -> None:
        place = np.arange(len(ts), dtype=np.int32)
        table = pa.table({"place": place, "ts": ts, "key_hi": high, "key_lo": low})
        self._cursor.adbc_ingest(_CANDIDATES, table, mode="replace", temporary=True)
        if not self._is_sqlite:
            self._execute(f"ANALYZE {_CANDIDATES}")

    def _temporary(self, name: str) -> str:
        return f"temp.{name}" if self._is_sqlite else name

    def _execute(self, sql: str, *parameters: object) -> None:
        self._cursor.execute(sql, list(parameters) or None)

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        self._execute(sql, *parameters)
        found: list[tuple[Any, ...]] = self._cursor.fetchall()
        return found

    def _arrow(self, sql: str) -> pa.Table:
        self._execute(sql)
        return self._cursor.fetch_arrow_table()


def _placed(found: pa.Table, size: int) -> NDArray[np.int64]:
    counts = np.zeros(size, np.int64)
    if found.num_rows:
        counts[np.asarray(found["place"]).astype(np.int64)] = np.asarray(found["n"]).astype(np.int64)
    return counts


@contextmanager
def ingest_lane(store: Store) -> Iterator[IngestLane]:
    """Yield a lane to `store`; what was not committed is rolled back.

    Raises:
        StoreError: the database cannot be reached or refuses a statement.
    """
    import adbc_driver_manager

    with store.bulk() as connection, checkpoints(store) as written:
        lane = IngestLane(connection, written, is_sqlite=store.is_sqlite)
        try:
            yield lane
        except adbc_driver_manager.Error as error:
            lane.rollback()
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(f"the database refused: {first}") from error
        except BaseException:
            lane.rollback()
            raise
