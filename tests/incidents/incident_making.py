"""Findings for the tests, and applying them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from detector.config import Settings
from detector.incidents.service import apply
from detector.model import (
    EntityKind,
    Finding,
    Horizon,
    Incident,
    Segment,
    Severity,
    Technique,
    Trigger,
)
from detector.store import incidents as rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detector.store.engine import Store

FIRST = date(2026, 11, 10)
AS_OF = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
MODEL = "digits"
HOUR = 3_600_000_000


def night(offset: int) -> date:
    """Return the night that many days after the first."""
    return FIRST + timedelta(days=offset)


def finding(
    client: str = "alice",
    offset: int = 0,
    *,
    rule: str = "inversion-climb",
    level: Severity = Severity.HIGH,
    technique: Technique = Technique.INVERSION,
    kind: EntityKind = EntityKind.CLIENT,
    clients: Sequence[str] | None = None,
    trigger: tuple[Trigger, ...] = (Trigger("confidence_ascent", 0.97, 0.8, 6.5),),
    horizon: Horizon = Horizon.NIGHT,
    p: float | None = None,
    query_count: int = 1000,
    model: str = MODEL,
    family: str | None = None,
    target: str | None = None,
    atlas: tuple[str, ...] = (),
    segment: Segment | None = None,
) -> Finding:
    """Return a finding about `client`, or about the pool of that name if `kind` is another one."""
    when = night(offset)
    start = int(datetime(when.year, when.month, when.day, 3, tzinfo=UTC).timestamp()) * 1_000_000
    parts = (rule, model, kind, client, horizon, when.isoformat())
    return Finding(
        id=sha256("|".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16],
        rule=rule,
        title=rule.replace("-", " ").capitalize(),
        level=level,
        technique=technique,
        family=family,
        atlas=atlas,
        model=model,
        entity_kind=kind,
        entity_id=client,
        horizon=horizon,
        night=when,
        clients=(client,) if clients is None else tuple(clients),
        trigger=trigger,
        p=p,
        sentence=f"{client} climbed.",
        query_count=query_count,
        segment=segment or Segment(start, start + HOUR, target),
        baseline=None,
    )


def campaign(name: str, clients: Sequence[str], offset: int = 0, **more: object) -> Finding:
    """Return a finding about accounts that act together."""
    return finding(name, offset, kind=EntityKind.CAMPAIGN, clients=clients, rule="campaign-pool", **more)  # type: ignore[arg-type]


def network(name: str, clients: Sequence[str], offset: int = 0, **more: object) -> Finding:
    """Return a finding about a network."""
    return finding(name, offset, kind=EntityKind.NETWORK, clients=clients, rule="network-pool", **more)  # type: ignore[arg-type]


def scan(
    store: Store,
    offset: int,
    *findings: Finding,
    settings: Settings | None = None,
    as_of: datetime = AS_OF,
    model: str = MODEL,
) -> tuple[Incident, ...]:
    """Apply one night's findings in a transaction of its own."""
    with store.begin() as connection:
        return apply(
            connection,
            model=model,
            night=night(offset),
            findings=findings,
            settings=settings or Settings(),
            as_of=as_of,
        )


def stored(store: Store) -> tuple[Incident, ...]:
    """Return every incident."""
    with store.begin() as connection:
        return rows.list_incidents(connection)


def record(store: Store, incident: str) -> list[tuple[str, str | None]]:
    """Return what happened to an incident and why."""
    with store.begin() as connection:
        return [(str(line.what), line.why) for line in rows.events(connection, incident)]
