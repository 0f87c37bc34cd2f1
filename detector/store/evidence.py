"""What evidence and report read from the store besides queries, and what they keep in it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from detector.model import EntityKind, EvidenceItem, EvidenceStatus, Horizon
from detector.store.tables import (
    evidence_item,
    evidence_query,
    model_class,
    source_file,
    window,
)
from detector.store.tables import night as night_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Select

    from detector.store.engine import Store


_CHECKLIST = 6
_REPLAY = 7
"""Beyond the checklist the table holds, under this number, what each control would have done."""


@dataclass(frozen=True)
class SourceFile:
    """One log file as ingest knew it."""

    id: int
    path: str
    sha256: str
    format: str
    size_bytes: int
    read: int
    stored: int
    duplicate: int
    rejected: int
    damage: str | None
    status: str
    rejects: str


@dataclass(frozen=True)
class StoredWindow:
    """One row of the table `window`, its features as numbers."""

    entity_kind: EntityKind
    entity_id: str
    query_count: int
    features: Mapping[str, float]


@dataclass(frozen=True)
class NightRow:
    """What the table `night` says of one night of a model."""

    model: str
    night: date
    query_count: int
    baseline: str | None
    coverage: str


@dataclass(frozen=True)
class PinnedLine:
    """One raw line kept with an incident.

    Attributes:
        file_sha256: hash of the uncompressed file that it lies in.
        pattern: the part of the attack that it shows.
        raw_sha256: hash of the line's bytes without the line feed; None where the source was no longer at hand.
        raw: the line as text, unreadable bytes escaped; None likewise.
    """

    file_sha256: str
    line: int
    row_index: int
    path: str
    ts: int
    client: str
    pattern: str
    raw_sha256: str | None
    raw: str | None


def class_names(store: Store, model: str) -> dict[int, str]:
    """Return the class names of a model by code."""
    statement = select(model_class.c.code, model_class.c.name).where(model_class.c.model == model)
    with store.begin() as connection:
        return {int(code): str(name) for code, name in connection.execute(statement)}


def night_windows(store: Store, model: str, night: date) -> tuple[StoredWindow, ...]:
    """Return the windows of one night (not the trailing ones), by entity."""
    statement = (
        select(window.c.entity_kind, window.c.entity_id, window.c.query_count, window.c.features)
        .where(window.c.model == model, window.c.night == night.isoformat(), window.c.horizon == Horizon.NIGHT.value)
        .order_by(window.c.entity_kind, window.c.entity_id)
    )
    with store.begin() as connection:
        rows = connection.execute(statement).all()
    return tuple(StoredWindow(EntityKind(kind), name, count, _numbers(body)) for kind, name, count, body in rows)


def nights_of_clients(
    store: Store, model: str, clients: Collection[str], since: date, until: date
) -> dict[str, tuple[str, ...]]:
    """Return, by client, the nights from `since` up to but not including `until` in which it has a window."""
    statement = (
        select(window.c.entity_id, window.c.night)
        .where(
            window.c.model == model,
            window.c.horizon == Horizon.NIGHT.value,
            window.c.entity_kind == EntityKind.CLIENT.value,
            window.c.night >= since.isoformat(),
            window.c.night < until.isoformat(),
        )
        .order_by(window.c.night)
    )
    wanted, found = set(clients), dict[str, tuple[str, ...]]()
    with store.begin() as connection:
        for client, night in connection.execute(statement):
            if client in wanted:
                found[client] = (*found.get(client, ()), night)
    return found


def scanned_nights(store: Store) -> tuple[NightRow, ...]:
    """Return every night that was scanned, oldest first."""
    statement = select(night_table).order_by(night_table.c.night, night_table.c.model)
    with store.begin() as connection:
        return tuple(_night_row(row) for row in connection.execute(statement).mappings())


def source_files(store: Store, ids: Collection[int]) -> tuple[SourceFile, ...]:
    """Return the files `ids`, by number."""
    wanted = set(ids)
    with store.begin() as connection:
        rows = connection.execute(_file_columns()).all()
    return tuple(SourceFile(*row) for row in rows if row[0] in wanted)


def files_between(store: Store, first_ts: int, end_ts: int) -> tuple[SourceFile, ...]:
    """Return the files that hold a query from `first_ts` up to but not including `end_ts`, by path."""
    c = source_file.c
    statement = _file_columns().where(c.min_ts < end_ts, c.max_ts >= first_ts)
    with store.begin() as connection:
        rows = connection.execute(statement).all()
    return tuple(sorted((SourceFile(*row) for row in rows), key=lambda file: (file.path, file.id)))


def read_pins(store: Store, incident_id: str) -> tuple[PinnedLine, ...]:
    """Return the raw lines kept with an incident, in time order."""
    c = evidence_query.c
    columns = (c.file_sha256, c.line, c.row_index, c.path, c.ts, c.client_id, c.pattern, c.raw_sha256, c.raw)
    statement = select(*columns).where(c.incident_id == incident_id).order_by(c.ts, c.file_sha256, c.line, c.row_index)
    with store.begin() as connection:
        return tuple(PinnedLine(*row) for row in connection.execute(statement))


def write_pins(store: Store, incident_id: str, pins: Sequence[PinnedLine]) -> None:
    """Keep `pins` with an incident, in place of what was kept of it before."""
    rows = [
        {
            "incident_id": incident_id,
            "file_sha256": pin.file_sha256,
            "line": pin.line,
            "row_index": pin.row_index,
            "path": pin.path,
            "ts": pin.ts,
            "client_id": pin.client,
            "pattern": pin.pattern,
            "raw_sha256": pin.raw_sha256,
            "raw": pin.raw,
        }
        for pin in pins
    ]
    with store.begin() as connection:
        connection.execute(delete(evidence_query).where(evidence_query.c.incident_id == incident_id))
        if rows:
            connection.execute(insert(evidence_query), rows)


def write_items(store: Store, incident_id: str, items: Sequence[EvidenceItem]) -> None:
    """Keep the checklist of an incident, in place of its earlier one."""
    rows = [
        {
            "incident_id": incident_id,
            "number": item.number,
            "status": item.status.value,
            "body": json.dumps({"title": item.title, "reason": item.reason, "facts": item.facts}, ensure_ascii=False),
        }
        for item in items
    ]
    with store.begin() as connection:
        mine = evidence_item.c.incident_id == incident_id
        connection.execute(delete(evidence_item).where(mine, evidence_item.c.number <= _CHECKLIST))
        if rows:
            connection.execute(insert(evidence_item), rows)


def write_replay(store: Store, incident_id: str, body: str) -> None:
    """Keep what each control would have done to an incident, as JSON, in place of what was kept before."""
    mine = evidence_item.c.incident_id == incident_id
    row = {"incident_id": incident_id, "number": _REPLAY, "status": EvidenceStatus.CAPTURED.value, "body": body}
    with store.begin() as connection:
        connection.execute(delete(evidence_item).where(mine, evidence_item.c.number == _REPLAY))
        connection.execute(insert(evidence_item).values(**row))


def read_replay(store: Store, incident_id: str) -> str | None:
    """Return what was kept of the controls' effect on an incident, None where nothing was."""
    c = evidence_item.c
    statement = select(c.body).where(c.incident_id == incident_id, c.number == _REPLAY)
    with store.begin() as connection:
        return connection.execute(statement).scalar_one_or_none()


