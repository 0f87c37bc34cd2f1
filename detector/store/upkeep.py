"""Looking after a database: is it whole, and what may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, text

from detector.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

    from detector.store.engine import Store


def check(store: Store) -> tuple[str, ...]:
    """Return what is wrong with the database, a sentence each; nothing where all is well."""
    with store.begin() as connection:
        return tuple(_problems(store, connection))


def _problems(store: Store, connection: Connection) -> Iterator[str]:
    if store.is_sqlite:
        lines = connection.execute(text("PRAGMA integrity_check")).scalars()
        yield from (f"SQLite finds the file damaged: {line}" for line in lines if line != "ok")
    yield from _wrong_totals(connection)
    finding = t.finding.c
    orphans = finding.incident_id.is_not(None) & finding.incident_id.not_in(select(t.incident.c.id))
    lost = connection.execute(select(func.count()).where(orphans)).scalar_one()
    if lost:
        yield f"{lost} findings belong to incidents that are not there"


def _wrong_totals(connection: Connection) -> Iterator[str]:
    """Yield files whose counts do not add up, or that hold more rows than were counted; purged rows are not missed."""
    held = _rows_by_file(connection, t.query)
    rejected = _rows_by_file(connection, t.reject)
    files = connection.execute(select(t.source_file).order_by(t.source_file.c.id)).all()
    for file in files:
        if file.read != file.stored + file.duplicate + file.rejected:
            total = f"stored {file.stored} + duplicate {file.duplicate} + rejected {file.rejected}"
            yield f"{file.path}: read {file.read} is not {total}"
        if held.get(file.id, 0) > file.stored:
            yield f"{file.path}: {held[file.id]} queries are held but {file.stored} were counted as stored"
        if rejected.get(file.id, 0) > file.rejected:
            yield f"{file.path}: {rejected[file.id]} rejects are held but {file.rejected} were counted"
    for orphan in sorted(set(held) - {file.id for file in files}):
        yield f"{held[orphan]} queries belong to file {orphan}, which the ledger does not know"


def _rows_by_file(connection: Connection, table: Table) -> dict[int, int]:
    rows = connection.execute(select(table.c.file_id, func.count()).group_by(table.c.file_id))
    return {int(file): int(count) for file, count in rows}


@dataclass(frozen=True)
class Purged:
    """How many rows went."""

    queries: int
    windows: int


def purge(store: Store, first_kept_ts: int, first_kept_night: str, *, windows: bool) -> Purged:
    """Remove raw queries before a moment, and windows of nights before a night where asked; all in one transaction."""
    with store.begin() as connection:
        gone = connection.execute(delete(t.query).where(t.query.c.ts < first_kept_ts)).rowcount
        old = 0
        if windows:
            old = connection.execute(delete(t.window).where(t.window.c.night < first_kept_night)).rowcount
            connection.execute(delete(t.night).where(t.night.c.night < first_kept_night))
    return Purged(gone, old)
