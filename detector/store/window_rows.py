"""Windows and the states that nights leave, as the table `window` holds them."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from detector.store import tables as t

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


@dataclass(frozen=True)
class WindowRow:
    """One window as the table holds it; `state` is the raw row of float64 numbers, None for trailing windows."""

    horizon: str
    entity_kind: str
    entity_id: str
    query_count: int
    first_ts: int
    last_ts: int
    clients: tuple[str, ...]
    features: str
    state: bytes | None


def replace_windows(connection: Connection, model: str, night: str, rows: Sequence[WindowRow]) -> None:
    """Replace the windows of a model's night."""
    w = t.window
    connection.execute(delete(w).where(w.c.model == model, w.c.night == night))
    if rows:
        connection.execute(insert(w), [_as_values(model, night, row) for row in rows])


def _as_values(model: str, night: str, row: WindowRow) -> dict[str, Any]:
    return {
        "model": model,
        "night": night,
        "horizon": row.horizon,
        "entity_kind": row.entity_kind,
        "entity_id": row.entity_id,
        "query_count": row.query_count,
        "first_ts": row.first_ts,
        "last_ts": row.last_ts,
        "clients": json.dumps(row.clients) if row.clients else None,
        "features": row.features,
        "state": None if row.state is None else zlib.compress(row.state, 1),
    }


def load_states(connection: Connection, model: str, nights: Sequence[str], schema_version: int) -> list[WindowRow]:
    """Return the nightly windows of `nights` with their states, in a fixed order, but for nights of another schema."""
    w, n = t.window, t.night
    statement = (
        select(w)
        .join(n, (n.c.model == w.c.model) & (n.c.night == w.c.night))
        .where(w.c.model == model, w.c.night.in_(nights), w.c.horizon == "night", n.c.schema_version == schema_version)
        .order_by(w.c.night, w.c.entity_kind, w.c.entity_id)
    )
    return [_as_row(row) for row in connection.execute(statement) if row.state is not None]


def _as_row(row: Any) -> WindowRow:  # noqa: ANN401 - a result row
    return WindowRow(
        row.horizon,
        row.entity_kind,
        row.entity_id,
        row.query_count,
        row.first_ts,
        row.last_ts,
        tuple(json.loads(row.clients)) if row.clients else (),
        row.features,
        None if row.state is None else zlib.decompress(bytes(row.state)),
    )


def load_windows(
    connection: Connection, model: str, nights: Sequence[str], horizon: str, client: str | None = None
) -> list[tuple[str, WindowRow]]:
    """Return the windows of `nights` under one horizon without their states, with their night, in a fixed order.

    Those of one client alone, where `client` is given.
    """
    w = t.window
    columns = [column for column in w.c if column.name != "state"]
    statement = (
        select(*columns)
        .where(w.c.model == model, w.c.night.in_(nights), w.c.horizon == horizon)
        .order_by(w.c.night, w.c.entity_kind, w.c.entity_id)
    )
    if client is not None:
        statement = statement.where(w.c.entity_kind == "client", w.c.entity_id == client)
    return [
        (
            row.night,
            WindowRow(
                row.horizon, row.entity_kind, row.entity_id, row.query_count, row.first_ts, row.last_ts,
                tuple(json.loads(row.clients)) if row.clients else (), row.features, None,
            ),
        )
        for row in connection.execute(statement)
    ]  # fmt: skip


def window_models(connection: Connection, client: str) -> tuple[str, ...]:
    """Return the models on which a client has a window, sorted."""
    w = t.window.c
    rows = connection.execute(select(w.model).where(w.entity_kind == "client", w.entity_id == client).distinct())
    return tuple(sorted(row[0] for row in rows))


def window_nights(connection: Connection, model: str, client: str) -> list[str]:
    """Return the nights in which a client has a window on `model`, oldest first."""
    w = t.window.c
    statement = select(w.night).where(w.model == model, w.entity_kind == "client", w.entity_id == client).distinct()
    return sorted(row[0] for row in connection.execute(statement))
