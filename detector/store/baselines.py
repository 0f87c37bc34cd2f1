"""Baselines and references in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from detector.store import tables as t

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class BaselineRow:
    """One baseline as the table holds it; `valid_after` is the last night that it must not judge, None for none."""

    id: str
    model: str
    version: int
    kind: str
    active: bool
    first_night: str | None
    last_night: str | None
    valid_after: str | None
    body: str
    arrays: bytes
    created_at: str


def add_baseline(connection: Connection, row: BaselineRow) -> None:
    """Store a baseline; an active one takes the place of the active one before it."""
    b = t.baseline
    if row.active:
        connection.execute(update(b).where(b.c.model == row.model).values(active=False))
    connection.execute(insert(b).values(**row.__dict__))


def next_version(connection: Connection, model: str) -> int:
    """Return the number of the next baseline of `model`."""
    b = t.baseline
    return (
        int(connection.execute(select(func.coalesce(func.max(b.c.version), 0)).where(b.c.model == model)).scalar_one())
        + 1
    )


def list_baselines(connection: Connection, model: str | None = None) -> list[BaselineRow]:
    """Return baselines in order of model and version."""
    b = t.baseline
    statement = select(b).order_by(b.c.model, b.c.version)
    if model is not None:
        statement = statement.where(b.c.model == model)
    return [_row(row) for row in connection.execute(statement)]


def get_baseline(connection: Connection, baseline_id: str) -> BaselineRow | None:
    """Return the baseline of that id."""
    b = t.baseline
    row = connection.execute(select(b).where(b.c.id == baseline_id)).one_or_none()
    return None if row is None else _row(row)


def active_baseline(connection: Connection, model: str, night: str) -> BaselineRow | None:
    """Return the baseline that judges `night`: the active one, unless it was learned from that night or later ones."""
    b = t.baseline
    row = connection.execute(select(b).where(b.c.model == model, b.c.active)).one_or_none()
    if row is None or (row.valid_after is not None and night <= row.valid_after):
        return None
    return _row(row)


def use_baseline(connection: Connection, row: BaselineRow) -> None:
    """Make `row` the active baseline of its model, for every night."""
    b = t.baseline
    connection.execute(update(b).where(b.c.model == row.model).values(active=False))
    connection.execute(update(b).where(b.c.id == row.id).values(active=True, valid_after=None))


def _row(row: Any) -> BaselineRow:  # noqa: ANN401 - a result row
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public mapping
    return BaselineRow(**{**told, "arrays": bytes(told["arrays"])})
