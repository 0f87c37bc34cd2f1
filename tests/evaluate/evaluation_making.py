"""Made-up labels, client-nights and incidents, small enough to count on one's fingers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from detector.evaluate.labels import Labels, read_labels
from detector.evaluate.matching import EPOCH, Observed, alarms_of
from detector.model import (
    EntityKind,
    Finding,
    Horizon,
    Incident,
    IncidentStatus,
    Member,
    Segment,
    Severity,
    Technique,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from detector.config import Settings
    from detector.store.engine import Store

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
FIRST = date(2026, 11, 10)
HEADER = (
    "client_id,model,is_attack,technique,family,variant,trace_id,first_ts,last_ts,n_attack_queries,n_queries,success"
)


@dataclass(frozen=True)
class Judged:
    """A drill and the store in which its nights were judged."""

    folder: Path
    labels: Labels
    store: Store
    settings: Settings


def night(offset: int) -> date:
    return FIRST + timedelta(days=offset)


@dataclass(frozen=True)
class Row:
    """One line of a labels file; times are given by nights after the first, at noon."""

    client: str
    technique: str = "benign"
    family: str = "benign_ordinary"
    trace: str = ""
    nights: tuple[int, int] = (0, 0)
    attack_queries: int = 0
    success: str = ""
    model: str = "digits"
    variant: str = "plain"

    @property
    def line(self) -> str:
        first, last = (f"{night(offset)}T12:00:00Z" for offset in self.nights)
        is_attack = self.technique != "benign"
        parts = (
            self.client, self.model, is_attack, self.technique, self.family, self.variant, self.trace or self.client,
            first, last, self.attack_queries, 10 + self.attack_queries, self.success,
        )  # fmt: skip
        return ",".join(map(str, parts))


def labels_of(folder: Path, *rows: Row) -> Labels:
    file = folder / "labels.csv"
    file.write_text("\n".join([HEADER, *(row.line for row in rows)]) + "\n", encoding="utf-8")
    return read_labels(file)


def finding(technique: Technique, when: date, clients: Sequence[str], model: str) -> Finding:
    return Finding(
        id="f" * 16, rule="r", title="R", level=Severity.HIGH, technique=technique, model=model,
        entity_kind=EntityKind.CLIENT, entity_id=clients[0], horizon=Horizon.NIGHT, night=when,
        clients=tuple(clients), trigger=(), sentence="S.", query_count=1, segment=Segment(0, 1),
    )  # fmt: skip


def incident(
    name: str,
    technique: Technique,
    members: Mapping[str, Sequence[int]],
    *,
    severity: Severity = Severity.HIGH,
    status: IncidentStatus = IncidentStatus.OPEN,
    model: str = "digits",
    withdrawn: bool = False,
) -> Incident:
    """Return an incident; `members` are clients with their nights after the first."""
    nights = tuple(sorted({night(offset) for offsets in members.values() for offset in offsets}))
    people = tuple(Member(c, tuple(map(night, sorted(offsets))), 1, severity) for c, offsets in members.items())
    findings = () if withdrawn else (finding(technique, nights[0], list(members), model),)
    return Incident(
        id=name, status=status, severity=severity, technique=technique, techniques=(technique,), model=model,
        entity_kind=EntityKind.CLIENT, entity_id=next(iter(members)), members=people, first_ts=0, last_ts=1,
        nights=nights, query_count=1, score=0.9, findings=findings, atlas=(), summary="S.",
    )  # fmt: skip


def observed(nights: Mapping[str, Sequence[int]], *incidents: Incident, model: str = "digits") -> Observed:
    """Return what a store would show: clients with the nights in which they asked, and incidents, gravest first."""
    rows = [(model, client, night(n).toordinal() - EPOCH, 10) for client, told in nights.items() for n in told]
    return Observed(pd.DataFrame(rows, columns=["model", "client", "night", "queries"]), alarms_of(incidents))