def read_items(store: Store, incident_id: str) -> tuple[EvidenceItem, ...]:
    """Return the checklist of an incident as it was last kept."""
    c = evidence_item.c
    mine = (c.incident_id == incident_id, c.number <= _CHECKLIST)
    statement = select(c.number, c.status, c.body).where(*mine).order_by(c.number)
    with store.begin() as connection:
        rows = connection.execute(statement).all()
    return tuple(_item(number, status, json.loads(body)) for number, status, body in rows)


def _file_columns() -> Select[Any]:
    c = source_file.c
    counts = (c.read, c.stored, c.duplicate, c.rejected)
    return select(c.id, c.path, c.sha256, c.format, c.size_bytes, *counts, c.damage, c.status, c.rejects).order_by(c.id)


def _night_row(row: Any) -> NightRow:  # noqa: ANN401 - a row mapping
    return NightRow(
        row["model"], date.fromisoformat(row["night"]), row["query_count"], row["baseline_id"], row["coverage"]
    )


def _numbers(body: str) -> dict[str, float]:
    """Return the features that are numbers: null is not 0, and stays out."""
    loaded = json.loads(body)
    return {name: float(value) for name, value in loaded.items() if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _item(number: int, status: str, body: Any) -> EvidenceItem:  # noqa: ANN401 - JSON
    facts = tuple((str(name), str(value)) for name, value in body["facts"])
    return EvidenceItem(number, body["title"], EvidenceStatus(status), body["reason"], facts)
