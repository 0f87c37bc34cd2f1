"""What an evaluation asks of the store: who asked in which night, a copy to experiment on, streams cut short."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, MetaData, Table, delete, exists, insert, select

from detector.errors import StoreError
from detector.store import tables as t
from detector.store.engine import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Connection

_CUT = Table(
    "evaluation_cut",
    MetaData(),
    Column("model", t.String, nullable=False),
    Column("client", t.String, nullable=False),
    Column("last_ts", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class ClientNight:
    """One client in one scanned night; `night` is an ISO date."""

    model: str
    night: str
    client: str
    queries: int


@dataclass(frozen=True)
class Cut:
    """The last moment (UTC microseconds) of which a client's queries are kept."""

    model: str
    client: str
    last_ts: int


def client_nights(connection: Connection) -> list[ClientNight]:
    """Return every client of every scanned night, by model, night and client."""
    w = t.window.c
    statement = (
        select(w.model, w.night, w.entity_id, w.query_count)
        .where(w.horizon == "night", w.entity_kind == "client")
        .order_by(w.model, w.night, w.entity_id)
    )
    return [ClientNight(*row) for row in connection.execute(statement)]


def copy_of(store: Store, path: Path) -> Store:
    """Copy an embedded database into a new file, as it stands in this moment.

    Raises:
        StoreError: it is not an embedded one, or cannot be copied.
    """
    if not store.is_sqlite:
        raise StoreError("only an embedded database can be copied", expected="sqlite:///FILE")
    try:
        with closing(sqlite3.connect(store.parsed.database or "")) as old, closing(sqlite3.connect(path)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be copied: {error}", file=path) from error
    return Store(f"sqlite:///{path}")


def cut_short(connection: Connection, cuts: Sequence[Cut]) -> int:
    """Remove the queries that clients sent after their cut; return how many went."""
    if not cuts:
        return 0
    q = t.query.c
    _CUT.create(connection)
    connection.execute(insert(_CUT), [{"model": c.model, "client": c.client, "last_ts": c.last_ts} for c in cuts])
    late = exists().where(_CUT.c.model == q.model, _CUT.c.client == q.client_id, q.ts > _CUT.c.last_ts)
    gone = connection.execute(delete(t.query).where(q.ts > min(cut.last_ts for cut in cuts), late)).rowcount
    _CUT.drop(connection)
    return int(gone)
